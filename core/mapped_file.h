// A file that is read where the kernel keeps it: many processes share the pages, and none holds
// more of them than it reads.
#pragma once

#include <string>
#include <string_view>

namespace star {

// The bytes of a regular file, mapped for as long as the object lives. Where somebody cuts the file
// short in that time, or it cannot be read any more, zeros are read, and `require_whole` tells of
// it. Errors: missing, not a regular file, unreadable.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return bytes_; }

  // After reading. Error: one of the files that are mapped is shorter by now, or could not be read.
  static void require_whole();

 private:
  std::string_view bytes_;
};

}  // namespace star
