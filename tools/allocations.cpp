#include "tools/allocations.h"

#include <cstdlib>
#include <new>

namespace star {
namespace {

thread_local int64_t count = 0;

}  // namespace

int64_t allocations() { return count; }

// For the operators below, which stand in no namespace.
static void* counted(size_t bytes) {
  ++count;
  return std::malloc(bytes ? bytes : 1);
}

}  // namespace star

// The forms for arrays and those that do not throw call these, by the standard. Inlined, `delete`
// would look to GCC like memory given back to another than gave it.
void* operator new(size_t bytes) {
  for (;;) {
    if (void* memory = star::counted(bytes)) return memory;
    const std::new_handler handler = std::get_new_handler();
    if (!handler) throw std::bad_alloc();
    handler();
  }
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
