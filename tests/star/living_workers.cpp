// Workers that live on and answer requests, several at a time in a process.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <vector>

#include "core/error.h"
#include "star/executor.h"
#include "tests/star/shared.h"

using namespace star;

using namespace star::synthesis;

namespace {

constexpr double kRuns = 2;  // seconds

// Asks a pool whose workers live on, `together` in a process.
struct Asking {
  explicit Asking(const Limits& limits = {}, const Serve& further = {}, int together = 1)
      : pool(
            limits, [further](auto& request) { return answer(request, further); }, together) {}

  static std::string answer(const std::string& request, const Serve& further) {
    static std::atomic<int> answered = 0;
    ++answered;
    if (request == "throw") throw std::runtime_error("thrown");
    if (request == "exit") _exit(3);
    if (request == "spin") return spin();
    if (request == "pid") return fmt::format("{}", getpid());
    if (request == "answered") return fmt::format("{}", answered);
    return further ? further(request) : request;
  }
  Outcome ask(const std::string& request) {
    pool.start(5, request);
    CHECK(pool.running() == 1);
    const WorkerPool::Finished finished = pool.wait();
    CHECK(finished.job == 5);
    CHECK(pool.running() == 0);
    return finished.outcome;
  }
  std::string result(const std::string& request) {
    const Outcome outcome = ask(request);
    CHECK(outcome.failure == "");
    return outcome.result;
  }
  pid_t pid() { return pid_t(std::stol(result("pid"))); }

  WorkerPool pool;
};

}  // namespace

TEST_CASE("executor: a worker that lives on answers one request after the other") {
  pid_t worker = 0;
  {
    Asking asking;
    worker = asking.pid();
    CHECK(worker != getpid());
    CHECK(asking.pid() == worker);
    CHECK(asking.result("answered") == "3");
    const std::string large(3'000'000, 'x');  // beyond what waits between two processes
    CHECK(asking.result(large) == large);
    CHECK(asking.result("") == "");
    CHECK(asking.pid() == worker);
    // Two at a time are two, of which the next request takes one.
    asking.pool.start(1, "pid");
    asking.pool.start(2, "pid");
    std::set<std::string> two;
    for (int i = 0; i < 2; ++i) two.insert(asking.pool.wait().outcome.result);
    CHECK(two.size() == 2);
    CHECK(two.count(fmt::format("{}", asking.pid())) == 1);
  }
  CHECK(kill(worker, 0) == -1);
}

TEST_CASE("executor: what ends a worker that lives on costs one request") {
  Asking asking;
  pid_t worker = asking.pid();
  for (auto [request, failure] : {std::pair{"throw", "thrown"}, {"exit", "exit status 3"}}) {
    CHECK(has(asking.ask(request).failure, failure));
    const pid_t next = asking.pid();
    CHECK(next != worker);
    CHECK(asking.result("answered") == "2");
    worker = next;
  }
  kill(worker, SIGKILL);  // between two requests
  CHECK(asking.pid() != worker);
}

