#include "cuda/emulator/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

// Saves the registers that a function must preserve on the stack, keeps the stack pointer in
// *from, and goes on where the stack `to` was left. ucontext does the same with a system call each
// time, which a barrier of a thousand threads would feel.
extern "C" void star_switch_stack(void** from, void* to);

#if defined(__x86_64__)
asm(R"(
.text
.type star_switch_stack, @function
star_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size star_switch_stack, .-star_switch_stack
)");
#elif defined(__aarch64__)
asm(R"(
.text
.type star_switch_stack, %function
star_switch_stack:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x2, sp
  str x2, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size star_switch_stack, .-star_switch_stack
)");
#else
#error "the switch between stacks is written for x86-64 and AArch64"
#endif

namespace star::emulator {
namespace {

constexpr size_t kGuardBytes = size_t(64) << 10;   // a page of any system
constexpr size_t kStackBytes = size_t(256) << 10;  // only what is touched takes memory

thread_local Fiber* entering = nullptr;

// A stack on which star_switch_stack finds registers to restore, and `entry` to return to.
void* prepared_stack(char* top, void (*entry)()) {
  auto* words = reinterpret_cast<uint64_t*>(top);
#if defined(__x86_64__)
  // At the entry of a function the stack is 8 bytes off a multiple of 16.
  words -= 8;
  words[6] = reinterpret_cast<uint64_t>(entry);
#else
  words -= 20;
  words[11] = reinterpret_cast<uint64_t>(entry);
#endif
  return words;
}

void about_to_switch([[maybe_unused]] void** shadow, [[maybe_unused]] const void* stack,
                     [[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(shadow, stack, bytes);
#endif
}

void switched([[maybe_unused]] void* shadow, [[maybe_unused]] const void** stack,
              [[maybe_unused]] size_t* bytes) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(shadow, stack, bytes);
#endif
}

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)) {
  void* memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<char*>(memory);
  mprotect(memory_, kGuardBytes, PROT_NONE);
#if defined(__SANITIZE_ADDRESS__)
  // A stack that was here before may have been left in the middle of a function.
  __asan_unpoison_memory_region(memory_ + kGuardBytes, kStackBytes);
#endif
  own_ = prepared_stack(memory_ + kGuardBytes + kStackBytes, &Fiber::enter);
}

Fiber::~Fiber() { munmap(memory_, kGuardBytes + kStackBytes); }

void Fiber::resume() {
  void* shadow = nullptr;
  entering = this;
  about_to_switch(&shadow, memory_ + kGuardBytes, kStackBytes);
  star_switch_stack(&resumer_, own_);
  switched(shadow, nullptr, nullptr);
}

void Fiber::suspend() {
  about_to_switch(&own_shadow_, resumer_stack_, resumer_bytes_);
  star_switch_stack(&own_, resumer_);
  switched(own_shadow_, &resumer_stack_, &resumer_bytes_);
}

void Fiber::enter() {
  entering->run();
  std::abort();  // a body does not return
}

void Fiber::run() {
  switched(nullptr, &resumer_stack_, &resumer_bytes_);
  body_();
}

}  // namespace star::emulator
