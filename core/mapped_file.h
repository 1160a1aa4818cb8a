// A file that is read where the kernel keeps it: many processes share the pages, and none holds
// more of them than it reads.
#pragma once

#include <string>
#include <string_view>

namespace star {

// The bytes of a regular file, mapped for as long as the object lives. Whoever cuts the file short
// in that time ends the process. Errors: missing, not a regular file, unreadable.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace star
