// How a genome was trained or measured. The run file keeps each result under such a text, which is
// written and read here.
#pragma once

#include <fmt/format.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace star::synthesis {

class Recipe {
 public:
  // As the search trains a candidate to its end: "search".
  Recipe() : Recipe("search") {}
  // Any text. What is not of the search says nothing but that it is another than other texts.
  Recipe(std::string text);
  Recipe(const char* text) : Recipe(std::string(text)) {}

  // Until a step of that training: "search:rung=30".
  static Recipe at_rung(int64_t step);
  // Whole, with other starting weights and batches: "search:seed=1". 0 is the search's own seed.
  static Recipe of_seed(int number);
  // As the search would train what it has not bred.
  static Recipe baseline() { return "baseline"; }
  // The same with more said of it: "…,task=mqar".
  Recipe with(const std::string& name, const std::string& value) const;

  const std::string& text() const { return text_; }
  bool is_of_search() const { return kind_ != Kind::other; }
  bool is_whole() const { return kind_ == Kind::whole; }
  bool stops_at_rung() const { return kind_ == Kind::rung; }
  bool is_of_another_seed() const { return kind_ == Kind::seed; }
  // The step or the number of the seed, at least 1; nothing where the text says none.
  std::optional<int64_t> number() const { return number_; }

  bool operator==(const Recipe& other) const { return text_ == other.text_; }
  auto operator<=>(const Recipe& other) const { return text_ <=> other.text_; }

 private:
  enum class Kind { whole, rung, seed, other };
  std::string text_;
  Kind kind_ = Kind::other;
  std::optional<int64_t> number_;
};

}  // namespace star::synthesis

template <>
struct fmt::formatter<star::synthesis::Recipe> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const star::synthesis::Recipe& recipe, Context& context) const {
    return fmt::formatter<std::string_view>::format(recipe.text(), context);
  }
};
