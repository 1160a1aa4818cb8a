// The emulated device's memory. A device pointer is an address in a range that nobody may read or
// write, the host's processor stops whoever tries; what it stands for lies elsewhere, and kernels
// and copies reach it through `at`, which knows every allocation to the byte. Addresses are never
// given out twice, so that what was freed stays recognisable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cuda/emulator/history.h"

namespace star::emulator {

class Memory {
 public:
  // The process has one device, as a machine with a GPU does.
  static Memory& device();

  // Filled with bytes of 255: NaN where a number is read before it was written. Null when there is
  // no memory.
  void* allocate(size_t bytes);
  // Throws `Error` for what is no allocation.
  void free(void* pointer);

  // Bytes that are given out; and of how many there are no more, for tests of what happens then.
  size_t used() const { return used_; }
  void limit(size_t bytes) { limit_ = bytes; }

  bool contains(const void* pointer) const { return offset(pointer) < kRange; }

  // Where the host finds `bytes` bytes of a device pointer. Throws `Error` where they are not
  // within one allocation.
  void* at(const void* pointer, size_t bytes) {
    size_t page = offset(pointer) / kPage;
    if (page < owner_.size()) {
      const Allocation& a = allocations_[owner_[page]];
      size_t from = offset(pointer) - a.begin;
      if (from < a.bytes && bytes <= a.bytes - from) return a.data.get() + from;
    }
    outside(pointer, bytes);
  }
  // As `at`, with the history of the word at the pointer.
  History& history(const void* pointer);

  // Has the process say so before it dies of an access to the range: from the start, and again
  // after somebody else has taken the signal.
  static void explain_faults();

 private:
  static constexpr size_t kRange = size_t(1) << 38, kPage = 4096;
  struct Allocation {
    size_t begin = 0, bytes = 0;  // begin: an offset in the range
    std::unique_ptr<unsigned char[]> data;
    std::unique_ptr<History[]> histories;  // one for four bytes; made when a kernel comes
  };

  Memory();
  size_t offset(const void* pointer) const {
    return size_t(reinterpret_cast<uintptr_t>(pointer) - range_);
  }
  [[noreturn]] void outside(const void* pointer, size_t bytes) const;

  uintptr_t range_;
  size_t used_ = 0, limit_ = kRange;
  std::vector<uint32_t> owner_;          // of each page that was given out
  std::vector<Allocation> allocations_;  // freed ones have no bytes
};

}  // namespace star::emulator
