#include "star/tasks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <variant>

#include "core/error.h"
#include "core/number.h"
#include "core/rng.h"
#include "star/task_generators.h"

namespace star {
namespace {

constexpr int kMaxVocab = 1 << 20, kMaxLength = 1 << 20;
constexpr int64_t kSplitSequences = 2048;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct TaskInfo {
  Task task;
  const char* name;
  std::vector<std::string_view> options;
};

const TaskInfo kTasks[] = {
    {Task::recall, "recall", {"V", "L"}},
    {Task::noisy_recall, "noisy-recall", {"V", "L", "noise", "share"}},
    {Task::fuzzy_recall, "fuzzy-recall", {"V", "L", "m"}},
    {Task::copy, "copy", {"V", "L", "n"}},
    {Task::memorize, "memorize", {"V", "L"}},
    {Task::mqar, "mqar", {"V", "L", "D", "a", "noise"}},
    {Task::mix, "mix", {"V", "L", "noise", "share", "n", "D", "a"}},
};

constexpr Task kMixture[] = {Task::recall, Task::noisy_recall, Task::copy, Task::mqar};

const TaskInfo& info_of(Task task) { return kTasks[size_t(task)]; }

const TaskInfo& info_of(std::string_view name) {
  for (const auto& info : kTasks)
    if (info.name == name) return info;
  fail("unknown task '{}'; the tasks are {}", name, fmt::join(task_names(), ", "));
}

// What an option of a task sets.
using Field = std::variant<int TaskOptions::*, double TaskOptions::*, bool TaskOptions::*>;

Field field_of(Task task, std::string_view name) {
  if (name == "V") return &TaskOptions::vocab;
  if (name == "L") return &TaskOptions::length;
  if (name == "D") return &TaskOptions::pairs;
  if (name == "n") return &TaskOptions::content;
  if (name == "m") return &TaskOptions::motif;
  if (name == "share") return &TaskOptions::share;
  if (name == "a") return &TaskOptions::power;
  if (name == "noise" && task == Task::mqar) return &TaskOptions::filler;
  if (name == "noise") return &TaskOptions::noise_tokens;
  fail("tasks: no option is called {}", name);
}

void read(std::string_view text, const std::string& place, int& value) {
  using Limits = std::numeric_limits<int>;
  value = whole_number(text, Limits::min(), Limits::max(), place);
}
void read(std::string_view text, const std::string& place, double& value) {
  const std::optional<double> number = read_number<double>(text);
  require(number.has_value(), "{}: '{}' is no number", place, text);
  value = *number;
}
void read(std::string_view text, const std::string& place, bool& value) {
  require(text == "0" || text == "1", "{}: '{}' is neither 0 nor 1", place, text);
  value = text == "1";
}

void set_option(TaskOptions& options, std::string_view name, std::string_view value,
                const std::string& place) {
  std::visit([&](auto field) { read(value, place, options.*field); }, field_of(options.task, name));
}

std::string option_text(const TaskOptions& options, std::string_view name) {
  // A flag is written as a number.
  return std::visit([&](auto field) { return fmt::to_string(+(options.*field)); },
                    field_of(options.task, name));
}

// Options of a part of a mixture, or of the task itself.
TaskOptions part_options(TaskOptions options, Task part) {
  options.task = part;
  if (part == Task::recall) options.noise_tokens = 0;
  return options;
}

void check_options(const TaskOptions& o) {
  const char* name = info_of(o.task).name;
  require(o.vocab >= 2 && o.vocab <= kMaxVocab, "{}: V={} is not in 2…{}", name, o.vocab,
          kMaxVocab);
  require(o.length >= 1 && o.length <= kMaxLength, "{}: L={} is not in 1…{}", name, o.length,
          kMaxLength);
  switch (o.task) {
    case Task::recall:
    case Task::noisy_recall:
      require(o.length % 2 == 0 && o.length >= 4, "{}: L={} must be even and at least 4", name,
              o.length);
      require(o.noise_tokens >= 0 && o.noise_tokens <= o.vocab - 2,
              "{}: noise={} of V={} tokens leave no key and value", name, o.noise_tokens, o.vocab);
      require(o.share >= 0 && o.share <= 1, "{}: share={} is not in [0, 1]", name, o.share);
      require(o.task == Task::recall || o.noise_tokens > 0 || o.share == 0,
              "{}: share={} of the pairs are noise, but noise=0 tokens", name, o.share);
      break;
    case Task::fuzzy_recall:
      require(o.motif >= 1, "{}: m={} must be at least 1", name, o.motif);
      require(o.motif <= (o.vocab - 1) / 2, "{}: V={} has no motif of m={} distinct tokens", name,
              o.vocab, o.motif);
      require(o.length >= 4 * int64_t(o.motif),
              "{}: L={} has no room for two pairs of motifs of m={}", name, o.length, o.motif);
      break;
    case Task::copy:
      require(o.vocab >= 3, "{}: V={} must be at least 3", name, o.vocab);
      require(o.content >= 1 && o.length >= 2 * int64_t(o.content) + 1,
              "{}: L={} has no room for n={} tokens twice and the copy token", name, o.length,
              o.content);
      break;
    case Task::memorize:
      require(o.vocab >= 3, "{}: V={} must be at least 3", name, o.vocab);
      require(o.length % 2 == 0, "{}: L={} must be even", name, o.length);
      break;
    case Task::mqar:
      require(o.pairs >= 1 && o.pairs <= o.vocab / 2 - 1, "{}: V={} has {} keys, D={} are wanted",
              name, o.vocab, std::max(o.vocab / 2 - 1, 0), o.pairs);
      require(o.length >= 4 * int64_t(o.pairs),
              "{}: L={} has no room for D={} pairs and their queries, which take {}", name,
              o.length, o.pairs, 4 * int64_t(o.pairs));
      require(std::isfinite(o.power), "{}: a={} is not finite", name, o.power);
      break;
    case Task::mix:
      for (Task part : kMixture) check_options(part_options(o, part));
  }
}

}  // namespace

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const auto& info : kTasks) names.push_back(info.name);
  return names;
}

