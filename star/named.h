// A choice by name, of the rows of a table: what the command line, the run file and the code call
// by the same word.
//
// A row has a `name`; the whole table is Row::rows(), and Row::refuse throws Error for a name that
// it lacks. Help, completion, the refusal of other names and the tests follow from these.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace star::synthesis {

template <class Row>
class Named {
 public:
  // Of the row of this name. Throws Error where there is none.
  Named(std::string_view name) : row_(find(name)) {}
  Named(const char* name) : Named(std::string_view(name)) {}
  Named(const std::string& name) : Named(std::string_view(name)) {}

  const char* name() const { return row_->name; }
  const Row* operator->() const { return row_; }
  const Row& operator*() const { return *row_; }
  bool operator==(const Named&) const = default;

  static const std::vector<Row>& rows() { return Row::rows(); }
  static std::vector<Named> all() {
    std::vector<Named> all;
    for (auto& row : rows()) all.push_back(Named(row.name));
    return all;
  }
  static std::vector<std::string> names() {
    std::vector<std::string> names;
    for (auto& row : rows()) names.push_back(row.name);
    return names;
  }

 private:
  static const Row* find(std::string_view name) {
    for (auto& row : rows())
      if (name == row.name) return &row;
    Row::refuse(name);
  }

  const Row* row_;
};

template <class Json, class Row>
void to_json(Json& json, const Named<Row>& named) {
  json = named.name();
}
template <class Json, class Row>
void from_json(const Json& json, Named<Row>& named) {
  named = Named<Row>(json.template get<std::string>());
}

}  // namespace star::synthesis

template <class Row>
struct fmt::formatter<star::synthesis::Named<Row>> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const star::synthesis::Named<Row>& named, Context& context) const {
    return fmt::formatter<std::string_view>::format(named.name(), context);
  }
};
