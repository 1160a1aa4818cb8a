// The memory of a computation. Blocks are handed out by size class and return to the arena when
// their last tensor goes, so a training step reuses the memory of the step before it: after the
// first step the operating system is not asked again.
//
// Not thread-safe: tensors are made and dropped by the one thread that drives a computation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace star {

class Arena;

// Memory that kernels compute in and the host reaches by copies alone. The copies wait for the
// kernels that were launched before them.
struct DeviceMemory {
  void* (*allocate)(size_t bytes);  // aligned to 64; null: there is none left
  void (*free)(void* block);
  void (*read)(void* host, const void* device, size_t bytes);
  void (*write)(void* device, const void* host, size_t bytes);
  void (*wait)();  // for all that was launched
};

// One block of memory with a reference count; `Tensor` is its only user.
struct Storage {
  void* data = nullptr;
  size_t bytes = 0;
  Arena* arena = nullptr;
  Storage* next_free = nullptr;
  int references = 0;
  int size_class = 0;
};

class Arena {
 public:
  // Of the host's memory, or of a device's.
  explicit Arena(const DeviceMemory* device = nullptr);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // A block of at least `bytes` bytes, aligned to 64, with one reference; contents undefined.
  // Throws std::bad_alloc.
  Storage* allocate(size_t bytes);
  void release(Storage* block);

  const DeviceMemory* device() const { return device_; }  // null: the host's memory

  size_t reserved_bytes() const { return reserved_; }  // obtained from the operating system
  size_t live_bytes() const { return live_; }          // in tensors now
  size_t peak_bytes() const { return peak_; }          // the most that was ever live
  int64_t system_allocations() const { return int64_t(blocks_.size()); }

 private:
  const DeviceMemory* device_;
  std::vector<std::unique_ptr<Storage>> blocks_;
  std::vector<Storage*> free_;  // by size class
  size_t reserved_ = 0, live_ = 0, peak_ = 0;
};

}  // namespace star
