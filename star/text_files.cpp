// Reading the text of files.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/file.h"
#include "star/data_files.h"
#include "star/json_lines.h"

namespace star::synthesis {
namespace {

TextFiles without_empty(TextFiles text, const std::string& place) {
  std::erase_if(text.files, [](const auto& file) { return file.text.empty(); });
  require(!text.files.empty(), "{}: no text, only empty files", place);
  return text;
}

}  // namespace

TextFiles read_text(const std::string& place, const std::string& field) {
  return read_text(find_data(place), place, field);
}

TextFiles read_text(const DataFiles& found, const std::string& place, const std::string& field) {
  TextFiles text{{}, found.left_out, found.no_text};
  for (const auto& path : found.texts) {
    if (is_json_lines(path))
      text.files.push_back(parse_json_lines(read_file(path), path, field));
    else
      text.files.push_back({path, read_file(path)});
  }
  return without_empty(std::move(text), place);
}

TextFiles text_of_standard_input(const std::string& field) {
  const std::string name = "standard input";
  require(!::isatty(STDIN_FILENO), "{}: is a terminal, and no data", name);
  std::string content;
  std::array<char, 1 << 16> block;
  while (true) {
    const ssize_t n = ::read(STDIN_FILENO, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    require(n >= 0, "{}: {}", name, std::strerror(errno));
    if (n == 0) break;
    content.append(block.data(), size_t(n));
  }
  TextFile file{name, {}};
  if (field.empty())
    file.text = std::move(content);
  else
    file = parse_json_lines(content, name, field);
  return without_empty({{std::move(file)}, {}, {}}, name);
}

std::string warning_of(const TextFiles& text) {
  constexpr size_t kNamed = 3;
  const auto& out = text.left_out;
  if (!text.no_text.empty()) return fmt::format("it is {}, and read as text", text.no_text);
  if (out.empty()) return "";
  uint64_t left = 0, all = 0;
  for (const auto& file : out) left += file.bytes;
  for (const auto& file : text.files) all += file.text.size();
  std::vector<std::string> named;
  for (size_t i = 0; i < std::min(out.size(), kNamed); ++i)
    named.push_back(fmt::format("{} ({})", out[i].path, out[i].why));
  if (out.size() > kNamed) named.push_back(fmt::format("{} more", out.size() - kNamed));
  return fmt::format("left out {} of {} files, {:.1f} % of the bytes: {}", out.size(),
                     out.size() + text.files.size(), 100 * double(left) / double(left + all),
                     fmt::join(named, ", "));
}

}  // namespace star::synthesis
