#include "core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>

#include "core/descriptor.h"
#include "core/error.h"

namespace star {
namespace {

namespace fs = std::filesystem;

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(size_t(n));
  }
  return true;
}

// What stands at the place of an output and may be replaced; nothing if nothing is there.
std::optional<struct stat> replaceable(const std::string& path) {
  require(!path.empty(), "the name of a file to write is empty");
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) fail_writing(path, errno);
    return std::nullopt;
  }
  if (S_ISDIR(info.st_mode)) fail_writing(path, EISDIR);
  require(S_ISREG(info.st_mode), "{}: not a regular file", path);
  if (::access(path.c_str(), W_OK) != 0) fail_writing(path, errno);
  return info;
}

}  // namespace

std::string read_file(const std::string& path) {
  const RegularFile file(path);
  // One byte beyond the expected end tells a file that grows from one that is complete, without
  // taking its size twice.
  std::string text(size_t(file.size) + 1, '\0');
  size_t used = 0;
  while (true) {
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

void fail_writing(const std::string& path, int reason) {
  for (int theirs : {EACCES, EPERM, ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EROFS, EINVAL})
    require(reason != theirs, "{}: {}", path, std::strerror(reason));
  throw WriteError(fmt::format("{}: {}", path, std::strerror(reason)));
}

std::string link_target(const std::string& path) {
  constexpr int kMostLinks = 40;  // as the kernel counts
  fs::path at = path;
  for (int links = 0; links < kMostLinks; ++links) {
    std::error_code no_link;
    const fs::path next = fs::read_symlink(at, no_link);
    if (no_link) return at;
    at = at.parent_path() / next;  // an absolute one stands for itself
  }
  fail_writing(path, ELOOP);
}

TemporaryFile::TemporaryFile(const std::string& path) {
  const fs::path target(path);
  std::error_code ignored;
  const fs::path folder = target.parent_path().empty() ? "." : target.parent_path();
  require(fs::is_directory(folder, ignored), "{}: there is no folder {}", path, folder.string());
  const std::string stem = target.filename().string().substr(0, 200);
  for (int number = 0; descriptor_ < 0; ++number) {
    name_ = target.parent_path() / fmt::format("{}.tmp-{}-{}", stem, ::getpid(), number);
    descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST && errno != EINTR) fail_writing(path, errno);
  }
}

TemporaryFile::~TemporaryFile() {
  ::close(descriptor_);
  if (!kept_) ::unlink(name_.c_str());
}

void synchronise_folder(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  // A file system that cannot synchronise a folder is no fault.
  Descriptor parent(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC));
  if (parent.fd >= 0) ::fsync(parent.fd);
}

void require_writable(const std::string& path) {
  replaceable(path);
  TemporaryFile file(link_target(path));
}

void write_file(const std::string& path, std::span<const std::string_view> pieces) {
  const std::optional<struct stat> old = replaceable(path);
  const std::string target = link_target(path);
  TemporaryFile file(target);
  bool ok = true;
  for (auto piece : pieces) ok = ok && write_all(file.descriptor(), piece);
  if (ok && old) {
    // The owner first: to change it takes the bits away that let others run the file as the owner.
    bool owned = ::fchown(file.descriptor(), old->st_uid, old->st_gid) == 0;
    const mode_t most = owned ? 07777 : 0777;
    ok = ::fchmod(file.descriptor(), old->st_mode & most) == 0;
  }
  if (!ok || ::fsync(file.descriptor()) != 0)
    throw WriteError(fmt::format("{}: {}", path, std::strerror(errno)));
  if (::rename(file.name().c_str(), target.c_str()) != 0) fail_writing(path, errno);
  file.keep();
  synchronise_folder(target);
}

}  // namespace star
