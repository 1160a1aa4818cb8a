// Replays of searches on a model of recordings that were made up.
#include "tools/experiments/replay.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <cmath>

#include "core/rng.h"
#include "star/statistics.h"
#include "star/variation.h"
#include "tests/temporary.h"

namespace star::experiments {
namespace {

void write_gz(const std::string& path, const std::string& text) {
  gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(file);
  gzwrite(file, text.data(), unsigned(text.size()));
  gzclose(file);
}

constexpr double kOwn = 0.05, kNoise = 0.1;

// Gated units help; the loss on the way is higher by one, and the noise the same.
double planted(const std::string& genome) {
  double units = 0;
  for (auto& s : parse(genome, extended_pool()).segments) units += s.liv == '9';
  return 3 - 0.3 * units + kOwn * Rng(hash_text(genome), "test.own").normal();
}

Recordings made_up(int genomes) {
  Recordings table{{30}, {}};
  Rng rng(1, "test.replay");
  for (int i = 0; i < genomes; ++i) {
    const std::string genome = to_text(random_genome(rng, paper_pool(), 4));
    for (uint64_t seed = 0; seed < (i < 60 ? 3u : 1u); ++seed) {
      const double y = planted(genome) + kNoise * rng.normal();
      table.rows.push_back({genome, seed, {y + 1, y}});
    }
  }
  return table;
}

SearchSettings small_settings() {
  SearchSettings s;
  s.task = "recall";
  s.population = 8;
  s.generations = 4;
  s.min_depth = s.max_depth = 4;
  s.sizes = {16, 2, 16, 8, 4};
  return s;
}

}  // namespace

TEST_CASE("experiments: a table is read as it was written, and what is none is named by its line") {
  TemporaryFolder folder;
  const std::string path = folder.file("t.tsv.gz");
  write_gz(path, "genome\tseed\t10\t20\tquality\n11111\t3\t2.5\t2.25\t2\n91111\t0\t1\t1\t1\n");
  const Recordings table = read_recordings(path);
  CHECK(table.steps == std::vector<int64_t>{10, 20});
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].genome == "11111");
  CHECK(table.rows[0].seed == 3);
  CHECK(table.rows[0].losses == std::vector<double>{2.5, 2.25, 2});
  for (auto [text, place] : {std::pair{"", "line 1"},
                             {"genome seed quality\n", "line 1"},
                             {"genome seed x quality\n", "line 1"},
                             {"genome seed 10 quality\n", "no recordings"},
                             {"genome seed 10 quality\n11111 0 1\n", "line 2"},
                             {"genome seed 10 quality\n11111 0 1 2\n11111 -1 1 2\n", "line 3"},
                             {"genome seed 10 quality\n11111 0 1 nan\n", "line 2"}}) {
    write_gz(path, text);
    CHECK_THROWS_WITH_AS(read_recordings(path), doctest::Contains(place), Error);
  }
  CHECK_THROWS_WITH_AS(read_recordings(folder.file("none")), doctest::Contains("cannot be read"),
                       Error);
}

TEST_CASE("experiments: a model tells what is a genome's from what is a seed's") {
  const Sizes sizes = small_settings().sizes;
  const LossModel model(made_up(400), {30}, sizes);
  REQUIRE(model.fit().size() == 2);
  for (auto& fit : model.fit()) {
    CHECK(fit.tau > 0.5);
    CHECK(fit.noise == doctest::Approx(kNoise).epsilon(0.15));
  }
  Rng rng(5, "test.replay.genomes");
  std::vector<double> off, noise;
  for (int i = 0; i < 200; ++i) {
    const std::string genome = to_text(random_genome(rng, paper_pool(), 4));
    off.push_back(model.expected(genome)[1] - planted(genome));
    CHECK(model.expected(genome)[0] - model.expected(genome)[1] == doctest::Approx(1).epsilon(0.2));
    CHECK(model.losses(genome, 1) == model.losses(genome, 1));
    noise.push_back(model.losses(genome, 1)[1] - model.losses(genome, 2)[1]);
  }
  CHECK(spread_of(off).deviation < 0.25);
  CHECK(spread_of(noise).deviation == doctest::Approx(kNoise * std::sqrt(2.0)).epsilon(0.2));
  CHECK_THROWS_WITH_AS(LossModel(made_up(400), {40}, sizes), doctest::Contains("step 40"), Error);
  CHECK_THROWS_WITH_AS(LossModel(made_up(10), {30}, sizes), doctest::Contains("too few"), Error);
}

TEST_CASE("experiments: a replay is a search, and counts the steps of its trainings") {
  SearchSettings s = small_settings();
  const LossModel model(made_up(400), {30}, s.sizes);
  s.rungs = {30};
  const auto all = replay(model, s);
  REQUIRE(all.size() == 4);
  for (size_t g = 0; g < all.size(); ++g) {
    CHECK(all[g].steps == double(8 * (g + 1) * 150));
    if (g > 0) CHECK(all[g].hypervolume >= all[g - 1].hypervolume);
  }
  CHECK(all.back().best < 3);
  CHECK(replay(model, s).back().truth == all.back().truth);
  s.keep = 0.5;
  const auto half = replay(model, s);
  CHECK(half.back().steps == double(4 * (8 * 150 + 8 * 30)));
}

TEST_CASE("experiments: between generations what was found is interpolated") {
  const std::vector<ReplayPoint> points = {{100, 0, 0.2, 0}, {200, 0, 0.4, 0}, {300, 0, 0.4, 0}};
  CHECK(truth_at(points, 50) == doctest::Approx(0.1));
  CHECK(truth_at(points, 150) == doctest::Approx(0.3));
  CHECK(truth_at(points, 900) == doctest::Approx(0.4));
  CHECK(steps_to(points, 0.3) == doctest::Approx(150));
  CHECK(steps_to(points, 0.4) == doctest::Approx(200));
  CHECK(std::isinf(steps_to(points, 0.5)));
}

}  // namespace star::experiments
