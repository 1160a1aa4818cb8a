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
    ++round_;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::take_blocks(int thread) {
  for (int64_t i; (i = next_.fetch_add(1)) < blocks_;) body_(data_, i, thread);
}

void ThreadPool::run_blocks(int64_t n, Body body, const void* data) {
  blocks_ = n;
  body_ = body;
  data_ = data;
  next_ = 0;
  active_ = int(workers_.size());
  {
    std::lock_guard lock(mutex_);
    ++round_;
  }
  wake_.notify_all();
  take_blocks(0);
  // A worker may be waiting for the very processor that this loop holds.
  for (int i = 0; active_.load() > 0; ++i) i < kSpins ? pause() : std::this_thread::yield();
}

void ThreadPool::work(int thread) {
  uint64_t seen = 0;
  for (;;) {
    for (int i = 0; i < kSpins && round_.load() == seen; ++i) pause();
    if (round_.load() == seen) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return round_.load() != seen; });
    }
    seen = round_.load();
    if (stop_) return;
    take_blocks(thread);
    --active_;
  }
}

}  // namespace star
