#include "star/trial.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.h"
#include "core/file.h"
#include "core/safetensors.h"
#include "cpu/cpu.h"
#include "star/compiler.h"
#include "star/tasks.h"
#include "tests/temporary.h"

namespace star {
namespace {

SearchSettings tiny() {
  SearchSettings settings;
  settings.sizes = {.width = 8, .heads = 2, .vocab = 16, .seq = 16};
  settings.training.steps = 3;
  settings.training.batch = 2;
  settings.seed = settings.training.seed = 5;
  settings.validation_tokens = 160;
  return settings;
}

TaskData recall() { return TaskData(parse_task("recall:L=16"), 5); }

Evaluation held(const std::string& genome, const Recipe& recipe, double steps) {
  Evaluation e;
  e.genome = genome;
  e.recipe = recipe;
  e.metrics["steps"] = steps;
  return e;
}

// How often its work was asked for is seen from what comes back.
Evaluation echo(const Trial& trial) {
  if (trial.genome == "51111") throw Error("no such luck");
  return held(trial.genome, trial.recipe, double(trial.training.steps));
}

}  // namespace

TEST_CASE("trial: a candidate's is the same model, data and judgement, whoever trains it") {
  const SearchSettings settings = tiny();
  const TaskData data = recall();
  const Trial trial = candidate_trial(settings, "11111-91111");
  CHECK(trial.recipe == "search");
  const Evaluation e = evaluate(trial, data);
  REQUIRE(e.ok());
  // The same by hand.
  Exec exec(cpu_backend(), 1);
  Pool pool = paper_pool();
  Backbone model(&exec, compile(parse(trial.genome, pool), pool), settings.sizes, DType::f32, 5);
  train(exec, model, data, settings.training);
  CHECK(e.metrics.at("quality") ==
        judge(exec, model, data, Split::validation, {.tokens = 160}).loss);
  CHECK(e.metrics.at("quality") != judge(exec, model, data, Split::validation).loss);
  CHECK(e.metrics.at("targets") > 0);
  CHECK(e.metrics.at("standard_error") > 0);
  CHECK(e.metrics.count("bpb") == 0);  // tokens of a task are no bytes
  CHECK(e.metrics.at("params") == double(model.parameter_count()));
  CHECK(e.metrics.count("test_quality") == 0);
  Trial tested = trial;
  tested.test = true;
  const Evaluation t = evaluate(tested, data);
  CHECK(t.metrics.at("quality") == e.metrics.at("quality"));
  CHECK(t.metrics.at("test_quality") == judge(exec, model, data, Split::test).loss);
  CHECK(t.metrics.at("test_quality") != t.metrics.at("quality"));
}

TEST_CASE("trial: a recipe of the search says how far, and from which seed") {
  SearchSettings settings = tiny();
  settings.training.steps = 40;
  settings.rungs = {10, 20};
  const Trial whole = candidate_trial(settings, "91111");
  CHECK(whole.until == 0);
  CHECK(whole.to + whole.from == "");
  const Trial first = candidate_trial(settings, "91111", Recipe::at_rung(10), "/f"),
              second = candidate_trial(settings, "91111", "search:rung=20", "/f"),
              last = candidate_trial(settings, "91111", Recipe(), "/f"),
              other = candidate_trial(settings, "91111", Recipe::of_seed(2), "/f");
  CHECK(first.until == 10);
  CHECK(first.from == "");
  CHECK(first.to == state_file("/f", "91111", 10));
  CHECK(second.until == 20);
  CHECK(second.from == first.to);
  CHECK(last.from == second.to);
  CHECK(last.to == "");
  CHECK(last.seed == settings.seed);
  CHECK(other.until == 0);
  CHECK(other.from + other.to == "");
  CHECK(other.seed == settings.seed + 2);
  CHECK(other.training.seed == settings.training.seed + 2);
  for (const char* wrong : {"", "final", "search:rung=", "search:rung=0", "search:seed=x"})
    CHECK_THROWS_WITH_AS(candidate_trial(settings, "91111", wrong), doctest::Contains("recipe"),
                         Error);
}

TEST_CASE("trial: what goes on from a rung comes to the bits of what never stopped") {
  TemporaryFolder folder;
  SearchSettings settings = tiny();
  settings.training.steps = 30;
  settings.rungs = {4, 7};
  const TaskData data = recall();
  const std::string genome = "11111-91111", states = folder.path.string();
  auto by = [&](const SearchSettings& s, const Recipe& recipe, const std::string& in) {
    return evaluate(candidate_trial(s, genome, recipe, in), data);
  };
  const Evaluation whole = by(settings, Recipe(), "");
  CHECK(whole.metrics.at("rung:4") != whole.metrics.at("rung:7"));
  auto same = [&](const Evaluation& e) {
    CHECK(e.failure == "");
    CHECK(e.metrics == whole.metrics);
    CHECK(e.curve == whole.curve);
  };
  const Evaluation at4 = by(settings, Recipe::at_rung(4), states);
  CHECK(at4.metrics.at("rung:4") == whole.metrics.at("rung:4"));
  CHECK(at4.metrics.count("rung:7") + at4.metrics.count("quality") == 0);
  CHECK(at4.metrics.at("params") == whole.metrics.at("params"));
  CHECK(at4.curve.size() == 4);
  const Evaluation at7 = by(settings, Recipe::at_rung(7), states);
  CHECK(at7.metrics.at("rung:7") == whole.metrics.at("rung:7"));
  CHECK(at7.metrics.at("rung:4") == whole.metrics.at("rung:4"));
  same(by(settings, Recipe(), states));

  // The file is what it goes on from: another training, under the same name, would show.
  const std::string path = state_file(states, genome, 7);
  const std::string kept = read_file(path);
  const SafeTensors file = SafeTensors::open(path);
  const std::string training = file.metadata().at("training");
  auto state = load_training_state(path, training);
  REQUIRE(state);
  state->values[0] += 1;
  save_training_state(path, training, *state);
  CHECK(by(settings, Recipe(), states).metrics != whole.metrics);
  // Under other settings it is another training, and not gone on from.
  SearchSettings other = settings;
  other.training.learning_rate *= 2;
  CHECK(by(other, Recipe(), states).metrics == by(other, Recipe(), "").metrics);
  // Damaged or missing, it is trained from the start.
  const std::string damaged = kept.substr(0, kept.size() / 2);
  const std::string_view piece = damaged;
  write_file(path, {&piece, 1});
  same(by(settings, Recipe(), states));
  std::filesystem::remove(path);
  same(by(settings, Recipe(), states));
  // Where there is no folder, none is made.
  CHECK(by(settings, Recipe::at_rung(7), folder.file("none")).metrics == at7.metrics);
  CHECK_FALSE(std::filesystem::exists(folder.file("none")));
  // Another seed begins elsewhere.
  const Evaluation second = by(settings, Recipe::of_seed(1), states);
  CHECK(second.metrics.at("quality") != whole.metrics.at("quality"));
  CHECK(second.metrics.at("params") == whole.metrics.at("params"));
}

TEST_CASE("trial: seed, steps, sizes and repetition count, and the recipe says each") {
  const TaskData data = recall();
  Trial trial = candidate_trial(tiny(), "11111-91111");
  CHECK(recipe_of(trial) == "width=8,heads=2,repeat=1,steps=3,batch=2,lr=0.01,seed=5");
  std::vector<Trial> others(7, trial);
  others[0].seed = 6;
  others[1].training.steps = 4;
  others[2].sizes.width = 16;
  others[3].repeat = 2;
  others[4].training.learning_rate = 0.02;
  others[5].training.batch = 3;
  others[6].repeat = 2;
  others[6].stretch = true;
  const double quality = evaluate(trial, data).metrics.at("quality");
  for (const Trial& other : others) {
    INFO(recipe_of(other).text());
    CHECK(recipe_of(other) != recipe_of(trial));
    CHECK(evaluate(other, data).metrics.at("quality") != quality);
  }
  CHECK(recipe_of(others[6]) == "width=8,heads=2,stretch=2,steps=3,batch=2,lr=0.01,seed=5");
  CHECK(recipe_of(others[6]) != recipe_of(others[3]));
  CHECK(evaluate(others[6], data).metrics.at("quality") !=
        evaluate(others[3], data).metrics.at("quality"));
  others[6].repeat = 1;  // then the two are one
  CHECK(recipe_of(others[6]) == recipe_of(trial));
  CHECK(cost_of(others[1]) == doctest::Approx(cost_of(trial) * 4 / 3));
  CHECK(cost_of(others[3]) > cost_of(trial));
  others[2].sizes.heads = 3;
  CHECK(cost_of(others[2]) == 0);
}

TEST_CASE("trial: what a worker sends comes back whole") {
  Evaluation e;
  e.metrics = {{"quality", 1.0 / 3}, {"params", 1e15}, {"nothing", std::nan("")}};
  e.curve = {{1, 5.5}, {2, 0.1}};
  const Evaluation back = evaluation_of({to_text(e), "", 2.5});
  CHECK(back.ok());
  CHECK(back.seconds == 2.5);
  CHECK(back.metrics.at("quality") == 1.0 / 3);
  CHECK(std::isnan(back.metrics.at("nothing")));
  CHECK(back.curve.size() == 2);
  CHECK(back.curve[1].loss == 0.1);
  e.failure = "diverged at step 3";
  CHECK(evaluation_of({to_text(e), "", 0}).failure == "diverged at step 3");
  CHECK(evaluation_of({"", "time limit", 1}).failure == "time limit");
}

TEST_CASE("trial: the run file is asked first, and keeps what has ended") {
  TemporaryFolder folder;
  RunFile file = RunFile::create(folder.file("a.run"), settings_to_json(tiny()));
  Trial a = candidate_trial(tiny(), "11111"), b = candidate_trial(tiny(), "21111");
  a.recipe = b.recipe = "longer";
  b.training.steps = 7;
  file.record(held("11111", "longer", 99));
  file.record(held("21111", "search", 98));
  std::vector<std::pair<int64_t, int64_t>> seen;
  TrialOptions options{.workers = 2};
  options.progress = [&](int64_t done, int64_t total) { seen.push_back({done, total}); };
  auto got = run_trials(file, {a, b, a, b}, echo, options);
  REQUIRE(got);
  REQUIRE(got->size() == 4);
  CHECK((*got)[0].metrics.at("steps") == 99);  // held
  CHECK((*got)[1].metrics.at("steps") == 7);   // worked on, once for both
  CHECK((*got)[2].metrics.at("steps") == 99);
  CHECK((*got)[3].metrics.at("steps") == 7);
  CHECK(seen == std::vector<std::pair<int64_t, int64_t>>{{1, 2}, {2, 2}});
  CHECK(file.evaluation("21111", "longer")->metrics.at("steps") == 7);
  CHECK(file.evaluation("21111", "search")->metrics.at("steps") == 98);
}

TEST_CASE("trial: failures are kept, and tried again when that is wanted") {
  TemporaryFolder folder;
  RunFile file = RunFile::create(folder.file("a.run"), settings_to_json(tiny()));
  const std::vector<Trial> trials = {candidate_trial(tiny(), "51111")};
  auto got = run_trials(file, trials, echo, {});
  CHECK((*got)[0].failure == "no such luck");
  auto well = [](const Trial& t) { return held(t.genome, t.recipe, 1); };
  CHECK((*run_trials(file, trials, well, {}))[0].failure == "no such luck");
  CHECK((*run_trials(file, trials, well, {.retry = true}))[0].ok());
  CHECK((*run_trials(file, trials, echo, {.retry = true}))[0].ok());  // now it is held
}

TEST_CASE("trial: an interruption loses what is in flight and nothing else") {
  TemporaryFolder folder;
  RunFile file = RunFile::create(folder.file("a.run"), settings_to_json(tiny()));
  const std::vector<Trial> trials = {candidate_trial(tiny(), "11111"),
                                     candidate_trial(tiny(), "21111")};
  int64_t ended = 0;
  TrialOptions options;
  options.progress = [&](int64_t done, int64_t) { ended = done; };
  options.interrupted = [&] { return ended == 1; };
  CHECK_FALSE(run_trials(file, trials, echo, options));
  CHECK(file.evaluations().size() == 1);
  options.interrupted = {};
  CHECK(run_trials(file, trials, echo, options)->size() == 2);
  CHECK(file.evaluations().size() == 2);
}

}  // namespace star
