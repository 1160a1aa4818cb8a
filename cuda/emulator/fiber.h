// A function with a stack of its own, which can be left in the middle and gone on with: how one
// thread of the host plays all threads of a block.
#pragma once

#include <cstddef>
#include <functional>

namespace star::emulator {

// Not thread-safe, and not to be moved: the stack holds its address.
class Fiber {
 public:
  // `body` must neither throw nor return. Throws std::bad_alloc.
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Goes on with the body until it suspends.
  void resume();
  // Called in the body: returns to who resumed it.
  void suspend();

 private:
  [[noreturn]] static void enter();
  void run();

  std::function<void()> body_;
  char* memory_;         // a page without access, and the stack above it
  void* own_ = nullptr;  // stack pointers of the side that waits
  void* resumer_ = nullptr;
  void* own_shadow_ = nullptr;  // the address sanitizer's record of each side
  const void* resumer_stack_ = nullptr;
  size_t resumer_bytes_ = 0;
};

}  // namespace star::emulator
