#include "core/mapped_file.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "core/descriptor.h"
#include "core/error.h"

namespace star {
namespace {

// Where a mapping lies, for the handler of a fault: a list that only grows, whose places are taken
// again, so that it can be walked at any moment.
struct Region {
  std::atomic<uintptr_t> begin = 0, end = 0;  // 0 where the place is free
  std::atomic<bool> unread = false;           // zeros stand for some of it
  std::string path = {};
  ino_t inode = 0;
  Region* next = nullptr;
};
std::atomic<Region*> regions = nullptr;
std::mutex entering;

// To read a page beyond the end of its file is a bus error, as is one that the disk does not give. It
// and all after it become zeros; who reads them asks for `require_whole` afterwards.
void on_bus_error(int signal, siginfo_t* fault, void*) {
  if (fault->si_code <= 0) {  // sent by somebody
    ::signal(signal, SIG_DFL);
    ::raise(signal);
    return;
  }
  const uintptr_t at = uintptr_t(fault->si_addr), page = uintptr_t(::sysconf(_SC_PAGESIZE));
  for (Region* region = regions; region; region = region->next) {
    if (at < region->begin || at >= region->end) continue;
    const uintptr_t from = at / page * page;
    void* zeros = ::mmap(reinterpret_cast<void*>(from), region->end - from, PROT_READ,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) break;
    region->unread = true;
    return;
  }
  ::signal(signal, SIG_DFL);  // not ours: it comes again, and ends the process
}

void handle_bus_errors() {
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

void enter(std::string_view bytes, const std::string& path, int fd) {
  struct stat info;
  require(::fstat(fd, &info) == 0, "{}: {}", path, std::strerror(errno));
  const std::lock_guard lock(entering);
  static const bool handled = (handle_bus_errors(), true);
  (void)handled;
  Region* region = regions;
  while (region && region->end != 0) region = region->next;
  if (!region) {
    region = new Region;
    region->next = regions;
    regions = region;
  }
  region->path = path;
  region->inode = info.st_ino;
  region->unread = false;
  region->begin = uintptr_t(bytes.data());
  region->end = region->begin + bytes.size();
}

void leave(std::string_view bytes) {
  const std::lock_guard lock(entering);
  for (Region* region = regions; region; region = region->next)
    if (region->end != 0 && region->begin == uintptr_t(bytes.data())) region->end = 0;
}

// What is in the last page beyond the end is zeros, without an error. A file that another one has
// taken the place of is whole: it is kept as long as it is mapped.
bool is_shorter(const Region& region) {
  struct stat info;
  return ::stat(region.path.c_str(), &info) == 0 && info.st_ino == region.inode &&
         uintptr_t(info.st_size) < region.end - region.begin;
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const RegularFile file(path);
  if (file.size == 0) return;  // nothing cannot be mapped
  void* data = ::mmap(nullptr, size_t(file.size), PROT_READ, MAP_SHARED, file.fd, 0);
  require(data != MAP_FAILED, "{}: {}", path, std::strerror(errno));
  bytes_ = {static_cast<const char*>(data), size_t(file.size)};
  enter(bytes_, path, file.fd);
}

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  leave(bytes_);
  ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

void MappedFile::require_whole() {
  if (!regions) return;
  const std::lock_guard lock(entering);
  for (Region* region = regions; region; region = region->next) {
    if (region->end == 0) continue;
    require(!is_shorter(*region), "{}: it was cut short while it was read", region->path);
    require(!region->unread, "{}: it cannot be read any more", region->path);
  }
}

}  // namespace star
