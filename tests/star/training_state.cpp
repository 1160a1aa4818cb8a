#include "star/training_state.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.h"
#include "core/file.h"
#include "tests/temporary.h"

namespace star::synthesis {
namespace {

TrainingState small_state() {
  TrainingState s;
  s.values = {1.5, -0.25, 3e-8f};
  s.first = {0, -1, 2};
  s.second = {4, 5, 6};
  s.updates = 2;
  s.losses = {{5.5, 64}, {0.1, 63}};
  return s;
}

void check_same(const TrainingState& a, const TrainingState& b) {
  CHECK(a.values == b.values);
  CHECK(a.first == b.first);
  CHECK(a.second == b.second);
  CHECK(a.updates == b.updates);
  REQUIRE(a.losses.size() == b.losses.size());
  for (size_t i = 0; i < a.losses.size(); ++i) {
    CHECK(a.losses[i].loss == b.losses[i].loss);
    CHECK(a.losses[i].targets == b.losses[i].targets);
  }
}

}  // namespace

TEST_CASE("training state: it comes back whole, for its training alone") {
  TemporaryFolder folder;
  const std::string path = folder.file("a.state");
  CHECK_FALSE(load_training_state(path, "this"));
  save_training_state(path, "this", small_state());
  const auto back = load_training_state(path, "this");
  REQUIRE(back);
  check_same(*back, small_state());
  CHECK_FALSE(load_training_state(path, "that"));
  CHECK_FALSE(load_training_state(folder.path.string(), "this"));
  CHECK_THROWS_AS(save_training_state(folder.file("none/a.state"), "this", {}), Error);
}

TEST_CASE("training state: whatever byte is changed or missing, it is as if there were none") {
  TemporaryFolder folder;
  const std::string path = folder.file("a.state");
  save_training_state(path, "this", small_state());
  const std::string whole = read_file(path);
  auto put = [&](const std::string& text) {
    const std::string_view piece = text;
    write_file(path, {&piece, 1});
  };
  int kept = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = char(changed[i] ^ 1);
    put(changed);
    const auto state = load_training_state(path, "this");
    // A space after the header may be another one.
    if (state) check_same(*state, small_state());
    kept += state.has_value();
    if (i % 7) continue;
    put(whole.substr(0, i));
    CHECK_FALSE(load_training_state(path, "this"));
  }
  CHECK(kept < 8);
}

}  // namespace star::synthesis
