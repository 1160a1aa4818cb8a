#include "star/pack.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/error.h"

namespace star::synthesis {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "STARPACK";

template <class T>
void append(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::string_view take(std::string_view& rest, uint64_t bytes) {
  require(bytes <= rest.size(), "packed text is cut short");
  auto head = rest.substr(0, bytes);
  rest.remove_prefix(bytes);
  return head;
}

template <class T>
T take_number(std::string_view& rest) {
  T number;
  std::memcpy(&number, take(rest, sizeof number).data(), sizeof number);
  return number;
}

}  // namespace

std::string pack(std::vector<TextFile> files) {
  std::sort(files.begin(), files.end(), [](auto& a, auto& b) { return a.name < b.name; });
  std::string out(kMagic);
  append(out, uint32_t(files.size()));
  for (const auto& file : files) {
    append(out, uint32_t(file.name.size()));
    append(out, uint64_t(file.text.size()));
    out += file.name;
    out += file.text;
  }
  return out;
}

std::vector<TextFile> unpack(std::span<const char> bytes) {
  std::string_view rest(bytes.data(), bytes.size());
  require(rest.starts_with(kMagic), "not packed text");
  rest.remove_prefix(kMagic.size());
  std::vector<TextFile> files;
  for (auto left = take_number<uint32_t>(rest); left > 0; --left) {
    auto name_length = take_number<uint32_t>(rest);
    auto text_length = take_number<uint64_t>(rest);
    std::string name(take(rest, name_length));
    files.push_back({std::move(name), std::string(take(rest, text_length))});
  }
  require(rest.empty(), "{} bytes after the packed text", rest.size());
  return files;
}

}  // namespace star::synthesis
