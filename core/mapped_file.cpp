#include "core/mapped_file.h"

#include <signal.h>
#include <sys/mman.h>
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
  std::atomic<bool> cut = false;
  std::string path = {};
  Region* next = nullptr;
};
std::atomic<Region*> regions = nullptr;
std::mutex entering;

// A page beyond the end of its file has no content, and reading it is a bus error. It and all after
// it become zeros; who reads them asks for `require_whole` afterwards.
void on_bus_error(int signal, siginfo_t* fault, void*) {
  const uintptr_t at = uintptr_t(fault->si_addr), page = uintptr_t(::sysconf(_SC_PAGESIZE));
  for (Region* region = regions; region; region = region->next) {
    if (at < region->begin || at >= region->end) continue;
    const uintptr_t from = at / page * page;
    void* zeros = ::mmap(reinterpret_cast<void*>(from), region->end - from, PROT_READ,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zeros == MAP_FAILED) break;
    region->cut = true;
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

void enter(std::string_view bytes, const std::string& path) {
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
  region->cut = false;
  region->begin = uintptr_t(bytes.data());
  region->end = region->begin + bytes.size();
}

void leave(std::string_view bytes) {
  const std::lock_guard lock(entering);
  for (Region* region = regions; region; region = region->next)
    if (region->end != 0 && region->begin == uintptr_t(bytes.data())) region->end = 0;
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const RegularFile file(path);
  if (file.size == 0) return;  // nothing cannot be mapped
  void* data = ::mmap(nullptr, size_t(file.size), PROT_READ, MAP_SHARED, file.fd, 0);
  require(data != MAP_FAILED, "{}: {}", path, std::strerror(errno));
  bytes_ = {static_cast<const char*>(data), size_t(file.size)};
  enter(bytes_, path);
}

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  leave(bytes_);
  ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

void MappedFile::require_whole() {
  if (!regions) return;
  const std::lock_guard lock(entering);
  for (Region* region = regions; region; region = region->next)
    require(region->end == 0 || !region->cut, "{}: it was cut short while it was read",
            region->path);
}

}  // namespace star
