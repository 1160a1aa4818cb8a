#include "tools/options.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/number.h"

namespace star::cli {
namespace {

constexpr double kMiB = 1 << 20, kMostMiB = double(int64_t(1) << 40);

using Fault = std::function<std::string(const std::string& text)>;  // empty: none

// An option whose value `set` takes from a text in which `fault` finds none.
CLI::Option* add_number(CLI::App& app, const std::string& name, const std::string& type,
                        const std::string& shown, const std::string& what, const Fault& fault,
                        const std::function<void(const std::string&)>& set,
                        const std::function<std::string()>& usual) {
  auto read = [set](const CLI::results_t& given) {
    set(given.at(0));
    return true;
  };
  CLI::Option* option = app.add_option(name, read, what, false, usual);
  option->type_name(type);
  return option->check(CLI::Validator([fault](std::string& text) { return fault(text); }, shown));
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> items;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    items.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return items;
}

std::string not_empty(std::string& text) { return text.empty() ? "an empty value" : ""; }

std::string truth(std::string& text) {
  return text == "true" || text == "false" ? "" : text.substr(0, 40) + " is not true or false";
}

std::string real_fault(const std::string& text, const Range& range) {
  const std::optional<double> x = read_number<double>(text);
  return x && range.holds(*x)
             ? std::string()
             : fmt::format("{} is not a number {}", text.substr(0, 40), range.words());
}

}  // namespace

template <class T>
CLI::Option* add_whole(CLI::App& app, const std::string& name, T& value,
                       std::type_identity_t<T> least, std::type_identity_t<T> most,
                       const std::string& what) {
  const std::string type = std::is_unsigned_v<T> ? "UINT" : "INT";
  const bool any = least == std::numeric_limits<T>::min() && most == std::numeric_limits<T>::max();
  return add_number(
      app, name, type, any ? "" : fmt::format("{} in [{} - {}]", type, least, most), what,
      [=](auto& text) { return whole_number_fault<T>(text, least, most); },
      [&value](auto& text) { value = *read_number<T>(text); },
      [&value] { return fmt::format("{}", value); });
}

template CLI::Option* add_whole(CLI::App&, const std::string&, int&, int, int, const std::string&);
template CLI::Option* add_whole(CLI::App&, const std::string&, int64_t&, int64_t, int64_t,
                                const std::string&);
template CLI::Option* add_whole(CLI::App&, const std::string&, uint64_t&, uint64_t, uint64_t,
                                const std::string&);

CLI::Option* add_real(CLI::App& app, const std::string& name, double& value, const Range& range,
                      const std::string& what) {
  return add_number(
      app, name, "FLOAT", range.shown(), what,
      [range](auto& text) { return real_fault(text, range); },
      [&value](auto& text) { value = *read_number<double>(text); },
      [&value] { return fmt::format("{}", value); });
}

CLI::Option* add_reals(CLI::App& app, const std::string& name, std::vector<double>& values,
                       const Range& range, const std::string& what) {
  auto read = [=, &values](const CLI::results_t& given) {
    std::vector<double> numbers;
    for (auto& text : given)
      for (auto& item : split(text)) {
        const std::string fault = real_fault(item, range);
        if (!fault.empty()) throw CLI::ValidationError(name, fault);
        numbers.push_back(*read_number<double>(item));
      }
    values = numbers;
    return true;
  };
  return app
      .add_option(name, read, what, false,
                  [&values] { return fmt::format("{}", fmt::join(values, ",")); })
      ->type_name(fmt::format("FLOAT,...:{}", range.shown()))
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::Option* add_memory_limit(CLI::App& app, const std::string& what,
                              const std::function<void(uint64_t bytes)>& set,
                              std::optional<uint64_t> usual) {
  auto fault = [](const std::string& text) {
    const double mib = read_number<double>(text).value_or(-1);
    if (!(mib >= 0 && mib <= kMostMiB))
      return fmt::format("{} is not a number from 0 to {}", text.substr(0, 40), kMostMiB);
    return mib > 0 && mib * kMiB < 1 ? fmt::format("{} MiB are less than a byte", text)
                                     : std::string();
  };
  return add_number(
      app, "--memory-limit", "FLOAT", fmt::format("in [0 - {}]", kMostMiB), what, fault,
      [set](auto& text) { set(uint64_t(*read_number<double>(text) * kMiB)); },
      [usual] { return usual ? fmt::format("{}", double(*usual) / kMiB) : std::string(); });
}

CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<std::string>& list,
                      const std::string& what, const std::vector<std::string>& choices) {
  auto read = [=, &list](const CLI::results_t& given) {
    std::vector<std::string> items;
    for (auto& text : given)
      for (auto& item : split(text)) {
        if (item.empty()) throw CLI::ValidationError(name, "an empty value in " + text);
        if (!choices.empty() && std::find(choices.begin(), choices.end(), item) == choices.end())
          throw CLI::ValidationError(
              name, fmt::format("{} is not one of {}", item, fmt::join(choices, ", ")));
        items.push_back(item);
      }
    list = items;
    return true;
  };
  CLI::Option* option = app.add_option(
      name, read, what, false, [&list] { return fmt::format("[{}]", fmt::join(list, ",")); });
  option->type_name(choices.empty() ? "TEXT" : fmt::format("TEXT:{{{}}}", fmt::join(choices, ",")));
  return option->expected(CLI::detail::expected_max_vector_size)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

namespace {

// Numbers with units, one after the other; the last may lack its unit, which then is a second.
std::optional<double> read_duration(std::string_view text) {
  double seconds = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
    const std::optional<double> number = read_number<double>(text.substr(0, end));
    const std::string_view unit = text.substr(end, 1);
    const double worth = unit.empty() || unit == "s" ? 1
                         : unit == "m"               ? 60
                         : unit == "h"               ? 3600
                         : unit == "d"               ? 86400
                                                     : 0;
    if (!number || worth == 0) return std::nullopt;
    seconds += *number * worth;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return seconds;
}

}  // namespace

CLI::Option* add_duration(CLI::App& app, const std::string& name, double& seconds,
                          const std::string& what) {
  const CLI::callback_t read = [name, &seconds](const CLI::results_t& given) {
    const std::optional<double> value = read_duration(given.at(0));
    if (!value || !(*value > 0) || !(*value < 1e12))
      throw CLI::ValidationError(
          name, fmt::format("{} is no time such as 90s, 30m or 1h30m", given.at(0).substr(0, 40)));
    seconds = *value;
    return true;
  };
  return app.add_option(name, read, what)->type_name("TEXT");
}

CLI::Option* add_whole_numbers(CLI::App& app, const std::string& name, std::vector<int64_t>& values,
                               int64_t least, int64_t most, const std::string& what) {
  auto read = [=, &values](const CLI::results_t& given) {
    values.clear();
    for (auto& text : given)
      for (auto& item : split(text)) {
        const std::string fault = whole_number_fault<int64_t>(item, least, most);
        if (!fault.empty()) throw CLI::ValidationError(name, fault);
        values.push_back(*read_number<int64_t>(item));
      }
    return true;
  };
  return app
      .add_option(name, read, what, false,
                  [&values] { return fmt::format("[{}]", fmt::join(values, ",")); })
      ->type_name("TEXT")
      ->expected(CLI::detail::expected_max_vector_size)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void complete_options(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const bool flag = option->get_items_expected_max() == 0;
    option->transform(CLI::Validator(flag ? truth : not_empty, ""));
  }
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    complete_options(*command);
}

}  // namespace star::cli
