// What a training step asks of a device, where the emulator can tell: memory, recordings, cuBLAS.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/graph.h"
#include "cuda/cublas.h"
#include "cuda/cuda.h"
#include "star/training_step.h"
#include "tests/star/counting.h"
#include "tests/temporary.h"

using namespace star;
using namespace star::synthesis;

namespace {

emulator::Memory& memory() { return emulator::Memory::device(); }

// Losses of so many steps, and the device's memory that they took beyond the model's.
struct Steps {
  std::vector<double> losses;
  size_t bytes;
};

// Each by a TrainingStep of its own, which has nothing to run again; or all by one.
Steps steps_of(int count, bool recorded, size_t most = SIZE_MAX) {
  Exec exec(cuda_backend());
  Backbone model = fresh(exec, "11111-91111-71111-91111");
  TrainingStep(exec, model).run(Counting().train_batch(0, 0, 4));  // cuBLAS is at work
  const size_t before = memory().used();
  if (most != SIZE_MAX) memory().limit(before + most);
  Steps steps = {};
  auto step = std::make_unique<TrainingStep>(exec, model);
  for (int i = 0; i < count; ++i) {
    if (!recorded) step = std::make_unique<TrainingStep>(exec, model);
    steps.losses.push_back(step->run(Counting().train_batch(0, i, 4)));
    steps.bytes = std::max(steps.bytes, memory().used() - before);
  }
  memory().limit(SIZE_MAX);
  return steps;
}

class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("cuda: a recorded step takes the memory of one that is not") {
  const Steps at_once = steps_of(4, false), recorded = steps_of(4, true);
  CHECK(recorded.losses == at_once.losses);
  // But for the slope of the last layer and the tokens, which a recording keeps.
  CHECK(recorded.bytes < 1.2 * double(at_once.bytes));
}

TEST_CASE("cuda: where there is no memory to record a step, it is computed as it comes") {
  const Steps at_once = steps_of(4, false), recorded = steps_of(4, true);
  REQUIRE(recorded.bytes > at_once.bytes);
  for (size_t bytes : {recorded.bytes - 1, at_once.bytes}) {
    const Steps with_less = steps_of(4, true, bytes);
    CHECK(with_less.losses == at_once.losses);
    CHECK(with_less.bytes <= bytes);
  }
  CHECK_THROWS_AS(steps_of(4, true, at_once.bytes - 1), std::bad_alloc);
  memory().limit(SIZE_MAX);
}

TEST_CASE("cuda: what breaks a recording is what is said of it") {
  Exec exec(cuda_backend());
  CHECK_THROWS_WITH_AS(Graph(exec, [&] { exec.wait(); }),
                       doctest::Contains("the host waits for a stream that records a graph"),
                       Error);
  Tensor x = exec.zeros({4}, DType::f32);
  Graph next(exec, [&] { exec.fill(x, 3); });
  next.run();
  CHECK(x.to_doubles() == std::vector<double>(4, 3.0));
}

TEST_CASE("cuda: products have memory of their own, from the first on") {
  cublasHandle_t bare = nullptr, own = cuda::Cublas::here().handle();
  REQUIRE(cublasCreate(&bare) == CUBLAS_STATUS_SUCCESS);
  const double zero = 0;
  CHECK_THROWS_WITH_AS(
      cublasDgemmStridedBatched(bare, CUBLAS_OP_N, CUBLAS_OP_N, 0, 0, 0, &zero, nullptr, 1, 0,
                                nullptr, 1, 0, &zero, nullptr, 1, 0, 0),
      doctest::Contains("without memory of its own"), Error);
  delete bare;
  CHECK(own->workspace != nullptr);
  CHECK(cuda::Cublas::here().handle() == own);
}

TEST_CASE("cuda: where cuBLAS is looked for") {
  TemporaryFolder folder;
  const std::string wheel =
      folder.path.string() + "/lib/python3.12/site-packages/nvidia/cublas/lib";
  std::filesystem::create_directories(wheel);
  for (const char* version : {"12", "13"})
    std::ofstream(fmt::format("{}/libcublas.so.{}", wheel, version)) << "none";
  Variable root("VIRTUAL_ENV", folder.path.string()), none("STAR_CUBLAS", "");
  const std::vector<std::string> places = cuda::cublas_places();
  auto place = [&](const std::string& of) {
    return std::find(places.begin(), places.end(), of) - places.begin();
  };
  REQUIRE(places.size() >= 4);
  CHECK(places[0] == "libcublas.so.13");
  CHECK(places[1] == "libcublas.so.12");
  CHECK(place(wheel + "/libcublas.so.13") < place(wheel + "/libcublas.so.12"));
  CHECK(place(wheel + "/libcublas.so.12") < std::ptrdiff_t(places.size()));
  Variable named("STAR_CUBLAS", "/somewhere/libcublas.so");
  CHECK(cuda::cublas_places() == std::vector<std::string>{"/somewhere/libcublas.so"});
}
