#include "core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/error.h"

namespace star {
namespace {

struct Descriptor {
  int fd;
  explicit Descriptor(int value) : fd(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(size_t(n));
  }
  return true;
}

}  // namespace

std::string read_file(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to must not wait.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  require(file.fd >= 0, "{}: {}", path, std::strerror(errno));
  struct stat info;
  require(::fstat(file.fd, &info) == 0, "{}: {}", path, std::strerror(errno));
  require(S_ISREG(info.st_mode), "{}: not a regular file", path);

  std::string text(size_t(info.st_size), '\0');
  size_t used = 0;
  while (true) {
    // One byte beyond the expected end tells a file that grows from one that is complete.
    if (used == text.size()) text.resize(used + std::max<size_t>(used / 2, 1));
    ssize_t n = ::read(file.fd, text.data() + used, text.size() - used);
    if (n < 0 && errno == EINTR) continue;
    require(n >= 0, "{}: {}", path, std::strerror(errno));
    if (n == 0) break;
    used += size_t(n);
  }
  text.resize(used);
  return text;
}

void require_writable(const std::string& path) {
  std::string temporary = path + ".tmp";
  require(!std::filesystem::is_directory(path), "{}: {}", path, std::strerror(EISDIR));
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  require(file.fd >= 0, "{}: {}", temporary, std::strerror(errno));
  ::unlink(temporary.c_str());
}

void write_file(const std::string& path, std::span<const std::string_view> pieces) {
  std::string temporary = path + ".tmp";
  {
    Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    require(file.fd >= 0, "{}: {}", temporary, std::strerror(errno));
    bool ok = true;
    for (auto piece : pieces) ok = ok && write_all(file.fd, piece);
    if (!ok || ::fsync(file.fd) != 0) {
      int reason = errno;
      ::unlink(temporary.c_str());
      fail("{}: {}", temporary, std::strerror(reason));
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    int reason = errno;
    ::unlink(temporary.c_str());
    fail("{}: {}", path, std::strerror(reason));
  }
  // The rename itself lives in the folder; a file system that cannot synchronise one is no fault.
  auto folder = std::filesystem::path(path).parent_path();
  Descriptor parent(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC));
  if (parent.fd >= 0) ::fsync(parent.fd);
}

}  // namespace star
