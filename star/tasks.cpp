#include "star/tasks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <variant>

#include "core/error.h"
#include "core/host_device.h"
#include "core/number.h"
#include "core/rng.h"
#include "star/task_generators.h"

namespace star {
namespace {

constexpr int kMaxVocab = 1 << 20, kMaxLength = 1 << 20;
constexpr int64_t kSplitSequences = 2048;

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

std::string option_text(const TaskOptions& options, const TaskOption& option) {
  // A flag is written as a number.
  return std::visit([&](auto field) { return fmt::to_string(+(options.*field)); }, option.field);
}

// Of a part of a mixture: what the mixture says of the fields that both have, otherwise its own.
TaskOptions part_options(const TaskOptions& mixture, const char* name) {
  TaskOptions part = task_defaults(name);
  for (auto& own : part.task->options)
    for (auto& option : mixture.task->options)
      if (own.field == option.field)
        std::visit([&](auto field) { part.*field = mixture.*field; }, std::variant(own.field));
  return part;
}

void check_options(const TaskOptions& o) {
  require(o.vocab >= 2 && o.vocab <= kMaxVocab, "{}: V={} is not in 2…{}", o.task, o.vocab,
          kMaxVocab);
  require(o.length >= 1 && o.length <= kMaxLength, "{}: L={} is not in 1…{}", o.task, o.length,
          kMaxLength);
  if (o.task->check) o.task->check(o);
  for (const char* part : o.task->parts) check_options(part_options(o, part));
}

}  // namespace

void TaskRow::refuse(std::string_view name) {
  fail("unknown task '{}'; the tasks are {}", name, fmt::join(Task::names(), ", "));
}

TaskOptions task_defaults(std::string_view name) {
  TaskOptions options;
  options.task = Task(name);
  if (options.task->set_usual) options.task->set_usual(options);
  return options;
}

TaskOptions parse_task(std::string_view text) {
  auto colon = text.find(':');
  TaskOptions options = task_defaults(text.substr(0, colon));
  const Task task = options.task;
  std::set<std::string_view> seen;
  bool more = colon != text.npos;
  while (more) {
    text.remove_prefix(colon + 1);
    colon = text.find(',');
    more = colon != text.npos;
    const auto item = text.substr(0, colon), name = item.substr(0, item.find('='));
    const auto option = std::find_if(task->options.begin(), task->options.end(),
                                     [&](auto& known) { return known.name == name; });
    if (option == task->options.end()) {
      std::vector<std::string_view> names;
      for (auto& known : task->options) names.push_back(known.name);
      fail("{}: unknown option '{}'; the options are {}", task, name, fmt::join(names, ", "));
    }
    const auto place = fmt::format("{}: option {}", task, name);
    require(seen.insert(name).second, "{} is given twice", place);
    options.sets_length = options.sets_length || name == "L";
    const bool flag = std::holds_alternative<bool TaskOptions::*>(option->field) && item == name;
    require(flag || item != name, "{} has no value", place);
    const auto value = flag ? "1" : item.substr(name.size() + 1);
    std::visit([&](auto field) { read(value, place, options.*field); }, option->field);
  }
  check_options(options);
  return options;
}

std::string task_text(const TaskOptions& options) {
  std::string text = options.task.name();
  char separator = ':';
  for (auto& option : options.task->options) {
    text += fmt::format("{}{}={}", separator, option.name, option_text(options, option));
    separator = ',';
  }
  return text;
}

TaskData::TaskData(const TaskOptions& options, uint64_t seed) : options_(options), seed_(seed) {
  check_options(options);
  std::vector<TaskOptions> parts;
  for (const char* part : options.task->parts) parts.push_back(part_options(options, part));
  if (parts.empty()) parts.push_back(options);
  for (auto& part : parts) {
    names_.push_back(part.task.name());
    generators_.push_back(part.task->make(part, seed));
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
  require(tokens >= 0, "{}: a sample of {} tokens", options_.task, tokens);
  const int64_t parts = int64_t(generators_.size()), length = options_.length;
  int64_t count = kSplitSequences;
  // Of every part of a mixture as many.
  if (tokens > 0 && tokens < count * length)
    count = std::min(count, blocks_of(blocks_of(tokens, length), parts) * parts);
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

Batch TaskData::evaluation(Split split, std::span<const int64_t> numbers) const {
  return draw(seed_, split, numbers);
}

Batch TaskData::draw(uint64_t seed, Split split, std::span<const int64_t> indices) const {
  require(!indices.empty(), "{}: a batch of no sequences", options_.task);
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
