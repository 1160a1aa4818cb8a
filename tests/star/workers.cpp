#include "star/workers.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "core/error.h"
#include "tests/star/shared.h"

using namespace star;

using namespace star::synthesis;

TEST_CASE("workers: what is asked is answered in another process") {
  LocalWorkers workers(2, {}, [&](const Request& request) {
    return fmt::format("{} {}", request.genome, getpid());
  });
  CHECK(workers.count() == 2);
  workers.start(4, {.genome = "a"});
  workers.start(5, {.genome = "b"});
  CHECK(workers.running() == 2);
  CHECK_THROWS_WITH_AS(workers.start(6, {.genome = "c"}), doctest::Contains("workers are busy"),
                       Error);
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
  LocalWorkers workers(1, {}, [&](const Request& request) -> std::string {
    if (request.genome == "counts") {
      while (shared->flag == 0) ++shared->count;
      return "counted";
    }
    // The other one moves only if it was not stopped.
    int before = shared->count;
    usleep(50'000);
    return fmt::format("{}", shared->count - before);
  });
  workers.start(0, {.genome = "counts"});
  while (shared->count == 0) {
  }
  auto outcome = workers.alone({.genome = "watches"}, {});
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
  LocalWorkers workers(1, {}, [](const Request&) -> std::string {
    pause();
    return "";
  });
  CHECK_FALSE(workers.alone({.genome = "waits for ever"}, [] { return true; }));
  CHECK(workers.running() == 0);
}
