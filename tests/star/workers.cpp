#include "star/workers.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "core/error.h"
#include "tests/star/shared.h"

using namespace star;

TEST_CASE("workers: what is asked is answered in another process") {
  LocalWorkers workers(
      2, {}, [&](const std::string& request) { return fmt::format("{} {}", request, getpid()); });
  CHECK(workers.count() == 2);
  workers.start(4, "a");
  workers.start(5, "b");
  CHECK(workers.running() == 2);
  CHECK_THROWS_WITH_AS(workers.start(6, "c"), doctest::Contains("workers are busy"), Error);
  for (int i = 0; i < 2; ++i) {
    WorkerPool::Finished finished = workers.wait({});
    CHECK(finished.outcome.result.substr(0, 2) == (finished.job == 4 ? "a " : "b "));
    CHECK(finished.outcome.result.substr(2) != fmt::format("{}", getpid()));
  }
  CHECK(workers.wait({}).job == -1);
  CHECK_THROWS_WITH_AS(LocalWorkers(0, {}, {}), doctest::Contains("0 workers"), Error);
}

TEST_CASE("workers: one alone has the machine to itself, then the others go on") {
  Shared* shared = Shared::make();
  LocalWorkers workers(1, {}, [&](const std::string& request) -> std::string {
    if (request == "counts") {
      while (shared->flag == 0) ++shared->count;
      return "counted";
    }
    // The other one moves only if it was not stopped.
    int before = shared->count;
    usleep(50'000);
    return fmt::format("{}", shared->count - before);
  });
  workers.start(0, "counts");
  while (shared->count == 0) {
  }
  auto outcome = workers.alone("watches", {});
  REQUIRE(outcome);
  CHECK(outcome->result == "0");
  int before = shared->count;
  while (shared->count == before) {
  }
  shared->flag = 1;
  CHECK(workers.wait({}).outcome.result == "counted");
  Shared::free(shared);
}

TEST_CASE("workers: one alone can be interrupted") {
  LocalWorkers workers(1, {}, [](const std::string&) -> std::string {
    pause();
    return "";
  });
  CHECK_FALSE(workers.alone("waits for ever", [] { return true; }));
  CHECK(workers.running() == 0);
}
