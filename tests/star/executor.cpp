// Every way in which a job can fail really happens here.
#include "star/executor.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <map>
#include <set>
#include <stdexcept>
#include <thread>

#include "core/error.h"
#include "tests/star/shared.h"

using namespace star;

using namespace star::synthesis;

namespace {

// So that a job that should have been killed does not outlive a test that fails.
Limits bounded() {
  Limits limits;
  limits.cpu_seconds = 20;
  return limits;
}

Outcome run_one(const Work& work, const Limits& limits = {}) {
  WorkerPool pool(limits);
  pool.start(7, work);
  CHECK(pool.running() == 1);
  auto finished = pool.wait();
  CHECK(finished.job == 7);
  CHECK(pool.running() == 0);
  CHECK(finished.outcome.ok() == finished.outcome.failure.empty());
  if (!finished.outcome.ok()) CHECK(finished.outcome.result.empty());
  return finished.outcome;
}

std::string failure_of(const Work& work, const Limits& limits = {}) {
  return run_one(work, limits).failure;
}

}  // namespace

TEST_CASE("executor: results of any size and content come back") {
  for (size_t bytes : {size_t(0), size_t(1), size_t(65535), size_t(65536), size_t(20'000'000)}) {
    auto make = [bytes] {
      std::string text(bytes, '\0');
      for (size_t i = 0; i < bytes; ++i) text[i] = char(i * 2654435761u >> 13);
      return text;
    };
    auto outcome = run_one(make);
    CHECK(outcome.ok());
    CHECK(outcome.result == make());
  }
}

TEST_CASE("executor: each kind of failure is told apart") {
  CHECK(failure_of([]() -> std::string { fail("loss is {}", "NaN"); }) == "loss is NaN");
  CHECK(failure_of([]() -> std::string { throw std::runtime_error(""); }) != "");
  CHECK(has(failure_of([]() -> std::string { throw 42; }), "unknown type"));
  CHECK(failure_of([]() -> std::string { throw std::bad_alloc(); }) == "out of memory");
  CHECK(has(failure_of([]() -> std::string {
              raise(SIGSEGV);
              return "";
            }),
            "SIGSEGV"));
  CHECK(has(failure_of([]() -> std::string { abort(); }), "SIGABRT"));
  CHECK(has(failure_of([]() -> std::string { _exit(3); }), "exit status 3"));
  CHECK(has(failure_of([]() -> std::string { _exit(0); }), "without a result"));
}

// The sanitizers make a report of their own of the wild store, and reserve all address space.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("executor: a wild store is a failed job") {
  auto page = mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  CHECK(has(failure_of([page]() -> std::string {
              *static_cast<volatile char*>(page) = 1;
              return "";
            }),
            "SIGSEGV"));
  munmap(page, 1);
}

TEST_CASE("executor: memory is bounded, counted from what the caller has") {
  Limits limits;
  limits.memory_bytes = 64 << 20;
  auto take = [](size_t bytes) {
    return [bytes]() -> std::string {
      std::string text(bytes, 'x');
      return std::to_string(text.size());
    };
  };
  CHECK(failure_of(take(200 << 20), limits) == "out of memory");
  CHECK(run_one(take(200 << 20)).ok());
  std::string mine(100 << 20, 'x');
  CHECK(run_one(take(16 << 20), limits).ok());
  CHECK(mine.size() == 100 << 20);
}
#endif

TEST_CASE("executor: processor time is bounded") {
  Limits limits;
  limits.cpu_seconds = 1;
  CHECK(failure_of(spin, limits) == "time limit");
  // A job that will not hear of it is ended all the same.
  CHECK(failure_of(
            []() -> std::string {
              signal(SIGPROF, SIG_IGN);
              signal(SIGXCPU, SIG_IGN);
              return spin();
            },
            limits) == "time limit");
}

// Spins until it has used so much processor time.
std::string work_for(double seconds) {
  while (double(clock()) / CLOCKS_PER_SEC < seconds) {
  }
  return "done";
}

