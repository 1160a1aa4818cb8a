#include "core/thread_pool.h"

namespace star {
namespace {

// Loops follow each other closely within a training step: a thread that spins for some
// microseconds is there for the next one; one that sleeps is not.
constexpr int kSpins = 4000;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    tickets_ = uint64_t(round() + 1) << 32;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::take_blocks(uint32_t round, int thread) {
  uint64_t tickets = tickets_.load();
  while (uint32_t(tickets >> 32) == round && uint32_t(tickets) > 0) {
    if (!tickets_.compare_exchange_weak(tickets, tickets - 1)) continue;
    body_(data_, blocks_ - uint32_t(tickets), thread);
    --undone_;
    tickets = tickets_.load();
  }
}

void ThreadPool::run_blocks(int64_t n, Body body, const void* data) {
  blocks_ = n;
  body_ = body;
  data_ = data;
  undone_ = n;
  const uint32_t round = this->round() + 1;
  {
    std::lock_guard lock(mutex_);
    tickets_ = uint64_t(round) << 32 | uint64_t(n);
  }
  wake_.notify_all();
  take_blocks(round, 0);
  // A worker with a block may be waiting for the very processor that this loop holds.
  for (int i = 0; undone_.load() > 0; ++i) i < kSpins ? pause() : std::this_thread::yield();
}

void ThreadPool::work(int thread) {
  uint32_t seen = 0;
  for (;;) {
    for (int i = 0; i < kSpins && round() == seen; ++i) pause();
    if (round() == seen) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return round() != seen; });
    }
    seen = round();
    if (stop_) return;
    take_blocks(seen, thread);
  }
}

}  // namespace star
