// Numbers as people write them: decimal, the whole of the text, and none cut down to fit.
#pragma once

#include <charconv>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"

namespace star {

// None where the text is anything else than one number that T can hold.
template <class T>
std::optional<T> read_number(std::string_view text) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Why the text is no whole number from `least` to `most`; empty where it is one.
template <class T>
std::string whole_number_fault(std::string_view text, T least, T most) {
  const std::optional<T> value = read_number<T>(text);
  if (value && *value >= least && *value <= most) return "";
  const std::string_view digits = text.substr(text.starts_with('-'));
  const std::string_view shown = text.substr(0, 40);
  if (text.empty()) return "an empty text is not a whole number";
  if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos)
    return fmt::format("{} is not a whole number", shown);
  if (least == std::numeric_limits<T>::min() && most == std::numeric_limits<T>::max())
    return fmt::format("{} is not a whole number of {} bits", shown, 8 * sizeof(T));
  return fmt::format("{} is not in [{} - {}]", shown, least, most);
}

// Error, which begins with `name`: the text is no whole number from `least` to `most`.
template <class T>
T whole_number(std::string_view text, T least, T most, const std::string& name) {
  const std::string fault = whole_number_fault(text, least, most);
  require(fault.empty(), "{}: {}", name, fault);
  return *read_number<T>(text);
}

}  // namespace star
