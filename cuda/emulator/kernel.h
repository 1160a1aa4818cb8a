// What a kernel finds in the language of CUDA, for a plain C++ compiler.
#pragma once

#include <cstring>
#include <tuple>
#include <type_traits>

#include "cuda/emulator/block.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/runtime.h"
#include "cuda/launches.h"

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define STAR_UNROLL

inline thread_local star::emulator::Dim3 threadIdx, blockIdx, blockDim, gridDim;

inline void __syncthreads(std::source_location where = std::source_location::current()) {
  star::emulator::Block::current()->barrier(where);
}

namespace star::emulator {

template <class T>
T shuffle(uint32_t mask, T value, uint32_t from, const std::source_location& where) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = Block::current()->shuffle(mask, bits, from, where);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace star::emulator

// Beyond the warp a lane receives its own value.
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta,
                   std::source_location where = std::source_location::current()) {
  unsigned lane = star::emulator::Block::current()->lane(), from = lane + delta;
  return star::emulator::shuffle(mask, value, from < 32 ? from : lane, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits,
                  std::source_location where = std::source_location::current()) {
  unsigned from = (star::emulator::Block::current()->lane() ^ unsigned(bits)) % 32;
  return star::emulator::shuffle(mask, value, from, where);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane,
              std::source_location where = std::source_location::current()) {
  return star::emulator::shuffle(mask, value, unsigned(lane) % 32, where);
}

namespace star::emulator {

// An element that a kernel may read and write, which is `Place::read` and `Place::write`.
template <class Place>
class Element {
 public:
  using T = typename Place::Value;
  explicit Element(Place place) : place_(place) {}
  operator T() const { return place_.read(); }
  T operator=(T value) const {
    place_.write(value);
    return value;
  }
  T operator=(const Element& other) const { return *this = T(other); }
  T operator+=(T value) const { return *this = T(*this) + value; }
  T operator-=(T value) const { return *this = T(*this) - value; }
  T operator*=(T value) const { return *this = T(*this) * value; }

 private:
  Place place_;
};

[[noreturn]] void race(const char* what, bool write, const Access& before);

template <class T>
struct GlobalPlace {
  using Value = T;
  T* pointer;

  T read() const {
    T value;
    const void* at = Memory::device().at(pointer, sizeof(T));
    const Access* before = Memory::device().history(pointer).read(Block::current()->access());
    if (before) race("global", false, *before);
    std::memcpy(&value, at, sizeof(T));
    return value;
  }
  void write(T value) const {
    void* at = Memory::device().at(pointer, sizeof(T));
    const Access* before = Memory::device().history(pointer).write(Block::current()->access());
    if (before) race("global", true, *before);
    std::memcpy(at, &value, sizeof(T));
  }
};

template <class T>
class Global {
 public:
  explicit Global(T* pointer) : pointer_(pointer) {}
  auto operator[](int64_t i) const {
    if constexpr (std::is_const_v<T>)
      return GlobalPlace<std::remove_const_t<T>>{const_cast<std::remove_const_t<T>*>(at(i))}.read();
    else
      return Element(GlobalPlace<T>{at(i)});
  }
  Global operator+(int64_t n) const { return Global(at(n)); }
  explicit operator bool() const { return pointer_ != nullptr; }

 private:
  // Addresses are reckoned as numbers: one outside of an array is found where it is used.
  T* at(int64_t i) const {
    return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(pointer_) + uintptr_t(i) * sizeof(T));
  }
  T* pointer_;
};

template <class T>
struct SharedPlace {
  using Value = T;
  size_t place;

  T read() const {
    Block& block = *Block::current();
    History& history = block.shared_history(place);
    if (const Access* before = history.read(block.shared_access())) race("shared", false, *before);
    if (!history.written())
      finding("shared memory is read before it is written, at byte {}", place);
    T value;
    std::memcpy(&value, block.shared(place), sizeof(T));
    return value;
  }
  void write(T value) const {
    Block& block = *Block::current();
    const Access* before = block.shared_history(place).write(block.shared_access());
    if (before) race("shared", true, *before);
    std::memcpy(block.shared(place), &value, sizeof(T));
  }
};

template <class T>
class Shared {
 public:
  Shared(size_t begin, int64_t count) : begin_(begin), count_(count) {}
  Element<SharedPlace<T>> operator[](int64_t i) const {
    if (i < 0 || i >= count_) finding("element {} of {} in shared memory", i, count_);
    return Element(SharedPlace<T>{place(i)});
  }
  size_t place(int64_t i) const { return begin_ + size_t(i) * sizeof(T); }

 private:
  size_t begin_;
  int64_t count_;
};

}  // namespace star::emulator

namespace star::cuda {

template <class T>
emulator::Global<T> global(T* pointer) {
  return emulator::Global<T>(pointer);
}
template <class T>
using Shared = emulator::Shared<T>;

inline void load_four(const float* from, float (&out)[4]) {
  if (reinterpret_cast<uintptr_t>(from) % 16 != 0)
    emulator::finding("four numbers at once from {}, no address of 16 bytes",
                      static_cast<const void*>(from));
  for (int64_t i = 0; i < 4; ++i) out[i] = global(from)[i];
}

template <size_t n>
void store_words(const Shared<uint32_t>& to, int64_t at, const uint32_t (&words)[n]) {
  if (to.place(at) % sizeof words != 0)
    emulator::finding("{} words at once to byte {} of shared memory", n, to.place(at));
  for (size_t i = 0; i < n; ++i) to[at + int64_t(i)] = words[i];
}

class SharedMemory {
 public:
  template <class T>
  Shared<T> take(int64_t count) {
    size_t begin = (used_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    used_ = begin + size_t(count) * sizeof(T);
    size_t given = emulator::Block::current()->shared_bytes();
    if (used_ > given)
      emulator::finding("{} bytes of shared memory are used and {} were asked for", used_, given);
    return Shared<T>(begin, count);
  }

 private:
  size_t used_ = 0;
};

// Where a launch is written is part of every finding.
struct Grid {
  Grid(int64_t x, std::source_location place = std::source_location::current())
      : Grid(x, 1, place) {}
  Grid(int64_t x, int64_t y, std::source_location place = std::source_location::current())
      : size{uint32_t(x), uint32_t(y), 1}, where(place) {}
  emulator::Dim3 size;
  std::source_location where;
};

template <class... Parameters>
void launch(void (*kernel)(Parameters...), Grid grid, int64_t threads, size_t shared, cudaStream_t,
            const std::type_identity_t<Parameters>&... arguments) {
  ++launches();
  emulator::submit([=] {
    emulator::run_grid({grid.size, {uint32_t(threads)}, shared, grid.where},
                       [&] { kernel(arguments...); });
  });
}

}  // namespace star::cuda
