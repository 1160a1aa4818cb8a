// Which files are data: what a path, a pattern or a list of paths names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "star/pack.h"

namespace star::synthesis {

inline constexpr const char* kStandardInput = "-";

// What a folder holds and is nothing to learn from: what the program itself wrote (run files,
// checkpoints, reports, tokenizers, exported models), files of tokens beside text, links that lead
// nowhere or to what is read already, what is no file.
struct LeftOut {
  std::string path, why;
  uint64_t bytes = 0;
};

// Files of text, or of tokens (star/token_files.h); the two are not mixed.
struct DataFiles {
  std::vector<std::string> texts, tokens;
  std::vector<LeftOut> left_out;
  // What the one file that was named is by its first bytes, if that is no text.
  std::string no_text;
  std::string list;  // the file that named them, if one did
};

// Of a file; of all files of a folder and its subfolders, in the order of their paths; of what a
// pattern such as shards/*.bin matches, likewise; or of what the lines of FILE name, given as
// @FILE, by paths from its folder, in their order. A file that exists is no pattern. Links are
// followed, and nothing is read twice. Errors name the place: missing, unreadable, written to by
// this very process.
DataFiles find_data(const std::string& place);

// Whether a file of this path, which need not exist, would be found at the place, or lie in a folder
// of it. Error: the list of files cannot be read.
bool would_be_found(const std::string& place, const std::string& path);

// The same place, named from the root.
std::string place_from_root(const std::string& place);

struct TextFiles {
  std::vector<TextFile> files;  // none is empty
  std::vector<LeftOut> left_out;
  std::string no_text;
};

// The text of the files found at a place, of which those of JSON lines hold it in a field. Error: no
// file, or nothing but empty files.
TextFiles read_text(const std::string& place, const std::string& field = "text");
TextFiles read_text(const DataFiles& found, const std::string& place, const std::string& field);

// All that standard input holds: plain text, or JSON lines where a field is named. Error: it is a
// terminal, or empty.
TextFiles text_of_standard_input(const std::string& field);

// What there is to warn of: "left out 3 of 40 files, 12.5 % of the bytes: a.run (a run file), …",
// or that the file that was named is no text; empty where there is nothing.
std::string warning_of(const TextFiles& text);

}  // namespace star::synthesis
