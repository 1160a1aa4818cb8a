#include "core/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace star {

MappedFile::MappedFile(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to must not wait.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  require(file >= 0, "{}: {}", path, std::strerror(errno));
  struct stat info;
  int reason = ::fstat(file, &info) == 0 ? 0 : errno;
  const bool regular = reason == 0 && S_ISREG(info.st_mode);
  void* data = nullptr;
  if (regular && info.st_size > 0) {  // nothing cannot be mapped
    data = ::mmap(nullptr, size_t(info.st_size), PROT_READ, MAP_SHARED, file, 0);
    if (data == MAP_FAILED) reason = errno;
  }
  ::close(file);
  require(reason == 0, "{}: {}", path, std::strerror(reason));
  require(regular, "{}: not a regular file", path);
  if (data) bytes_ = {static_cast<const char*>(data), size_t(info.st_size)};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace star
