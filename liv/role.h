// Roles: what a feature of an operator does in T(x) v (liv/README.md). Pool files, checkpoints and
// people read the text of a role; code says the word.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace star::liv {

// X(word, text), in the order in which they are told:
//   query, C        what token i reads with
//   key, B          what token j writes with
//   value           what is written
//   dt, a           how much of the past a token keeps
//   beta            how strongly a token writes
//   kernel, filter  the kernel of a convolution: its taps, or a function of the distance
//   gate            the entries of a diagonal
//   z               what scales the output
#define STAR_ROLES(X) \
  X(query, "q")       \
  X(key, "k")         \
  X(value, "v")       \
  X(C, "C")           \
  X(B, "B")           \
  X(z, "z")           \
  X(dt, "dt")         \
  X(a, "a")           \
  X(beta, "beta")     \
  X(kernel, "kernel") \
  X(filter, "filter") \
  X(gate, "gate")

enum class Role {
#define STAR_ROLE(word, text) word,
  STAR_ROLES(STAR_ROLE)
#undef STAR_ROLE
};

inline constexpr std::array kRoles = {
#define STAR_ROLE(word, text) Role::word,
    STAR_ROLES(STAR_ROLE)
#undef STAR_ROLE
};

const char* text_of(Role role);
std::vector<std::string> texts_of(std::span<const Role> roles);
std::optional<Role> role_of(std::string_view text);  // none of another text

constexpr bool reads(Role role) { return role == Role::query || role == Role::C; }
constexpr bool writes(Role role) { return role == Role::key || role == Role::B; }
// No token says it, so that it is no feature.
constexpr bool is_kernel(Role role) { return role == Role::kernel || role == Role::filter; }
// What T is made of: all but the value and the output gate z.
constexpr bool makes_map(Role role) { return role != Role::value && role != Role::z; }

}  // namespace star::liv
