#include "star/store.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/error.h"
#include "core/file.h"
#include "core/rng.h"
#include "star/sqlite.h"
#include "tests/fault.h"
#include "tests/temporary.h"

using namespace star;

using namespace star::synthesis;
namespace fs = std::filesystem;

namespace {

// Counts what is left beside the run file.
struct Folder : TemporaryFolder {
  size_t count() const {
    return size_t(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
};

const double kOddNumbers[] = {0.0,
                              -0.0,
                              1.0,
                              -3.0,
                              0.1,
                              1e300,
                              9007199254740993.0,
                              5e-324,
                              std::numeric_limits<double>::max(),
                              std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity(),
                              std::numeric_limits<double>::quiet_NaN()};

bool same_bits(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

double random_number(Rng& rng) {
  if (rng.chance(0.3)) return kOddNumbers[rng.below(std::size(kOddNumbers))];
  return std::bit_cast<double>(uint64_t(rng.bits()) << 32 | rng.bits());
}

Evaluation random_evaluation(Rng& rng, const std::string& genome) {
  Evaluation e;
  e.genome = genome;
  if (rng.chance(0.3)) e.failure = "it's \"dead\"\n; DROP TABLE genomes";
  e.seconds = random_number(rng);
  for (uint32_t n = rng.below(6); n > 0; --n) e.metrics[fmt::format("m{}", n)] = random_number(rng);
  for (int64_t step = 0; step < int64_t(rng.below(20)); ++step)
    e.curve.push_back({step * 10, random_number(rng)});
  return e;
}

void check_same(const Evaluation& a, const Evaluation& b) {
  CHECK(a.genome == b.genome);
  CHECK(a.recipe == b.recipe);
  CHECK(a.failure == b.failure);
  CHECK(same_bits(a.seconds, b.seconds));
  REQUIRE(a.metrics.size() == b.metrics.size());
  for (const auto& [name, value] : a.metrics) {
    REQUIRE(b.metrics.count(name) == 1);
    CHECK(same_bits(value, b.metrics.at(name)));
  }
  REQUIRE(a.curve.size() == b.curve.size());
  for (size_t i = 0; i < a.curve.size(); ++i) {
    CHECK(a.curve[i].step == b.curve[i].step);
    CHECK(same_bits(a.curve[i].loss, b.curve[i].loss));
  }
}

bool has(const std::string& text, const char* words) { return text.find(words) != text.npos; }

void run_sql(const std::string& path, const char* sql) {
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &handle) == SQLITE_OK);
  REQUIRE(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(handle);
}

void put(const std::string& path, std::string_view text) { write_file(path, {&text, 1}); }

}  // namespace

TEST_CASE("store: evaluations come back bit for bit, and a second record replaces the first") {
  Folder folder;
  Rng rng(1, "store");
  std::vector<Evaluation> all;
  {
    auto run = RunFile::create(folder.file("run.db"), "{\"seed\": 1}");
    for (int i = 0; i < 60; ++i) {
      all.push_back(random_evaluation(rng, fmt::format("genome {}", i / 2)));
      all.back().recipe = i % 2 ? "final" : "search";
      run.record(all.back());
    }
    all[7] = random_evaluation(rng, all[7].genome);
    all[7].recipe = "final";
    run.record(all[7]);
  }
  auto run = RunFile::open(folder.file("run.db"));
  CHECK(run.settings() == "{\"seed\": 1}");
  auto back = run.evaluations();
  REQUIRE(back.size() == all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    check_same(all[i], back[i]);
    auto one = run.evaluation(all[i].genome, all[i].recipe);
    REQUIRE(one);
    check_same(all[i], *one);
  }
  CHECK_FALSE(run.evaluation("genome 1000"));
  CHECK_FALSE(run.evaluation(all[0].genome, "transfer"));
  CHECK(folder.count() == 1);
}

TEST_CASE("store: candidates, generations and the reference come back") {
  Folder folder;
  auto run = RunFile::create(folder.file("run.db"), "{}");
  CHECK(run.reference().empty());
  CHECK(run.generations().empty());
  std::map<std::string, double> reference{{"quality", 5.5}, {"params", -0.0}};
  run.record_reference({{"old", 1}});
  run.record_reference(reference);
  CHECK(run.reference() == reference);

  std::vector<Candidate> first{{0, 0, "a", {}, "random"}, {0, 1, "b", {}, "seed"}};
  std::vector<Candidate> second{{1, 0, "c", {"a", "b"}, "crossover, mutation"},
                                {1, 1, "d", {"b", "b"}, "mutation"}};
  run.record(second);
  run.record(first);
  run.record(second);
  first.insert(first.end(), second.begin(), second.end());
  CHECK(run.candidates() == first);

  Generation g;
  g.generation = 3;
  g.population = {"d", "a", "c"};
  g.front = {"d", "b"};  // the archive keeps what the population has lost
  g.scaled = 1.5;
  g.hypervolume = 0.1;
  g.evaluated = 12;
  g.failed = 2;
  g.stopped = {"e", "f"};
  g.promoted = 5;
  g.rung_tau = 0.25;
  g.model_tau = -0.5;
  Generation longer = g;
  longer.population.push_back("b");
  run.record(longer);
  run.record(g);
  auto back = run.generations();
  REQUIRE(back.size() == 1);
  CHECK(back[0].generation == 3);
  CHECK(back[0].population == std::vector<std::string>{"d", "a", "c"});
  CHECK(back[0].front == std::vector<std::string>{"d", "b"});
  CHECK(back[0].scaled == 1.5);
  CHECK(back[0].hypervolume == 0.1);
  CHECK(back[0].evaluated == 12);
  CHECK(back[0].failed == 2);
  CHECK(back[0].stopped == std::vector<std::string>{"e", "f"});
  CHECK(back[0].promoted == 5);
  CHECK(back[0].rung_tau == 0.25);
  CHECK(back[0].model_tau == -0.5);
}

TEST_CASE("store: the rungs of a run foretell as they do in the mean of its generations") {
  std::vector<Generation> generations(3);
  CHECK(std::isnan(mean_rung_tau(generations)));
  generations[0].rung_tau = 0.5;
  generations[2].rung_tau = -0.25;
  CHECK(mean_rung_tau(generations) == 0.125);
  // Which is little even among the best hundredth, whose τ is 0.14 where that among all is 0.4.
  for (double keep : {1.0, 0.25, 0.01}) CHECK(rungs_tell_little(generations, keep));
  generations[1].rung_tau = 0.5;
  CHECK(mean_rung_tau(generations) == 0.25);
  CHECK(rungs_tell_little(generations, 1));
  CHECK_FALSE(rungs_tell_little(generations, 0.25));
  CHECK_FALSE(rungs_tell_little({}, 1));
}

TEST_CASE("store: files of formats 1 and 2 can be read, not gone on with") {
  Folder folder;
  const std::string path = folder.file("old.run");
  {
    RunFile run = RunFile::create(path, "{}");
    Generation g;
    g.population = {"a", "b"};
    g.front = {"a"};
    g.hypervolume = 0.25;
    g.scaled = 0.5;
    run.record(g);
  }
  {
    Connection old(path, false);
    old.execute(
        "DROP TABLE stopped; ALTER TABLE generations DROP COLUMN promoted; "
        "ALTER TABLE generations DROP COLUMN rung_tau; "
        "ALTER TABLE generations DROP COLUMN model_tau; PRAGMA user_version = 2");
  }
  {
    RunFile run = RunFile::open(path);
    auto back = run.generations();
    REQUIRE(back.size() == 1);
    CHECK(back[0].scaled == 0.5);
    CHECK(back[0].front == std::vector<std::string>{"a"});
    CHECK(back[0].stopped.empty());
    CHECK(back[0].promoted == 0);
    CHECK(std::isnan(back[0].rung_tau));
    CHECK(has(fault_of([&] { run.claim(); }), "an older version of star made it"));
  }
  {
    Connection older(path, false);
    older.execute(
        "DROP TABLE fronts; ALTER TABLE generations DROP COLUMN scaled; "
        "ALTER TABLE members ADD COLUMN front INTEGER NOT NULL DEFAULT 0; "
        "UPDATE members SET front = 1 WHERE place = 1; PRAGMA user_version = 1");
  }
  RunFile run = RunFile::open(path);
  auto back = run.generations();
  REQUIRE(back.size() == 1);
  CHECK(back[0].population == std::vector<std::string>{"a", "b"});
  CHECK(back[0].front == std::vector<std::string>{"b"});
  CHECK(back[0].hypervolume == 0.25);
  CHECK(std::isnan(back[0].scaled));
  CHECK(has(fault_of([&] { run.claim(); }), "an older version of star made it"));
}

TEST_CASE("store: a run file is never overwritten") {
  Folder folder;
  RunFile::create(folder.file("run.db"), "{}");
  CHECK(has(fault_of([&] { RunFile::create(folder.file("run.db"), "{}"); }), "--resume"));
  CHECK_THROWS_AS(RunFile::create(folder.file("run.db"), "{}"), RunFileExists);
  put(folder.file("text"), "mine");
  const std::string fault = fault_of([&] { RunFile::create(folder.file("text"), "{}"); });
  CHECK(has(fault, "exists already"));
  CHECK_FALSE(has(fault, "--resume"));
  CHECK(read_file(folder.file("text")) == "mine");
  CHECK(fault_of([&] { RunFile::create("/nonexistent/run.db", "{}"); }) ==
        "/nonexistent/run.db: there is no folder /nonexistent");
  CHECK(folder.count() == 2);
}

TEST_CASE("store: what is no run file is refused with its reason") {
  Folder folder;
  auto fault = [&](const std::string& path) { return fault_of([&] { RunFile::open(path); }); };
  CHECK(has(fault(folder.file("run.db")), "No such"));
  CHECK_FALSE(fs::exists(folder.file("run.db")));
  CHECK(has(fault(folder.path.string()), "not a run file"));
  put(folder.file("empty"), "");
  CHECK(has(fault(folder.file("empty")), "not a run file"));
  put(folder.file("text"), std::string(5000, 'x'));
  CHECK(has(fault(folder.file("text")), "not a run file"));
  run_sql(folder.file("other"), "CREATE TABLE t (x)");
  CHECK(has(fault(folder.file("other")), "not a run file"));

  RunFile::create(folder.file("run.db"), "{}");
  run_sql(folder.file("run.db"), "PRAGMA user_version = 99");
  CHECK(has(fault(folder.file("run.db")), "newer version"));
  run_sql(folder.file("run.db"), "PRAGMA user_version = 1; DELETE FROM run");
  CHECK(has(fault(folder.file("run.db")), "damaged"));
}

TEST_CASE("store: a value of another type, or a row that refers to none, is damage") {
  Folder folder;
  const std::string path = folder.file("run.db");
  auto fault_after = [&](const char* sql) {
    fs::remove(path);
    auto run = RunFile::create(path, "{}");
    Evaluation e;
    e.genome = "a";
    e.metrics = {{"m", 1}};
    e.curve = {{1, 2}};
    run.record(e);
    run.record_reference({{"m", 1}});
    run.record(std::vector<Candidate>{{0, 0, "a", {}, "random"}});
    run.record(Generation{0, {"a"}, {"a"}, 0.5, 1, 0});
    run_sql(path, sql);
    return fault_of([&] { RunFile::open(path).contents(); });
  };
  CHECK(fault_after("SELECT 1") == "");
  CHECK(has(fault_after("UPDATE metrics SET value = 'x'"), "a `value` is no number"));
  CHECK(has(fault_after("UPDATE reference SET value = x'00'"), "a `value` is no number"));
  CHECK(has(fault_after("UPDATE curve SET loss = 'x'"), "a `loss` is no number"));
  CHECK(has(fault_after("UPDATE evaluations SET seconds = 'x'"), "a `seconds` is no number"));
  CHECK(has(fault_after("UPDATE generations SET hypervolume = 'x'"), "`hypervolume` is no number"));
  CHECK(has(fault_after("UPDATE candidates SET generation = -1"), "a `generation` is -1"));
  CHECK(has(fault_after("UPDATE candidates SET place = 4294967296"), "a `place` is 4294967296"));
  CHECK(has(fault_after("UPDATE evaluations SET status = 'failed'"),
            "the evaluation of a is failed"));
  CHECK(has(fault_after("UPDATE evaluations SET failure = 'x'"), "the evaluation of a is ok"));
  CHECK(has(fault_after("DELETE FROM genomes"), "refers to one of `genomes` that is missing"));
  CHECK(has(fault_after("DELETE FROM evaluations"), "one of `evaluations` that is missing"));
  CHECK(has(fault_after("DELETE FROM generations"), "one of `generations` that is missing"));
  CHECK(has(fault_after("INSERT INTO run VALUES ('{}')"), "settings twice"));
  CHECK(has(fault_after("DROP TABLE parents"), "damaged: no such table: parents"));
  CHECK(has(fault_after("DROP TABLE run; CREATE TABLE run (settings); "
                        "INSERT INTO run VALUES (x'7b7d')"),
            "a `settings` is no text"));
}

TEST_CASE("store: what is recorded anew takes with it what followed from what it was") {
  Folder folder;
  auto run = RunFile::create(folder.file("run.db"), "{}");
  Evaluation e;
  e.genome = "b";
  e.failure = "killed";
  run.record(e);
  const std::vector<Candidate> all{{0, 0, "a", {}, "x"},
                                   {0, 1, "b", {}, "x"},
                                   {1, 0, "c", {"a"}, "x"},
                                   {1, 1, "d", {"a", "b"}, "x"},
                                   {2, 0, "e", {"d"}, "x"}};
  run.record(all);
  for (int g = 0; g < 3; ++g) run.record(Generation{g, {"a"}, {}, 0, 1, 0});
  e.failure = "";
  run.record_anew(e, 3, 1);
  CHECK(run.candidates() == std::vector<Candidate>(all.begin(), all.begin() + 3));
  CHECK(run.generations().size() == 1);
  CHECK(run.evaluation("b")->ok());
  run.record_anew(e, 3, 1);
  CHECK(run.candidates().size() == 3);
  // What is bred in their place has no parents left over.
  run.record(std::vector<Candidate>{{1, 1, "f", {}, "x"}});
  CHECK(run.candidates().back().parents.empty());
}

TEST_CASE("store: a file that is deleted under way is said to be gone") {
  Folder folder;
  auto run = RunFile::create(folder.file("run.db"), "{}");
  fs::remove(folder.file("run.db"));
  CHECK_THROWS_WITH_AS(run.record_reference({{"m", 1}}), doctest::Contains("is gone"), WriteError);
  CHECK(folder.count() == 0);
}

TEST_CASE("store: damage is an error, never a crash") {
  Folder folder;
  Rng rng(2, "store-damage");
  {
    auto run = RunFile::create(folder.file("whole"), "{}");
    for (int i = 0; i < 20; ++i) run.record(random_evaluation(rng, fmt::format("g{}", i)));
  }
  const std::string whole = read_file(folder.file("whole"));
  int refused = 0;
  for (int trial = 0; trial < 60; ++trial) {
    std::string damaged = whole;
    if (trial % 3 == 0) damaged.resize(rng.below(uint32_t(whole.size())));
    for (int i = 0; trial % 3 && i < 200; ++i)
      damaged[rng.below(uint32_t(whole.size()))] = char(rng.bits());
    put(folder.file("run.db"), damaged);
    const std::string fault = fault_of([&] {
      auto run = RunFile::open(folder.file("run.db"));
      run.evaluations();
      run.record(random_evaluation(rng, "g3"));
    });
    refused += !fault.empty();
  }
  CHECK(refused > 40);
}

TEST_CASE("store: a writer killed at any moment leaves whole records") {
  Folder folder;
  auto whole = [](int i) {
    Evaluation e;
    e.genome = fmt::format("g{}", i);
    for (int k = 0; k < 5; ++k) e.metrics[fmt::format("m{}", k)] = i + k;
    for (int k = 0; k < 50; ++k) e.curve.push_back({k, i * 0.5 + k});
    return e;
  };
  RunFile::create(folder.file("run.db"), "{}");
  for (int kill_after : {0, 1, 3, 4, 8}) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto run = RunFile::open(folder.file("run.db"));
      for (int i = 0;; ++i) {
        run.record(whole(i));
        if (write(ends[1], "x", 1) != 1) _exit(1);
      }
    }
    close(ends[1]);
    char byte;
    for (int i = 0; i < kill_after; ++i) REQUIRE(read(ends[0], &byte, 1) == 1);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(ends[0]);
    auto run = RunFile::open(folder.file("run.db"));
    auto all = run.evaluations();
    CHECK(int(all.size()) >= kill_after);
    for (size_t i = 0; i < all.size(); ++i) check_same(all[i], whole(int(i)));
  }
}

