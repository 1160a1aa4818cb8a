#include "core/descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace star {

// O_NONBLOCK: opening a pipe that nobody writes to must not wait.
RegularFile::RegularFile(const std::string& path)
    : Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  require(fd >= 0, "{}: {}", path, std::strerror(errno));
  struct stat info;
  require(::fstat(fd, &info) == 0, "{}: {}", path, std::strerror(errno));
  require(S_ISREG(info.st_mode), "{}: not a regular file", path);
  size = info.st_size;
}

}  // namespace star