TaskOptions task_defaults(std::string_view name) {
  TaskOptions options;
  options.task = info_of(name).task;
  auto size = [&](int vocab, int length) { options.vocab = vocab, options.length = length; };
  switch (options.task) {
    case Task::recall:
    case Task::fuzzy_recall:
      size(16, 128);
      break;
    case Task::noisy_recall:
      size(32, 128);
      break;
    case Task::copy:
      size(16, 256);
      break;
    case Task::memorize:
      size(256, 32);
      break;
    case Task::mqar:
      size(8192, 64);
      break;
    case Task::mix:
      size(64, 64);
      break;
  }
  if (options.task == Task::noisy_recall || options.task == Task::mix) options.noise_tokens = 16;
  if (options.task == Task::mix) options.content = 8;
  return options;
}

TaskOptions parse_task(std::string_view text) {
  auto colon = text.find(':');
  TaskOptions options = task_defaults(text.substr(0, colon));
  const auto& info = info_of(options.task);
  std::set<std::string_view> seen;
  bool more = colon != text.npos;
  while (more) {
    text.remove_prefix(colon + 1);
    colon = text.find(',');
    more = colon != text.npos;
    auto item = text.substr(0, colon), name = item.substr(0, item.find('='));
    bool known = std::find(info.options.begin(), info.options.end(), name) != info.options.end();
    require(known, "{}: unknown option '{}'; the options are {}", info.name, name,
            fmt::join(info.options, ", "));
    auto place = fmt::format("{}: option {}", info.name, name);
    require(seen.insert(name).second, "{} is given twice", place);
    options.sets_length = options.sets_length || name == "L";
    bool flag = name == "noise" && options.task == Task::mqar && item == name;
    require(flag || item != name, "{} has no value", place);
    set_option(options, name, flag ? "1" : item.substr(name.size() + 1), place);
  }
  check_options(options);
  return options;
}

std::string task_text(const TaskOptions& options) {
  const auto& info = info_of(options.task);
  std::string text = info.name;
  char separator = ':';
  for (auto name : info.options) {
    text += fmt::format("{}{}={}", separator, name, option_text(options, name));
    separator = ',';
  }
  return text;
}

TaskData::TaskData(const TaskOptions& options, uint64_t seed) : options_(options), seed_(seed) {
  check_options(options);
  std::span<const Task> tasks(&options.task, 1);
  if (options.task == Task::mix) tasks = kMixture;
  for (Task task : tasks) {
    auto part = part_options(options, task);
    names_.push_back(info_of(task).name);
    generators_.push_back(make_generator(part, seed));
  }
}

TaskData::~TaskData() = default;

std::string TaskData::identity() const {
  return fmt::format("{}, seed {}", task_text(options_), seed_);
}

Batch TaskData::train_batch(uint64_t seed, int64_t step, int sequences) const {
  std::vector<int64_t> indices(size_t(std::max(sequences, 0)));
  std::iota(indices.begin(), indices.end(), step * sequences);
  return draw(seed, Split::train, indices);
}

std::vector<int64_t> TaskData::sample(Split, int64_t tokens) const {
  require(tokens >= 0, "{}: a sample of {} tokens", info_of(options_.task).name, tokens);
  const int64_t parts = int64_t(generators_.size()), length = options_.length;
  int64_t count = kSplitSequences;
  // Of every part of a mixture as many.
  if (tokens > 0 && tokens < count * length)
    count = std::min(count, ceil_div(ceil_div(tokens, length), parts) * parts);
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

Batch TaskData::evaluation(Split split, std::span<const int64_t> numbers) const {
  return draw(seed_, split, numbers);
}

Batch TaskData::draw(uint64_t seed, Split split, std::span<const int64_t> indices) const {
  require(!indices.empty(), "{}: a batch of no sequences", info_of(options_.task).name);
  const char* splits[] = {"train", "validation", "test"};
  const size_t length = size_t(options_.length);
  Batch batch{int(indices.size()), options_.length, {}, {}, {}};
  batch.tokens.assign(indices.size() * length, 0);
  batch.targets.assign(indices.size() * length, kIgnored);
  for (size_t s = 0; s < indices.size(); ++s) {
    const uint64_t index = uint64_t(indices[s]);
    size_t part = index % generators_.size();
    Rng rng(seed, fmt::format("task/{}/{}", names_[part], splits[int(split)]), index);
    generators_[part]->fill(split == Split::train, rng,
                            std::span(batch.tokens).subspan(s * length, length),
                            std::span(batch.targets).subspan(s * length, length));
    batch.parts.push_back(int(part));
  }
  return batch;
}

}  // namespace star
