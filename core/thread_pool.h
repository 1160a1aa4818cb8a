// A pool that runs the blocks of one loop at a time. The caller says how many blocks there are, by
// the shape of its data alone, so that results do not depend on the number of threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace star {

class ThreadPool {
 public:
  // `threads` counts the caller; 1 starts no thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return int(workers_.size()) + 1; }

  // Calls f(i) for every i in 0 … n−1, each once, in any order and on any thread; returns when all
  // are done. `f` must not throw and must not call the pool. It may take (i, thread) instead, with
  // thread in 0 … threads() − 1: whose scratch memory is free.
  template <class F>
  void run(int64_t n, const F& f) {
    Body body = [](const void* data, int64_t i, int thread) {
      const F& call = *static_cast<const F*>(data);
      if constexpr (std::is_invocable_v<F, int64_t, int>)
        call(i, thread);
      else
        call(i);
    };
    if (n <= 1 || workers_.empty()) {
      for (int64_t i = 0; i < n; ++i) body(&f, i, 0);
    } else {
      run_blocks(n, body, &f);
    }
  }

 private:
  using Body = void (*)(const void*, int64_t, int);
  void run_blocks(int64_t n, Body body, const void* data);
  void work(int thread);
  void take_blocks(uint32_t round, int thread);
  uint32_t round() const { return uint32_t(tickets_.load() >> 32); }

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  // The number of the loop in the upper half, in the lower one how many of its blocks nobody has
  // taken yet. Who takes one holds the loop: it cannot end, nor the fields below change, before that
  // block is done. A thread that comes late finds none and touches nothing, so that no loop waits
  // for a thread that the machine has no processor for.
  std::atomic<uint64_t> tickets_{0};
  std::atomic<int64_t> undone_{0};
  std::atomic<bool> stop_{false};
  int64_t blocks_ = 0;
  Body body_ = nullptr;
  const void* data_ = nullptr;
};

}  // namespace star
