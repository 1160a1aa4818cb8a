// Whole files in and out, with errors that name the path.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace star {

// The bytes of a regular file. Errors: missing, not a regular file, unreadable.
std::string read_file(const std::string& path);

// Writes the pieces one after the other as the file `path`, all or nothing: they go to a file of
// their own beside it, which is synchronised and then renamed, so that whoever looks sees the old
// file or the new one. A link stays, and the file that it leads to is replaced; that keeps its mode
// and, where this user may give files away, its owner. Errors: what is there is no regular file or
// may not be written, there is no such folder, nothing may be made in it. WriteError: no space,
// a fault of the disk.
void write_file(const std::string& path, std::span<const std::string_view> pieces);

// Fails as `write_file` would where the path cannot be written; to be asked before long work.
void require_writable(const std::string& path);

// The path that a link leads to, however many links that takes, whether anything is there or not; a
// path that is no link as it is. Error: links that lead in a circle.
std::string link_target(const std::string& path);

// An empty file under a name that was free, in the folder of `path`, which the errors name; it is
// deleted with the object unless that was told to keep it. Errors as of `write_file`.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& name() const { return name_; }
  int descriptor() const { return descriptor_; }
  void keep() { kept_ = true; }

 private:
  std::string name_;
  int descriptor_ = -1;
  bool kept_ = false;
};

// Throws the Error or WriteError that a failed attempt to write the file stands for.
[[noreturn]] void fail_writing(const std::string& path, int reason);

// Makes sure that a change of names in the folder of `path` is on the disk.
void synchronise_folder(const std::string& path);

}  // namespace star
