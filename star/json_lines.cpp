#include "star/json_lines.h"

#include "core/error.h"
#include "core/json.h"

namespace star::synthesis {
namespace {

// The text of one line.
std::string document(std::string_view line, const std::string& field, const std::string& place) {
  nlohmann::json json = parse_json(line, place);
  require(json.is_object(), "{}: {} where an object should be", place, json.type_name());
  const auto found = json.find(field);
  require(found != json.end(), "{}: no field `{}`; --text-field names another", place, field);
  require(found->is_string(), "{}: `{}` is {}, not text", place, field, found->type_name());
  return std::move(found->get_ref<std::string&>());
}

}  // namespace

bool is_json_lines(const std::string& path) {
  return path.ends_with(".jsonl") || path.ends_with(".ndjson");
}

TextFile parse_json_lines(std::string_view content, const std::string& path,
                          const std::string& field) {
  TextFile file{path, {}};
  bool first = true;
  for (size_t number = 1; !content.empty(); ++number) {
    const std::string_view line = content.substr(0, content.find('\n'));
    content.remove_prefix(std::min(line.size() + 1, content.size()));
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    if (!first) {
      file.separators.push_back(file.text.size());
      file.text += '\0';
    }
    first = false;
    file.text += document(line, field, fmt::format("{}, line {}", path, number));
  }
  return file;
}

}  // namespace star::synthesis