namespace {

// What the requests 0 … count − 1, which are under way, come to.
std::vector<Outcome> outcomes_of(Asking& asking, size_t count) {
  std::vector<Outcome> outcomes(count);
  for (size_t i = 0; i < count; ++i) {
    const WorkerPool::Finished finished = asking.pool.wait();
    REQUIRE(finished.job >= 0);
    outcomes[size_t(finished.job)] = finished.outcome;
  }
  return outcomes;
}

// The same of requests that are asked for at the same time.
std::vector<Outcome> ask_all(Asking& asking, const std::vector<std::string>& requests) {
  for (size_t i = 0; i < requests.size(); ++i) asking.pool.start(int(i), requests[i]);
  return outcomes_of(asking, requests.size());
}

// Answers with its process when three have come, once in the process that is shared.
Serve meeting(Shared* shared) {
  return [shared](const std::string& request) -> std::string {
    if (shared->count < 3) {
      ++shared->count;
      while (shared->count < 3) usleep(1000);
    }
    if (request == "crash") raise(SIGSEGV);
    if (request == "leave") _exit(3);
    if (request == "fail") throw std::runtime_error("thrown");
    if (request == "exhaust") throw std::bad_alloc();
    usleep(50'000);  // the others are still there when one ends
    return fmt::format("{}", getpid());
  };
}

}  // namespace

TEST_CASE("executor: one process answers several requests at a time") {
  Shared* shared = Shared::make();
  Asking asking({}, meeting(shared), 3);
  std::set<std::string> processes;
  for (int round = 0; round < 3; ++round)
    for (const Outcome& outcome : ask_all(asking, {"a", "b", "c"})) {
      CHECK(outcome.failure == "");
      processes.insert(outcome.result);
    }
  CHECK(processes.size() == 1);
  // One more than it takes has another process.
  for (const Outcome& outcome : ask_all(asking, {"a", "b", "c", "d"}))
    processes.insert(outcome.result);
  CHECK(processes.size() == 2);
  Shared::free(shared);
}

TEST_CASE("executor: what one of several requests breaks is its own failure alone") {
  for (auto [request, failure] : {std::pair{"crash", "SIGSEGV"},
                                  {"leave", "exit status 3"},
                                  {"fail", "thrown"},
                                  {"exhaust", "out of memory"}}) {
    CAPTURE(request);
    Shared* shared = Shared::make();
    Asking asking({}, meeting(shared), 3);
    const auto outcomes = ask_all(asking, {"a", request, "c"});
    CHECK(outcomes[0].failure == "");
    CHECK(has(outcomes[1].failure, failure));
    CHECK(outcomes[2].failure == "");
    CHECK(asking.result("pid") != "");
    Shared::free(shared);
  }
}

TEST_CASE("executor: a result that nobody has read yet outlives the process") {
  Shared* shared = Shared::make();
  const Serve serve = [shared](const std::string& request) -> std::string {
    ++shared->count;
    while (request == "crash" && shared->flag == 0) usleep(1000);
    if (request == "crash") raise(SIGSEGV);
    return "done";
  };
  Asking asking({}, serve, 2);
  asking.pool.start(0, "work");
  asking.pool.start(1, "crash");
  while (shared->count < 2) usleep(1000);
  usleep(50'000);  // its result is on the way
  shared->flag = 1;
  usleep(50'000);  // and the process gone
  const std::vector<Outcome> outcomes = outcomes_of(asking, 2);
  CHECK(outcomes[0].failure == "");
  CHECK(outcomes[0].result == "done");
  CHECK(has(outcomes[1].failure, "SIGSEGV"));
  CHECK(shared->count == 3);  // the crash alone was begun again
  Shared::free(shared);
}

TEST_CASE("executor: the time of one of several requests is its own") {
  Limits limits;
  limits.wall_seconds = kRuns;
  const Serve serve = [](const std::string& request) -> std::string {
    if (request == "wait") return spin();
    usleep(useconds_t(kRuns * 0.6e6));
    return "slept";
  };
  Asking asking(limits, serve, 2);
  asking.pool.start(0, "wait");
  usleep(useconds_t(kRuns * 0.7e6));
  asking.pool.start(1, "sleep");  // is interrupted by the end of the other, and begun again
  const std::vector<Outcome> outcomes = outcomes_of(asking, 2);
  CHECK(outcomes[0].failure == "time limit");
  CHECK(outcomes[1].failure == "");
  CHECK(outcomes[1].result == "slept");
}

TEST_CASE("executor: a request whose worker was killed from outside is begun again") {
  Shared* shared = Shared::make();
  const Serve killed = [shared](const std::string&) -> std::string {
    if (++shared->count <= 2) raise(SIGKILL);
    return "fine";
  };
  Asking asking({}, killed);
  const pid_t worker = asking.pid();
  CHECK(asking.result("kill") == "fine");
  CHECK(shared->count == 3);
  CHECK(asking.pid() != worker);
  Shared::free(shared);
}

TEST_CASE("executor: limits of a worker that lives on are those of a request") {
  Limits limits;
  limits.wall_seconds = kRuns;
  const Serve sleeps = [](const std::string& request) {
    usleep(useconds_t(std::stod(request) * 1e6));
    return std::string("slept");
  };
  Asking asking(limits, sleeps);
  const pid_t worker = asking.pid();
  for (int i = 0; i < 3; ++i) CHECK(asking.result(fmt::format("{}", 0.6 * kRuns)) == "slept");
  CHECK(asking.pid() == worker);
  CHECK(asking.ask("spin").failure == "time limit");
  CHECK(asking.pid() != worker);
  limits.cpu_seconds = 1;
  CHECK_THROWS_WITH_AS(Asking{limits}, doctest::Contains("no limit of its time"), Error);
}

TEST_CASE("executor: a worker that cannot be started leaves nothing open") {
  namespace fs = std::filesystem;
  auto open = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  Asking asking({}, {}, 8);
  const auto before = open();
  rlimit usual;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &usual) == 0);
  // Room for some of the pairs of sockets of eight requests, and for this count.
  const rlimit scarce{rlim_t(before + 8), usual.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &scarce) == 0);
  CHECK_THROWS_WITH_AS(asking.pool.start(1, "pid"), doctest::Contains("cannot be started"), Error);
  const auto after = open();
  REQUIRE(setrlimit(RLIMIT_NOFILE, &usual) == 0);
  CHECK(after == before);
  CHECK(asking.result("fine") == "fine");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("executor: the memory of a worker that lives on is counted from each request") {
  Limits limits;
  limits.memory_bytes = 64 << 20;
  const Serve takes = [](const std::string& request) {
    static std::vector<std::vector<char>> kept;
    kept.emplace_back(std::stoul(request) << 20, 'x');
    return std::string("taken");
  };
  Asking asking(limits, takes);
  for (int i = 0; i < 3; ++i) CHECK(asking.result("40") == "taken");
  // More than what earlier tests may have left free in this process.
  CHECK(asking.ask("400").failure == "out of memory");
  CHECK(asking.result("40") == "taken");
}
#endif
