// Roles and parameters: their texts, and what is found by them.
#include "liv/role.h"

#include <doctest/doctest.h>

#include <set>

#include "core/error.h"
#include "cpu/cpu.h"
#include "liv/featurizer.h"
#include "tests/liv/models.h"

namespace star::liv {

TEST_CASE("role: each has a text of its own, from which it is read") {
  CHECK(fmt::format("{}", fmt::join(texts_of(kRoles), " ")) ==
        "q k v C B z dt a beta kernel filter gate");
  for (Role role : kRoles) CHECK(role_of(text_of(role)) == role);
  for (const char* text : {"", "w", "Q", "qk", "b", "query"}) CHECK(!role_of(text));
}

TEST_CASE("role: what reads, writes, is a kernel, and is there once") {
  std::string reading, writing, kernels, once;
  for (Role role : kRoles) {
    const std::string text = text_of(role) + std::string(" ");
    if (reads(role)) reading += text;
    if (writes(role)) writing += text;
    if (is_kernel(role)) kernels += text;
    if (!makes_map(role)) once += text;
  }
  CHECK(reading == "q C ");
  CHECK(writing == "k B ");
  CHECK(kernels == "kernel filter ");
  CHECK(once == "v z ");
}

TEST_CASE("parameters: no two of an operator have one name, and each is found by its key") {
  for (const LivClass& liv : extended_pool().classes) {
    INFO(liv.name);
    Exec exec(cpu_backend());
    Tape tape(exec, false);
    const std::vector<ParameterSpec> specs = Operator(liv, {8, 2, 11, 16, 4}).parameters(1);
    std::vector<Var> list;
    Places places;
    std::set<std::string> names;
    for (const ParameterSpec& spec : specs) {
      CHECK(names.insert(spec.name()).second);
      CHECK(spec.name().starts_with("0.") == (spec.part == 0));
      CHECK(spec.name().starts_with("1.") == (spec.part == 1));
      places.put(spec, int(list.size()));
      list.push_back(tape.constant(exec.full({1}, DType::f64, double(list.size()))));
    }
    const Weights weights(list, places);
    for (size_t i = 0; i < specs.size(); ++i)
      for (int part = 0; part < kParts; ++part) {
        // What the parts share is found from each; of a part, it is another's there.
        const double found = weights.part(part)[specs[i].key].value().item();
        CHECK((found == double(i)) == (!specs[i].part || specs[i].part == part));
      }
    CHECK_THROWS_WITH_AS(weights[ParameterKey(Role::beta, Piece::w2)],
                         "parameter beta.w2 is missing", Error);
  }
}

TEST_CASE("features: the parts have their own, but one value and one output gate") {
  Exec exec(cpu_backend());
  Tape tape(exec, false);
  FeatureSet donor, follower;
  auto number = [&](double x) { return tape.constant(exec.full({1}, DType::f64, x)); };
  for (Role role : kRoles)
    for (int part = 0; part < kParts; ++part)
      donor.at(role, part) = number(double(2 * int(role) + part));
  for (Role role : kRoles) {
    INFO(std::string(text_of(role)));
    const double first = donor.part(0)[role].value().item();
    const double second = donor.part(1)[role].value().item();
    CHECK((first != second) == (role != Role::value && role != Role::z));
    CHECK(second == 2 * int(role) + 1);
    CHECK_THROWS_WITH_AS(follower.part(1)[role],
                         fmt::format("feature {} is missing", text_of(role)).c_str(), Error);
    follower.take(donor, role);
    CHECK(follower.part(0)[role].value().item() == first);
    CHECK(follower.part(1)[role].value().item() == second);
  }
}

}  // namespace star::liv
