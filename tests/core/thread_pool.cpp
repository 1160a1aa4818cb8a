#include "core/thread_pool.h"

#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <thread>
#include <vector>

using namespace star;

TEST_CASE("thread pool: each index once") {
  for (int threads : {1, 2, 3, 5}) {
    CAPTURE(threads);
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    for (int64_t n : {0, 1, 2, 3, 31, 33, 127, 128, 129, 5000}) {
      CAPTURE(n);
      std::vector<std::atomic<int>> calls(static_cast<size_t>(n));
      std::atomic<int> strays{0};
      pool.run(n, [&](int64_t i) { i >= 0 && i < n ? ++calls[size_t(i)] : ++strays; });
      int wrong = strays;
      for (auto& count : calls) wrong += count != 1;
      CHECK(wrong == 0);
    }
  }
}

// What a loop wrote is seen by the next one and by the caller: plain memory, no atomics.
TEST_CASE("thread pool: many small loops, each after the one before") {
  for (int threads : {1, 2, 3}) {
    CAPTURE(threads);
    ThreadPool pool(threads);
    constexpr int64_t n = 7;
    std::vector<int64_t> a(n, 0), b(n, 0);
    const int64_t loops = threads < 3 ? 1000 : 100;  // more threads than cores take turns
    for (int64_t loop = 0; loop < loops; ++loop) {
      pool.run(n, [&](int64_t i) { b[size_t(i)] = a[size_t((i + 1) % n)] + 1; });
      std::swap(a, b);
    }
    for (int64_t value : a) CHECK(value == loops);
  }
}

TEST_CASE("thread pool: the caller works too, and other threads do") {
  ThreadPool alone(1);
  std::set<std::thread::id> ids;
  alone.run(10, [&](int64_t) { ids.insert(std::this_thread::get_id()); });
  CHECK(ids == std::set{std::this_thread::get_id()});

  // Two blocks that wait for each other end only if they run at the same time.
  ThreadPool pair(2);
  std::atomic<int> arrived{0};
  pair.run(2, [&](int64_t) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  CHECK(arrived == 2);
}

TEST_CASE("thread pool: a pool that sleeps wakes up, and one that was never used ends") {
  { ThreadPool unused(3); }
  ThreadPool pool(3);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // longer than its threads spin
    std::atomic<int64_t> sum{0};
    pool.run(100, [&](int64_t i) { sum += i; });
    CHECK(sum == 4950);
  }
}
