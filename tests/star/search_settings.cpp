#include "star/search_settings.h"

#include <doctest/doctest.h>

#include <string>

#include "core/error.h"

using namespace star;

namespace {

// The settings as JSON without one line, that of `name`.
std::string without(const std::string& name) {
  std::string text = settings_to_json(SearchSettings());
  size_t begin = text.find("  \"" + name + "\"");
  return text.erase(begin, text.find('\n', begin) + 1 - begin);
}

}  // namespace

TEST_CASE(
    "a run file that names no device was made on the CPU, every other setting must be there") {
  CHECK(settings_from_json(without("device")).device == "cpu");
  CHECK_THROWS_WITH_AS(settings_from_json(without("width")),
                       "run file: the setting `width` is missing", Error);
}