TEST_CASE("executor: a limit of processor time is kept to a part of a second") {
  Limits limits;
  for (double seconds : {1e-9, 0.05, 0.5}) {
    limits.cpu_seconds = seconds;
    CHECK(failure_of([] { return work_for(0.9); }, limits) == "time limit");
  }
  CHECK(run_one([] { return work_for(0.2); }, limits).result == "done");
  limits.cpu_seconds = 1.5;
  CHECK(run_one([] { return work_for(1.1); }, limits).result == "done");
#if !defined(__SANITIZE_THREAD__)  // which allows no threads after a fork
  // Of all threads together.
  limits.cpu_seconds = 0.3;
  CHECK(failure_of(
            []() -> std::string {
              std::thread other([] { spin(); });
              return spin();
            },
            limits) == "time limit");
#endif
}

TEST_CASE("executor: a job that waits for ever ends at its wall time") {
  Limits limits;
  limits.wall_seconds = 0.2;
  CHECK(failure_of(
            []() -> std::string {
              while (true) pause();
            },
            limits) == "time limit");
}

// As long as the jobs of the next cases may run, and for how long they are stopped.
constexpr double kRuns = 2, kStopped = 3;

void sleep_for(double seconds) { usleep(useconds_t(seconds * 1e6)); }

TEST_CASE("executor: time in which somebody has stopped a job does not count") {
  Shared* shared = Shared::make();
  Limits limits = bounded();
  limits.wall_seconds = kRuns;
  WorkerPool pool(limits);
  auto until_told = [&]() -> std::string {
    shared->pid = getpid();
    while (shared->flag == 0) usleep(1000);
    return "fine";
  };
  pool.start(0, until_told);
  while (shared->pid == 0) {
  }
  // The pool goes on looking at its worker meanwhile.
  kill(shared->pid, SIGSTOP);
  const time_t begin = time(nullptr);
  auto over = [&] { return double(time(nullptr) - begin) > kStopped; };
  CHECK(pool.wait(over).job == -1);
  shared->flag = 1;
  kill(shared->pid, SIGCONT);
  const Outcome outcome = pool.wait().outcome;
  CHECK(outcome.failure == "");
  CHECK(outcome.result == "fine");
  CHECK(outcome.seconds < kRuns);
  Shared::free(shared);
}

TEST_CASE("executor: time in which the supervisor stood still does not count") {
  for (bool group : {false, true}) {
    Shared* shared = Shared::make();
    pid_t supervisor = fork();
    REQUIRE(supervisor >= 0);
    if (supervisor == 0) {
      setpgid(0, 0);
      Limits limits = bounded();
      limits.wall_seconds = kRuns;
      WorkerPool pool(limits);
      pool.start(0, [&]() -> std::string {
        shared->pid = getpid();
        while (shared->flag == 0) usleep(1000);
        return "fine";
      });
      const Outcome outcome = pool.wait().outcome;
      _exit(outcome.result == "fine" && outcome.seconds < kRuns ? 0 : 1);
    }
    while (shared->pid == 0) {
    }
    kill(group ? -supervisor : supervisor, SIGSTOP);
    sleep_for(kStopped);
    kill(group ? -supervisor : supervisor, SIGCONT);
    sleep_for(0.3);  // in which the supervisor looks, and the job must not be over yet
    shared->flag = 1;
    int status = 0;
    waitpid(supervisor, &status, 0);
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(WIFEXITED(status));
    Shared::free(shared);
  }
}

TEST_CASE("executor: pauses of the pool leave alone who was stopped by somebody else") {
  Shared* shared = Shared::make();
  WorkerPool pool(bounded());
  pool.start(0, [&]() -> std::string {
    shared->pid = getpid();
    while (shared->flag == 0) ++shared->count;
    return "fine";
  });
  while (shared->pid == 0) {
  }
  kill(shared->pid, SIGSTOP);
  int looks = 5;
  pool.wait([&] { return looks-- == 0; });
  pool.pause();
  pool.resume();
  const int before = shared->count;
  looks = 5;
  pool.wait([&] { return looks-- == 0; });
  CHECK(shared->count == before);
  shared->flag = 1;
  kill(shared->pid, SIGCONT);
  CHECK(pool.wait().outcome.result == "fine");
  Shared::free(shared);
}

