// The folder that an export writes, in one of several forms.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "liv/backbone.h"
#include "star/checkpoint.h"

namespace star::synthesis {

struct ExportForm {
  const char* name;
  std::string help;
  // The weights first; the second is written by an export alone, what is of a tokenizer only where
  // the model has one.
  std::vector<const char*> files;
  bool (*is_own)(const std::string& bytes);  // whether that one has been
  int64_t opset;                             // of ONNX; 0 of another form
  // All but the weights, which are there.
  void (*write)(const std::string& folder, const Backbone& model, const Checkpoint& about);
};

std::span<const ExportForm> export_forms();
// By its name; throws `Error` where there is none.
const ExportForm& export_form(const std::string& name);

// The paths in `folder` of what an export may write, and of what is there of it.
std::vector<std::string> exported_paths(const ExportForm& form, const std::string& folder);
std::vector<std::string> written_paths(const ExportForm& form, const std::string& folder);

// Throws `Error` where `folder` is there and no folder, or holds a file of such a name but none by
// which it shows that an export to this form wrote it: what it holds is then somebody else's.
void require_own_or_new_folder(const ExportForm& form, const std::string& folder);

// Makes the folder where it is not there. The files are written to a folder in it and moved to their
// places once all are whole: where something cannot be written, an earlier export stays as it was,
// and a folder that was made goes again. Errors are those of core/file.h.
void write_export(const ExportForm& form, const std::string& folder, Exec& exec,
                  const Backbone& model, const Checkpoint& about);

}  // namespace star::synthesis
