// Runs the blocks of a launch, one after the other, and each block's threads in turns.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <source_location>
#include <string>
#include <vector>

#include "core/error.h"
#include "cuda/emulator/fiber.h"
#include "cuda/emulator/history.h"

namespace star::emulator {

// The device's memory and kernels serve one thread of the host at a time.
std::mutex& device_mutex();

// The sizes of a grid and of a block, and places in them.
struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t(x) * y * z; }
};

// What every device since 2016 has; a kernel that asks for more would need to ask the device first.
inline constexpr uint32_t kMostThreads = 1024, kWarp = 32;
inline constexpr size_t kMostShared = 48 * 1024;

struct Launch {
  Dim3 grid, block;
  size_t shared = 0;  // bytes of shared memory for each block
  std::source_location where;
};

// Of the factors of a product that a warp computes together, what one lane has in its registers.
using Operands = std::array<uint32_t, 6>;

// Runs `body` for each thread of each block. Throws `Error` with the first finding.
void run_grid(const Launch& launch, const std::function<void()>& body);

class Block {
 public:
  Block(const Launch& launch, uint32_t launch_number, const std::function<void()>& body);
  ~Block();

  // The block that runs on this thread of the host, null outside a kernel.
  static Block* current();

  void run(uint32_t index);

  // For the thread that runs: waits for all threads of the block.
  void barrier(const std::source_location& where);
  // For the thread that runs: gives `value` and receives that of lane `from` of its warp, after all
  // lanes of `mask` have come.
  uint64_t shuffle(uint32_t mask, uint64_t value, uint32_t from, const std::source_location& where);
  // For the thread that runs: gives what it holds of a product's factors, after which it may read
  // what any lane of its warp gave; all of them come.
  void exchange(const Operands& own, const std::source_location& where);
  const Operands& operands(uint32_t lane) const;
  uint32_t lane() const { return thread_ % kWarp; }

  // Shared memory; `place` counts bytes.
  void* shared(size_t place) { return shared_.data() + place; }
  size_t shared_bytes() const { return launch_.shared; }
  History& shared_history(size_t place) { return histories_[place / 4]; }

  Access access() const { return {number_, index_, thread_, epoch_}; }
  Access shared_access() const { return {1, 0, thread_, epoch_}; }
  // "block 2, thread 5 of the kernel launched at cuda/rows.cu:31".
  std::string place() const;

 private:
  enum class State { fresh, ready, at_barrier, at_shuffle, done };
  struct Thread {
    State state = State::fresh;
    Fiber* fiber = nullptr;  // while it waits
    std::source_location where;
    uint32_t mask = 0, from = 0;  // of a shuffle
    uint64_t given = 0, received = 0;
    std::array<Operands, 2> operands;  // in turns: a lane may be one product ahead of another
    uint32_t exchanges = 0;
  };

  void play();  // a fiber's body: fresh threads, until there is none
  void start_fresh_threads();
  void resume_ready_threads();
  void wait(State state, const std::source_location& where);
  void enter(uint32_t thread);
  bool release_shuffles();  // true if some thread may go on
  bool release_barrier();
  bool all_done() const;
  [[noreturn]] void explain_standstill();

  const Launch& launch_;
  const std::function<void()>& body_;
  uint32_t number_, count_;
  uint32_t index_ = 0, thread_ = 0, epoch_ = 0, next_fresh_ = 0;
  std::vector<Thread> threads_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* running_ = nullptr;
  std::exception_ptr failure_;
  std::vector<unsigned char> shared_;
  std::vector<History> histories_;
};

// Throws what was found, with the place in the kernel that runs.
template <class... Args>
[[noreturn]] void finding(fmt::format_string<Args...> format, Args&&... args) {
  std::string text = fmt::format(format, std::forward<Args>(args)...);
  if (Block* block = Block::current()) fail("cuda emulator: {}, in {}", text, block->place());
  fail("cuda emulator: {}", text);
}

}  // namespace star::emulator