TEST_CASE("executor: a job whose worker was killed from outside is begun again") {
  for (int kills : {1, 3, 4}) {
    Shared* shared = Shared::make();
    std::map<int, Outcome> outcomes;
    std::vector<double> costs{2, 1};
    auto work = [&](int job) -> std::string {
      if (job == 0) {
        ++shared->count;
        shared->pid = getpid();
        return shared->count > kills ? "fine" : spin();
      }
      for (int i = 0; i < kills; ++i) {
        while (shared->pid == 0) {
        }
        kill(shared->pid.exchange(0), SIGKILL);
      }
      return "fine";
    };
    CHECK(
        run_jobs(costs, 2, bounded(), work, [&](int job, const Outcome& o) { outcomes[job] = o; }));
    REQUIRE(outcomes.size() == 2);
    CHECK(outcomes[1].result == "fine");
    // Three times is enough: what the kernel kills for its memory would be killed for ever.
    CHECK(shared->count == std::min(kills + 1, 4));
    if (kills < 4) {
      CHECK(outcomes[0].result == "fine");
    } else {
      CHECK(has(outcomes[0].failure, "SIGKILL"));
    }
    Shared::free(shared);
  }
}

TEST_CASE("executor: a worker killed while it stands still is begun again when it would go on") {
  Shared* shared = Shared::make();
  WorkerPool pool(bounded());
  pool.start(0, [&]() -> std::string {
    shared->pid = getpid();
    return ++shared->count > 1 ? "second" : spin();
  });
  while (shared->pid == 0) {
  }
  pool.pause();
  kill(shared->pid, SIGKILL);
  pool.start(1, [] {
    usleep(200'000);  // long enough for a restart, were there one
    return "alone";
  });
  CHECK(pool.wait().outcome.result == "alone");
  CHECK(shared->count == 1);
  pool.resume();
  CHECK(pool.wait().outcome.result == "second");
  Shared::free(shared);
}

TEST_CASE("executor: all jobs run once, the dearest first, never more than the workers at a time") {
  Shared* shared = Shared::make();
  std::vector<double> costs{1, 5, 3, 5, 2, 0, 4};
  for (int workers : {1, 3, 20}) {
    shared->flag = 0;   // so many may end
    shared->count = 0;  // running now
    std::vector<int> finished;
    auto work = [&](int job) {
      ++shared->count;
      for (int may = 0; may == 0 || !shared->flag.compare_exchange_weak(may, may - 1);) {
        usleep(1000);
        may = shared->flag;
      }
      --shared->count;
      return std::to_string(job * job);
    };
    auto done = [&](int job, const Outcome& outcome) {
      CHECK(outcome.result == std::to_string(job * job));
      finished.push_back(job);
    };
    // Nobody ends until as many run as may, and were more started, they would run now.
    int most = 0, looks = 0;
    auto look = [&] {
      const int now = shared->count, may = std::min(workers, int(costs.size() - finished.size()));
      most = std::max(most, now);
      if (shared->flag == 0 && now >= may && ++looks % 4 == 0) shared->flag = 1;
      return false;
    };
    CHECK(run_jobs(costs, workers, {}, work, done, look));
    CHECK(std::set<int>(finished.begin(), finished.end()).size() == costs.size());
    CHECK(finished.size() == costs.size());
    CHECK(most == std::min(workers, int(costs.size())));
    if (workers == 1) CHECK(finished == std::vector<int>{1, 3, 6, 2, 4, 0, 5});
  }
  CHECK(run_jobs(
      {}, 2, {}, [](int) { return ""; }, [](int, const Outcome&) {}));
  CHECK_THROWS_WITH_AS(run_jobs(costs, 0, {}, [](int) { return ""; }, {}),
                       doctest::Contains("0 workers"), Error);
  Shared::free(shared);
}

TEST_CASE("executor: an interrupt starts nothing more and kills what runs") {
  Shared* shared = Shared::make();
  std::vector<double> costs(10, 1.0);
  int done = 0;
  auto work = [&](int) -> std::string {
    shared->pid = getpid();
    ++shared->count;
    return spin();
  };
  bool complete = run_jobs(
      costs, 2, bounded(), work, [&](int, const Outcome&) { ++done; },
      [&] { return shared->count > 0; });
  CHECK_FALSE(complete);
  CHECK(done == 0);
  CHECK(shared->count <= 2);
  // It is killed and reaped: there is no such process, nor a child to wait for.
  CHECK(kill(shared->pid, 0) == -1);
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
  Shared::free(shared);
}

TEST_CASE("executor: an exception of the caller leaves no worker behind") {
  auto work = [](int job) -> std::string { return job == 0 ? "fine" : spin(); };
  auto done = [](int, const Outcome&) { fail("disk full"); };
  CHECK_THROWS_WITH(run_jobs(std::vector<double>{2, 1, 1}, 3, bounded(), work, done), "disk full");
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("executor: workers ignore what the terminal sends, and none of the caller's handlers") {
  auto old = signal(SIGUSR1, SIG_IGN);
  CHECK(run_one([]() -> std::string {
          raise(SIGINT);
          raise(SIGTERM);
          raise(SIGHUP);
          return "fine";
        }).result == "fine");
  CHECK(has(failure_of([]() -> std::string {
              raise(SIGUSR1);
              return "";
            }),
            "SIGUSR1"));
  signal(SIGUSR1, old);
}

TEST_CASE("executor: paused jobs stand still while another runs") {
  Shared* shared = Shared::make();
  WorkerPool pool(bounded());
  pool.start(0, [&]() -> std::string {
    shared->pid = getpid();
    while (shared->flag == 0) {
    }
    return "slow";
  });
  while (shared->pid == 0) {
  }
  pool.pause();
  CHECK_THROWS_WITH_AS(pool.wait(), doctest::Contains("are paused: none can end"), Error);
  pool.start(1, [&]() -> std::string {
    // The third field of the status is the state: T when stopped.
    char state = '?';
    while (state != 'T') {
      std::FILE* file = std::fopen(fmt::format("/proc/{}/stat", shared->pid.load()).c_str(), "r");
      if (!file || std::fscanf(file, "%*d (%*[^)]) %c", &state) != 1) fail("no status");
      std::fclose(file);
    }
    shared->flag = 1;
    return "alone";
  });
  auto first = pool.wait();
  CHECK(first.job == 1);
  CHECK(first.outcome.result == "alone");
  pool.resume();
  auto second = pool.wait();
  CHECK(second.job == 0);
  CHECK(second.outcome.result == "slow");
  CHECK(pool.wait().job == -1);
  Shared::free(shared);
}

TEST_CASE("executor: workers die with their supervisor, however it ends") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  pid_t supervisor = fork();
  REQUIRE(supervisor >= 0);
  if (supervisor == 0) {
    WorkerPool pool(bounded());
    pool.start(0, [&]() -> std::string {
      if (write(ends[1], "x", 1) != 1) _exit(1);
      return spin();
    });
    pool.wait();
    _exit(0);
  }
  close(ends[1]);
  char byte;
  REQUIRE(read(ends[0], &byte, 1) == 1);
  kill(supervisor, SIGKILL);
  waitpid(supervisor, nullptr, 0);
  // The pipe ends when the last process that holds it has.
  pollfd end{ends[0], POLLIN, 0};
  REQUIRE(poll(&end, 1, 15'000) == 1);
  CHECK(read(ends[0], &byte, 1) == 0);
  close(ends[0]);
}