TEST_CASE("store: one process reads while another writes") {
  Folder folder;
  auto writer = RunFile::create(folder.file("run.db"), "{}");
  auto reader = RunFile::open(folder.file("run.db"));
  Rng rng(3, "store-readers");
  for (int i = 0; i < 5; ++i) {
    auto e = random_evaluation(rng, fmt::format("g{}", i));
    writer.record(e);
    auto seen = reader.evaluation(e.genome);
    REQUIRE(seen);
    check_same(e, *seen);
  }
}

TEST_CASE("store: one process at a time goes on with a run, others may read") {
  Folder folder;
  std::string path = folder.file("run.db");
  auto in_another_process = [&](auto&& work) {
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) _exit(has(fault_of(work), "is at work on this run") ? 1 : 0);
    int status = 0;
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status) == 1;
  };
  auto claim = [&] { RunFile::open(path).claim(); };
  {
    auto run = RunFile::create(path, "{}");
    CHECK_FALSE(run.is_claimed());
    CHECK_FALSE(in_another_process(claim));
    run.claim();
    CHECK(RunFile::open(path).is_claimed());
    CHECK(in_another_process(claim));
    run.record(std::vector<Candidate>{{0, 0, "a", {}, "random"}});
    CHECK(in_another_process(claim));
    CHECK_FALSE(in_another_process([&] {
      if (RunFile::open(path).candidates().size() != 1) fail("is at work on this run");
    }));
  }
  CHECK_FALSE(RunFile::open(path).is_claimed());
  CHECK_FALSE(in_another_process(claim));
}
