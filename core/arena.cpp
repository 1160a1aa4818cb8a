#include "core/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>

namespace star {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t(2) << 20;

// Eight classes an octave: at most an eighth of a block is wasted.
int size_class_of(size_t bytes) {
  bytes = std::max(bytes, kAlignment);
  int octave = std::bit_width(bytes - 1) - 1;
  size_t step = std::max(size_t(1), (size_t(1) << octave) / 8);
  return octave * 8 + int((bytes - 1 - (size_t(1) << octave)) / step) + 1;
}

size_t class_bytes(int size_class) {
  int octave = (size_class - 1) / 8;
  size_t step = std::max(size_t(1), (size_t(1) << octave) / 8);
  size_t bytes = (size_t(1) << octave) + size_t((size_class - 1) % 8 + 1) * step;
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// Null where there is none left.
void* host_memory(size_t bytes) {
  bool huge = bytes >= kHugePage;
  size_t alignment = huge ? kHugePage : kAlignment;
  size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* data = std::aligned_alloc(alignment, rounded);
  // Large activations are walked from end to end: huge pages spare the address translation.
  if (data && huge) madvise(data, rounded, MADV_HUGEPAGE);
  return data;
}

}  // namespace

Arena::Arena(const DeviceMemory* device) : device_(device), free_(size_t(8 * 64), nullptr) {}

Arena::~Arena() {
  for (auto& block : blocks_) device_ ? device_->free(block->data) : std::free(block->data);
}

Storage* Arena::allocate(size_t bytes) {
  if (bytes > (size_t(1) << 46)) throw std::bad_alloc();
  int size_class = size_class_of(bytes);
  Storage* block = free_[size_t(size_class)];
  if (block) {
    free_[size_t(size_class)] = block->next_free;
  } else {
    auto fresh = std::make_unique<Storage>();
    fresh->bytes = class_bytes(size_class);
    fresh->data = device_ ? device_->allocate(fresh->bytes) : host_memory(fresh->bytes);
    if (!fresh->data) throw std::bad_alloc();
    fresh->arena = this;
    fresh->size_class = size_class;
    reserved_ += fresh->bytes;
    block = fresh.get();
    blocks_.push_back(std::move(fresh));
  }
  block->next_free = nullptr;
  block->references = 1;
  live_ += block->bytes;
  peak_ = std::max(peak_, live_);
  return block;
}

void Arena::release(Storage* block) {
  live_ -= block->bytes;
  block->next_free = free_[size_t(block->size_class)];
  free_[size_t(block->size_class)] = block;
}

}  // namespace star
