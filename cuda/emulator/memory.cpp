#include "cuda/emulator/memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "core/error.h"
#include "cuda/emulator/block.h"

namespace star::emulator {
namespace {

struct sigaction previous_action;
uintptr_t range_begin, range_end;
constexpr size_t kGapPages = 8;

// Says why before the process dies of the access, as it would have without us.
void explain_fault(int, siginfo_t* info, void*) {
  auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  if (address >= range_begin && address < range_end) {
    const char* text = Block::current()
                           ? "cuda emulator: a kernel used a device pointer without global()\n"
                           : "cuda emulator: the host accessed device memory\n";
    if (write(STDERR_FILENO, text, std::strlen(text)) < 0) _exit(1);
  }
  sigaction(SIGSEGV, &previous_action, nullptr);  // and the instruction is tried again
}

}  // namespace

Memory& Memory::device() {
  static Memory memory;
  return memory;
}

Memory::Memory() {
  void* range =
      mmap(nullptr, kRange, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) throw std::bad_alloc();
  range_ = reinterpret_cast<uintptr_t>(range);
  range_begin = range_;
  range_end = range_ + kRange;
  explain_faults();
}

void Memory::explain_faults() {
  struct sigaction action = {};
  action.sa_sigaction = explain_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &previous_action);
}

void* Memory::allocate(size_t bytes) {
  // What lies before and behind an allocation belongs to no other.
  size_t begin = (owner_.size() + kGapPages) * kPage, pages = bytes / kPage + 1 + 2 * kGapPages;
  if (begin >= kRange || pages > (kRange - begin) / kPage) return nullptr;
  if (bytes > limit_ - std::min(used_, limit_)) return nullptr;
  Allocation a;
  a.begin = begin;
  a.bytes = bytes;
  a.data.reset(new (std::nothrow) unsigned char[bytes + 1]);
  if (!a.data) return nullptr;
  std::memset(a.data.get(), 255, bytes);
  used_ += bytes;
  owner_.insert(owner_.end(), pages, uint32_t(allocations_.size()));
  allocations_.push_back(std::move(a));
  return reinterpret_cast<void*>(range_ + begin);
}

void Memory::free(void* pointer) {
  if (!pointer) return;
  size_t page = offset(pointer) / kPage;
  Allocation* a = page < owner_.size() ? &allocations_[owner_[page]] : nullptr;
  require(a && a->data && a->begin == offset(pointer),
          "cuda emulator: {} is freed and is no allocation", pointer);
  used_ -= a->bytes;
  a->bytes = 0;
  a->data.reset();
  a->histories.reset();
}

History& Memory::history(const void* pointer) {
  Allocation& a = allocations_[owner_[offset(pointer) / kPage]];
  if (!a.histories) a.histories = std::make_unique<History[]>(a.bytes / 4 + 1);
  return a.histories[(offset(pointer) - a.begin) / 4];
}

void Memory::outside(const void* pointer, size_t bytes) const {
  size_t page = offset(pointer) / kPage;
  if (page >= owner_.size()) finding("{} bytes at {} are no device memory", bytes, pointer);
  const Allocation& a = allocations_[owner_[page]];
  if (!a.data) finding("{} bytes at {} are in memory that was freed", bytes, pointer);
  finding("{} bytes at offset {} of an allocation of {}", bytes, int64_t(offset(pointer) - a.begin),
          a.bytes);
}

}  // namespace star::emulator
