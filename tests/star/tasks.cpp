// Each sequence is judged by what it says alone: checkers that know the definition of the task but
// not how a sequence came about.
#include "star/tasks.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <span>

#include "core/error.h"
#include "core/rng.h"

using namespace star;

using namespace star::synthesis;

namespace {

using Row = std::vector<int32_t>;

struct Sequence {
  Row tokens, targets;
  int part = 0;
  int at(size_t i) const { return tokens[i]; }
  size_t size() const { return tokens.size(); }
};

std::vector<Sequence> rows_of(const Batch& batch) {
  std::vector<Sequence> rows;
  auto length = std::ptrdiff_t(batch.length);
  for (std::ptrdiff_t s = 0; s < batch.sequences; ++s) {
    auto t = batch.tokens.begin() + s * length, y = batch.targets.begin() + s * length;
    rows.push_back({Row(t, t + length), Row(y, y + length), batch.parts.at(size_t(s))});
  }
  return rows;
}

// The sequences `first`, … of a split that models are judged by.
Batch judged(const TaskData& data, Split split, int64_t first, int64_t count) {
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return data.evaluation(split, numbers);
}

std::vector<Sequence> draw(const std::string& task, Split split, int count) {
  TaskData data(parse_task(task), 11);
  if (split == Split::train) return rows_of(data.train_batch(12, 3, count));
  return rows_of(judged(data, split, 0, count));
}

void check_next_token(const Sequence& s, size_t from = 0) {
  for (size_t i = 0; i < s.size(); ++i) {
    bool counted = i >= from && i + 1 < s.size();
    CHECK(s.targets[i] == (counted ? s.at(i + 1) : kIgnored));
  }
}

// Pairs of (key, value) with values that never change, noise pairs where `noise` > 0.
void check_recall(const Sequence& s, int vocab, int noise, bool training) {
  int keys = (vocab - noise) / 2;
  std::map<int, int> value_of;
  for (size_t i = 0; i < s.size(); i += 2) {
    int key = s.at(i), value = s.at(i + 1);
    bool last = i + 2 == s.size();
    int target = kIgnored;
    if (key >= vocab - noise) {
      CHECK_FALSE(last);
      CHECK((value >= vocab - noise && value < vocab));
    } else {
      CHECK((key >= 0 && key < keys));
      CHECK((value >= keys && value < 2 * keys));
      auto [known, fresh] = value_of.emplace(key, value);
      CHECK(known->second == value);
      if (!fresh) target = value;
      CHECK_FALSE((last && fresh));
    }
    if (training) continue;
    CHECK(s.targets[i] == target);
    CHECK(s.targets[i + 1] == kIgnored);
  }
  if (training) check_next_token(s);
}

void check_copy(const Sequence& s, int vocab, int n) {
  Row content;
  size_t length = s.size(), answers = length - size_t(n);
  for (size_t i = 0; i < length; ++i) {
    CHECK((s.at(i) == vocab - 1) == (i == answers - 1));
    if (i >= answers) CHECK(s.at(i) == vocab - 2);
    if (i + 1 < answers && s.at(i) != vocab - 2) content.push_back(s.at(i));
    CHECK((s.targets[i] != kIgnored) == (i >= answers));
  }
  CHECK(content == Row(s.targets.begin() + std::ptrdiff_t(answers), s.targets.end()));
}

void check_mqar(const Sequence& s, int vocab, int pairs, bool filler) {
  std::map<int, int> value_of;
  std::set<int> values, asked;
  for (size_t i = 0; i < s.size(); ++i) {
    if (i < size_t(2 * pairs)) {
      CHECK(s.targets[i] == kIgnored);
      if (i % 2 == 0) {
        CHECK((s.at(i) >= 1 && s.at(i) < vocab / 2));
        CHECK((s.at(i + 1) >= vocab / 2 && s.at(i + 1) < vocab));
        CHECK(value_of.emplace(s.at(i), s.at(i + 1)).second);
        CHECK(values.insert(s.at(i + 1)).second);
      }
    } else if (s.targets[i] != kIgnored) {
      CHECK(i % 2 == 0);
      REQUIRE(value_of.count(s.at(i)) == 1);
      CHECK(s.targets[i] == value_of[s.at(i)]);
      CHECK(asked.insert(s.at(i)).second);
    } else if (!filler) {
      CHECK(s.at(i) == 0);
    }
  }
  CHECK(asked.size() == size_t(pairs));
}

// Splits text into motifs: keys and values come from disjoint ranges and take turns.
std::vector<Row> motifs_of(std::span<const int32_t> text, int keys) {
  std::vector<Row> motifs;
  std::optional<bool> was_key;
  for (int32_t token : text) {
    if (was_key != (token < keys)) motifs.emplace_back();
    was_key = token < keys;
    motifs.back().push_back(token);
  }
  return motifs;
}

void check_fuzzy(const Sequence& s, int vocab, int longest, bool training) {
  int keys = (vocab - 1) / 2, pad = vocab - 1;
  size_t start = 0;
  while (s.at(start) == pad) ++start;
  CHECK(std::count(s.tokens.begin(), s.tokens.end(), pad) == std::ptrdiff_t(start));
  auto motifs = motifs_of(std::span(s.tokens).subspan(start), keys);
  REQUIRE(motifs.size() % 2 == 0);
  REQUIRE(motifs.size() >= 4);
  std::map<Row, Row> value_of;
  bool repeated = false;
  for (size_t m = 0; m < motifs.size(); m += 2) {
    const Row &key = motifs[m], &value = motifs[m + 1];
    CHECK((key[0] < keys && value[0] >= keys && value[0] < 2 * keys));
    for (const Row& motif : {key, value}) {
      CHECK(std::set<int>(motif.begin(), motif.end()).size() == motif.size());
      CHECK(motif.size() <= size_t(longest));
    }
    if (!training) CHECK(key.size() == size_t(longest));
    auto [known, fresh] = value_of.emplace(key, value);
    CHECK(known->second == value);
    repeated = !fresh;
  }
  CHECK(repeated);  // the last key stood in the sequence before
  check_next_token(s, training ? start : s.size() - 1 - motifs.back().size());
}

std::string fault_of(const std::string& task) {
  try {
    parse_task(task);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

namespace {

void check_memorize(const Sequence& s, int vocab) {
  const int keys = (vocab - 1) / 2;
  for (size_t i = 0; i < s.size(); i += 2) {
    CHECK((s.at(i) >= 0 && s.at(i) < keys));
    CHECK(s.at(i + 1) == vocab - 1);
    CHECK(s.targets[i] == kIgnored);
    CHECK((s.targets[i + 1] >= keys && s.targets[i + 1] < 2 * keys));
  }
}

void check_compress(const Sequence& s, int vocab) {
  for (size_t i = 0; i + 1 < s.size(); ++i) {
    CHECK((s.at(i) >= 0 && s.at(i) < vocab - 1));
    CHECK(s.targets[i] == s.at(i));
  }
  CHECK(s.tokens.back() == vocab - 1);
  CHECK(s.targets.back() == kIgnored);
}

void check_parity(const Sequence& s) {
  int ones = 0;
  for (size_t i = 0; i < s.size(); ++i) {
    CHECK((s.at(i) == 0 || s.at(i) == 1));
    ones += s.at(i);
    CHECK(s.targets[i] == ones % 2);
  }
}

// What a task is: its defaults written out, texts that are drawn from, and what holds of each
// sequence.
struct Definition {
  std::string usual;
  std::vector<const char*> texts;
  std::function<void(const Sequence&, const TaskOptions&, bool training)> holds;
};

const std::map<std::string, Definition>& definitions() {
  using Options = const TaskOptions&;
  static const std::map<std::string, Definition> kDefinitions = {
      {"recall",
       {"recall:V=16,L=128",
        {"recall", "recall:V=7,L=10"},
        [](auto& s, Options o, bool training) { check_recall(s, o.vocab, 0, training); }}},
      {"noisy-recall",
       {"noisy-recall:V=32,L=128,noise=16,share=0.2",
        {"noisy-recall", "noisy-recall:V=9,L=6,noise=4,share=1"},
        [](auto& s, Options o, bool training) {
          check_recall(s, o.vocab, o.noise_tokens, training);
        }}},
      {"fuzzy-recall",
       {"fuzzy-recall:V=16,L=128,m=3",
        {"fuzzy-recall", "fuzzy-recall:V=6,L=9,m=2"},
        [](auto& s, Options o, bool training) { check_fuzzy(s, o.vocab, o.motif, training); }}},
      {"copy",
       {"copy:V=16,L=256,n=16",
        {"copy", "copy:V=3,L=9,n=4"},
        [](auto& s, Options o, bool) { check_copy(s, o.vocab, o.content); }}},
      {"compress",
       {"compress:V=16,L=32",
        {"compress", "compress:V=2,L=2", "compress:V=5,L=7"},
        [](auto& s, Options o, bool) { check_compress(s, o.vocab); }}},
      {"memorize",
       {"memorize:V=256,L=32",
        {"memorize", "memorize:V=21,L=8"},
        [](auto& s, Options o, bool) { check_memorize(s, o.vocab); }}},
      {"mqar",
       {"mqar:V=8192,L=64,D=4,a=0.01,noise=0",
        {"mqar", "mqar:V=10,L=16,D=4", "mqar:V=40,L=33,D=5,noise"},
        [](auto& s, Options o, bool) { check_mqar(s, o.vocab, o.pairs, o.filler); }}},
      {"parity",
       {"parity:L=64",
        {"parity", "parity:L=1", "parity:L=37"},
        [](auto& s, Options, bool) { check_parity(s); }}},
      {"mix",
       {"mix:V=64,L=64,noise=16,share=0.2,n=8,D=4,a=0.01",
        {"mix", "mix:V=50,L=40,noise=4,n=3,D=2"},
        [](auto& s, Options o, bool training) {
          const std::string part = o.task->parts.at(size_t(s.part));
          TaskOptions own = o;
          own.task = Task(part);
          if (part == "recall") own.noise_tokens = 0;
          definitions().at(part).holds(s, own, training);
        }}},
  };
  return kDefinitions;
}

}  // namespace

TEST_CASE("tasks: every sequence is what its definition says") {
  CHECK(definitions().size() == Task::rows().size());
  for (const Task& task : Task::all()) {
    CAPTURE(task.name());
    REQUIRE(definitions().count(task.name()) == 1);
    const Definition& definition = definitions().at(task.name());
    CHECK(task_text(parse_task(task.name())) == definition.usual);
    for (const char* text : definition.texts)
      for (Split split : {Split::train, Split::validation, Split::test})
        for (const auto& s : draw(text, split, 200))
          definition.holds(s, parse_task(text), split == Split::train);
  }
}

TEST_CASE("tasks: a text says all options") {
  for (const auto& name : Task::names()) {
    const TaskOptions options = parse_task(name);
    CHECK(task_text(parse_task(task_text(options))) == task_text(options));
    const TaskData data(options, 1);
    CHECK(data.vocab() == options.vocab);
    CHECK(data.length() == options.length);
  }
}

TEST_CASE("tasks: memorize asks for one map, the same in every split, with distinct values") {
  TaskData data(parse_task("memorize:V=21,L=8"), 4);
  std::map<int, int> value_of;
  auto gather = [&](const Batch& batch) {
    for (size_t i = 0; i < batch.tokens.size(); i += 2) {
      CHECK(batch.tokens[i] < 10);
      CHECK(batch.tokens[i + 1] == 20);
      CHECK(batch.targets[i] == kIgnored);
      int value = batch.targets[i + 1];
      CHECK((value >= 10 && value < 20));
      CHECK(value_of.emplace(batch.tokens[i], value).first->second == value);
    }
  };
  gather(data.train_batch(1, 0, 30));
  gather(data.train_batch(2, 5, 30));
  for (Split split : {Split::validation, Split::test}) gather(judged(data, split, 0, 30));
  std::set<int> values;
  for (auto [key, value] : value_of) values.insert(value);
  CHECK(value_of.size() == 10);
  CHECK(values.size() == 10);
}

TEST_CASE("tasks: mix holds its parts in equal numbers, each as the task alone") {
  TaskData data(parse_task("mix"), 5);
  REQUIRE(data.parts() == std::vector<std::string>{"recall", "noisy-recall", "copy", "mqar"});
  std::vector<Batch> batches;
  for (int64_t first : {0, 8, 16, 24}) batches.push_back(judged(data, Split::test, first, 8));
  batches.push_back(data.train_batch(1, 7, 8));
  for (const auto& batch : batches) {
    bool training = &batch == &batches.back();
    std::vector<int> count(4);
    for (const auto& s : rows_of(batch)) {
      ++count.at(size_t(s.part));
      if (s.part == 0) check_recall(s, 64, 0, training);
      if (s.part == 1) check_recall(s, 64, 16, training);
      if (s.part == 2) check_copy(s, 64, 8);
      if (s.part == 3) check_mqar(s, 64, 4, false);
    }
    CHECK(count == std::vector<int>(4, 2));
  }
}

TEST_CASE("tasks: a sequence depends on seed, split and index only") {
  for (const auto& name : Task::names()) {
    TaskData data(parse_task(name), 1), same(parse_task(name), 1), other(parse_task(name), 2);
    auto batch = data.train_batch(3, 2, 4);
    CHECK(same.train_batch(3, 2, 4).tokens == batch.tokens);
    CHECK(data.train_batch(4, 2, 4).tokens != batch.tokens);
    CHECK(data.train_batch(3, 3, 4).tokens != batch.tokens);
    // Index 8 … 11 in another cut: steps 4 and 5 of two sequences.
    auto halves = data.train_batch(3, 4, 2).tokens;
    auto second = data.train_batch(3, 5, 2).tokens;
    halves.insert(halves.end(), second.begin(), second.end());
    CHECK(halves == batch.tokens);

    const Batch test = judged(data, Split::test, 0, 4), next = judged(data, Split::test, 4, 4);
    CHECK(judged(same, Split::test, 4, 4).tokens == next.tokens);
    CHECK(test.tokens != next.tokens);
    CHECK(judged(data, Split::validation, 0, 4).tokens != test.tokens);
    CHECK(judged(other, Split::test, 0, 4).tokens != test.tokens);
    CHECK(data.identity() == same.identity());
    CHECK(data.identity() != other.identity());
  }
}

TEST_CASE("tasks: a sample holds so many tokens, of every part as many") {
  for (const char* name : {"recall", "mix", "memorize:L=30"}) {
    TaskData data(parse_task(name), 1);
    const int64_t parts = int64_t(data.parts().size()), length = data.length();
    const size_t all = data.sample(Split::test, 0).size();
    CHECK(all == 2048);
    CHECK(data.sample(Split::test, int64_t(1) << 40).size() == all);
    for (int64_t tokens : {1, 100, 5000}) {
      const std::vector<int64_t> some = data.sample(Split::test, tokens);
      CHECK(int64_t(some.size()) * length >= tokens);
      CHECK(int64_t(some.size()) * length < tokens + parts * length);
      std::vector<int64_t> count(static_cast<size_t>(parts));
      for (int part : data.evaluation(Split::test, some).parts) ++count.at(size_t(part));
      CHECK(count == std::vector<int64_t>(size_t(parts), int64_t(some.size()) / parts));
    }
  }
}

TEST_CASE("tasks: the noise of noisy-recall has its share") {
  int noise = 0, slots = 0;
  for (const auto& s : draw("noisy-recall:share=0.3", Split::test, 500)) {
    for (size_t i = 0; i < s.size(); i += 2) noise += s.at(i) >= 16;
    slots += 62;  // of 64 the protected one and the last are never noise
  }
  double mean = double(noise) / slots;
  CHECK(std::abs(mean - 0.3) < 6 * std::sqrt(0.3 * 0.7 / slots));
}

TEST_CASE("tasks: gaps of mqar follow the power law, drawn one after the other without repeats") {
  // With two pairs the probability of each gap to be drawn can be summed by hand.
  const double a = 0.01;
  const int room = 6, count = 20000;
  std::vector<double> p(room), want(room);
  for (int g = 0; g < room; ++g) p[size_t(g)] = std::pow(g + 1, a - 1);
  double total = std::accumulate(p.begin(), p.end(), 0.0);
  for (size_t g = 0; g < room; ++g) {
    want[g] = p[g] / total;
    for (size_t first = 0; first < room; ++first)
      if (first != g) want[g] += p[first] / total * p[g] / (total - p[first]);
  }
  std::vector<int> got(room);
  for (const auto& s : draw("mqar:V=16,L=16,D=2", Split::test, count))
    for (size_t i = 4; i < s.size(); ++i)
      if (s.targets[i] != kIgnored) ++got.at((i - 4) / 2);
  for (size_t g = 0; g < room; ++g) {
    CAPTURE(g);
    double spread = std::sqrt(want[g] * (1 - want[g]) / count);
    CHECK(std::abs(got[g] / double(count) - want[g]) < 6 * spread);
  }
}

TEST_CASE("tasks: filler of mqar is random over the vocabulary") {
  std::set<int> seen;
  for (const auto& s : draw("mqar:V=12,L=32,D=2,noise=1", Split::test, 50))
    for (size_t i = 4; i < s.size(); ++i)
      if (s.targets[i] == kIgnored) seen.insert(s.at(i));
  CHECK(seen.size() == 12);
}

TEST_CASE("tasks: wrong and impossible options are errors that name them") {
  const std::pair<const char*, const char*> cases[] = {
      {"", "unknown task ''"},
      {"compression", "unknown task"},
      {"compress:L=1", "L=1"},
      {"mqar:", "unknown option ''"},
      {"mqar:V=64,", "unknown option ''"},
      {"mqar:n=4", "unknown option 'n'"},
      {"mqar:V", "no value"},
      {"mqar:V=", "an empty text is not a whole number"},
      {"mqar:V=4x", "4x is not a whole number"},
      {"mqar:V=64.0", "64.0 is not a whole number"},
      {"mqar:a=x", "'x' is no number"},
      {"mqar:V=99999999999999", "is not a whole number of 32 bits"},
      {"mqar:V=64,V=64", "twice"},
      {"mqar:noise=2", "neither 0 nor 1"},
      {"mqar:a=inf", "finite"},
      {"mqar:D=0", "D=0"},
      {"mqar:V=8,D=4", "V=8 has 3 keys"},
      {"mqar:L=15", "take 16"},
      {"mqar:V=-5", "V=-5"},
      {"mqar:L=2000000", "L=2000000"},
      {"recall:V=1", "V=1"},
      {"recall:L=7", "even"},
      {"recall:L=2", "at least 4"},
      {"noisy-recall:V=16", "noise=16 of V=16"},
      {"noisy-recall:share=1.5", "share=1.5"},
      {"noisy-recall:share=nan", "share=nan"},
      {"noisy-recall:noise=0", "noise=0"},
      {"copy:L=32", "room for n=16"},
      {"copy:V=2", "V=2"},
      {"memorize:L=5", "even"},
      {"fuzzy-recall:V=6", "motif of m=3"},
      {"fuzzy-recall:L=11", "L=11"},
      {"parity:V=4", "unknown option 'V'"},
      {"parity:L=0", "L=0"},
      {"mix:V=16", "noisy-recall: noise=16 of V=16"},
      {"mix:L=15", "even"},
      {"mix:D=40", "mqar"},
  };
  for (auto [task, words] : cases) {
    CAPTURE(task);
    auto fault = fault_of(task);
    CAPTURE(fault);
    CHECK(fault.find(words) != fault.npos);
  }
  TaskOptions impossible = task_defaults("mqar");
  impossible.pairs = 100;
  CHECK_THROWS_WITH_AS(TaskData(impossible, 1), doctest::Contains("D=100"), Error);
}
