#include "liv/role.h"

#include "core/error.h"

namespace star {

const char* text_of(Role role) {
  switch (role) {
#define STAR_ROLE(word, text) \
  case Role::word:            \
    return text;
    STAR_ROLES(STAR_ROLE)
#undef STAR_ROLE
  }
  fail("a role without a text");
}

std::vector<std::string> texts_of(std::span<const Role> roles) {
  std::vector<std::string> texts;
  for (Role role : roles) texts.push_back(text_of(role));
  return texts;
}

std::optional<Role> role_of(std::string_view text) {
  for (Role role : kRoles)
    if (text == text_of(role)) return role;
  return std::nullopt;
}

}  // namespace star
