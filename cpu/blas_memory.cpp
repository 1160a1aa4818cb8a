// OpenBLAS's scratch memory, made safe for several threads.
//
// Debian's serial OpenBLAS guards the table of its scratch buffers by nothing: two threads of ours
// that multiply at the same time can be given the same buffer, and their products are wrong. The
// linker sends its calls here (--wrap, CMakeLists.txt): every thread keeps one buffer of its own,
// taken from OpenBLAS under a lock.
#include <mutex>

extern "C" void* __real_blas_memory_alloc(int position);
extern "C" void __real_blas_memory_free(void* buffer);

namespace {

std::mutex table;

void* take() {
  std::lock_guard lock(table);
  return __real_blas_memory_alloc(0);
}

void give_back(void* buffer) {
  std::lock_guard lock(table);
  __real_blas_memory_free(buffer);
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

extern "C" void* __wrap_blas_memory_alloc(int) {
  ThreadBuffer& own = own_buffer();
  if (own.in_use) return take();  // a routine that needs two at a time
  own.in_use = true;
  return own.memory;
}

extern "C" void __wrap_blas_memory_free(void* buffer) {
  ThreadBuffer& own = own_buffer();
  if (buffer != own.memory) return give_back(buffer);
  own.in_use = false;
}
