// OpenBLAS's scratch memory, made safe for several threads, and for want of memory.
//
// Debian's serial OpenBLAS guards the table of its scratch buffers by nothing: two threads of ours
// that multiply at the same time can be given the same buffer, and their products are wrong. The
// linker sends its calls here (--wrap, CMakeLists.txt): every thread keeps one buffer of its own,
// taken from OpenBLAS under a lock.
//
// Where it gets no memory for a buffer, OpenBLAS asks again for ever. So it is asked only after the
// system has been seen to give as much, and for all threads of a product before that begins: in
// these threads, below C code, nothing could be thrown.
#include "core/blas_memory.h"

#include <sys/mman.h>

#include <mutex>
#include <new>
#include <vector>

extern "C" void* __real_blas_memory_alloc(int position);
extern "C" void __real_blas_memory_free(void* buffer);

namespace star {
namespace {

// A buffer has 128 MiB, of which what is used takes memory; the rest is for what other threads ask
// for at the same moment.
constexpr size_t kBufferBytes = size_t(132) << 20;

std::mutex table;
int unused = 0;  // buffers that OpenBLAS has got, and nobody holds; guarded by `table`

void require_memory() {
  void* probe =
      ::mmap(nullptr, kBufferBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED) throw std::bad_alloc();
  ::munmap(probe, kBufferBytes);
}

void* take() {
  std::lock_guard lock(table);
  if (unused > 0)
    --unused;
  else
    require_memory();
  return __real_blas_memory_alloc(0);
}

void give_back(void* buffer) {
  std::lock_guard lock(table);
  __real_blas_memory_free(buffer);
  ++unused;
}

struct ThreadBuffer {
  void* memory = take();
  bool in_use = false;
  ~ThreadBuffer() { give_back(memory); }
};

ThreadBuffer& own_buffer() {
  thread_local ThreadBuffer buffer;
  return buffer;
}

}  // namespace

void reserve_blas_memory(int threads) {
  thread_local int reserved = 0;
  if (threads <= reserved) return;
  own_buffer();
  std::vector<void*> others;
  auto give_all_back = [&] {
    for (void* buffer : others) give_back(buffer);
  };
  others.reserve(size_t(threads));
  try {
    while (int(others.size()) < threads - 1) others.push_back(take());
  } catch (const std::bad_alloc&) {
    give_all_back();
    throw;
  }
  give_all_back();
  reserved = threads;
}

}  // namespace star

extern "C" void* __wrap_blas_memory_alloc(int) {
  star::ThreadBuffer& own = star::own_buffer();
  if (own.in_use) return star::take();  // a routine that needs two at a time
  own.in_use = true;
  return own.memory;
}

extern "C" void __wrap_blas_memory_free(void* buffer) {
  star::ThreadBuffer& own = star::own_buffer();
  if (buffer != own.memory) return star::give_back(buffer);
  own.in_use = false;
}
