#include "core/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"

namespace star {
namespace {

static_assert(std::endian::native == std::endian::little);

using Json = nlohmann::json;

constexpr uint64_t kMaxHeader = 100'000'000;  // the bound of the format's reference reader
constexpr int kMaxDepth = 3;                  // file, tensor, list
constexpr const char* kMetadataKey = "__metadata__";

constexpr std::pair<std::string_view, int64_t> kWidths[] = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
    {"U16", 2},  {"I16", 2}, {"F16", 2}, {"BF16", 2},    {"U32", 4},
    {"I32", 4},  {"F32", 4}, {"U64", 8}, {"I64", 8},     {"F64", 8},
};

// The library keeps one of two equal keys and nests without bound; here both are faults.
Json parse_header(std::string_view text, const std::string& file) {
  std::vector<std::set<std::string>> keys(kMaxDepth + 1);
  auto check = [&](int depth, Json::parse_event_t event, Json& value) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      require(depth < kMaxDepth, "{}: header nests too deep", file);
      keys[size_t(depth) + 1].clear();
    } else if (event == Event::key) {
      auto key = value.get<std::string>();
      require(keys[size_t(depth)].insert(key).second, "{}: header has '{}' twice", file, key);
    }
    return true;
  };
  try {
    return Json::parse(text, check);
  } catch (const Json::exception& e) {
    fail("{}: header is no JSON: {}", file, json_fault(text, e));
  }
}

std::vector<int64_t> read_counts(const Json& list, const std::string& place) {
  require(list.is_array(), "{} is no list", place);
  std::vector<int64_t> counts;
  for (const Json& item : list) {
    bool ok = item.is_number_unsigned() && item.get<uint64_t>() <= uint64_t(INT64_MAX);
    require(ok, "{} must hold whole numbers from 0 to 2^63-1", place);
    counts.push_back(item.get<int64_t>());
  }
  return counts;
}

// Bytes of an array, or −1 where that overflows.
int64_t byte_count(const std::vector<int64_t>& shape, int64_t width) {
  int64_t bytes = width;
  for (int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes)) return -1;
  return bytes;
}

TensorView read_entry(const std::string& name, const Json& entry, std::string_view data,
                      const std::string& file) {
  auto place = fmt::format("{}: tensor '{}'", file, name);
  require(entry.is_object(), "{} is no object", place);
  for (const auto& [key, value] : entry.items())
    require(key == "dtype" || key == "shape" || key == "data_offsets", "{}: unknown key '{}'",
            place, key);
  for (const char* key : {"dtype", "shape", "data_offsets"})
    require(entry.contains(key), "{} has no '{}'", place, key);

  TensorView view;
  view.name = name;
  require(entry["dtype"].is_string(), "{}: dtype is no text", place);
  view.dtype = entry["dtype"].get<std::string>();
  require(dtype_width(view.dtype) > 0, "{}: unknown dtype '{}'", place, view.dtype);
  view.shape = read_counts(entry["shape"], place + ": shape");

  auto offsets = read_counts(entry["data_offsets"], place + ": data_offsets");
  require(offsets.size() == 2 && offsets[0] <= offsets[1], "{}: data_offsets is no [begin, end]",
          place);
  require(uint64_t(offsets[1]) <= data.size(), "{} ends at byte {} of {}: the file is cut short",
          place, offsets[1], data.size());
  int64_t bytes = byte_count(view.shape, dtype_width(view.dtype));
  require(bytes >= 0, "{}: shape overflows", place);
  require(bytes == offsets[1] - offsets[0], "{}: shape [{}] of {} needs {} bytes, offsets give {}",
          place, fmt::join(view.shape, ", "), view.dtype, bytes, offsets[1] - offsets[0]);
  auto part = data.substr(size_t(offsets[0]), size_t(bytes));
  view.bytes = std::as_bytes(std::span(part.data(), part.size()));
  return view;
}

Metadata read_metadata(const Json& entry, const std::string& file) {
  require(entry.is_object(), "{}: {} is no object", file, kMetadataKey);
  Metadata metadata;
  for (const auto& [key, value] : entry.items()) {
    require(value.is_string(), "{}: {}: '{}' is no text", file, kMetadataKey, key);
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

void check_tiling(const std::vector<TensorView>& tensors, std::string_view data,
                  const std::string& file) {
  size_t end = 0;
  for (const auto& tensor : tensors) {
    size_t begin = size_t(reinterpret_cast<const char*>(tensor.bytes.data()) - data.data());
    require(begin == end, "{}: tensor '{}' starts at byte {} where {} is due: {}", file,
            tensor.name, begin, end, begin < end ? "overlap" : "gap");
    end += tensor.bytes.size();
  }
  require(end == data.size(), "{}: {} bytes after the last tensor", file, data.size() - end);
}

}  // namespace

int64_t dtype_width(std::string_view dtype) {
  for (auto [name, width] : kWidths)
    if (name == dtype) return width;
  return 0;
}

SafeTensors SafeTensors::open(const std::string& path) { return parse(read_file(path), path); }

SafeTensors SafeTensors::parse(std::string content, const std::string& name) {
  SafeTensors result;
  // A vector, unlike a short string, keeps its bytes in place when it is moved.
  result.content_.assign(content.begin(), content.end());
  content = {};
  std::string_view rest(result.content_.data(), result.content_.size());

  uint64_t length = 0;
  require(rest.size() >= sizeof length, "{}: {} bytes, too short for safetensors", name,
          rest.size());
  std::memcpy(&length, rest.data(), sizeof length);
  rest.remove_prefix(sizeof length);
  require(length <= kMaxHeader && length <= rest.size(),
          "{}: header of {} bytes in a file of {}: no safetensors file, or cut short", name, length,
          result.content_.size());
  std::string_view header = rest.substr(0, length), data = rest.substr(length);
  require(header.starts_with('{'), "{}: header is no JSON object", name);

  Json json = parse_header(header, name);
  for (const auto& [key, entry] : json.items()) {
    if (key == kMetadataKey) {
      result.metadata_ = read_metadata(entry, name);
    } else {
      result.tensors_.push_back(read_entry(key, entry, data, name));
    }
  }
  // An empty array stands before the one that starts at the same byte.
  std::stable_sort(result.tensors_.begin(), result.tensors_.end(), [](auto& a, auto& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  check_tiling(result.tensors_, data, name);
  return result;
}

const TensorView* SafeTensors::find(std::string_view name) const {
  for (const auto& tensor : tensors_)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

void write_safetensors(const std::string& path, std::span<const TensorView> tensors,
                       const Metadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  std::set<std::string> names{kMetadataKey};
  std::vector<std::string_view> pieces(2);
  int64_t offset = 0;
  for (const auto& tensor : tensors) {
    auto place = fmt::format("{}: tensor '{}'", path, tensor.name);
    require(names.insert(tensor.name).second, "{}: name is taken", place);
    require(dtype_width(tensor.dtype) > 0, "{}: unknown dtype '{}'", place, tensor.dtype);
    int64_t bytes = byte_count(tensor.shape, dtype_width(tensor.dtype));
    require(bytes >= 0 && uint64_t(bytes) == tensor.bytes.size(),
            "{}: {} bytes do not fill shape [{}] of {}", place, tensor.bytes.size(),
            fmt::join(tensor.shape, ", "), tensor.dtype);
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
    pieces.emplace_back(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  }

  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail("{}: a name or metadata is not UTF-8", path);
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t length = text.size();
  require(length <= kMaxHeader, "{}: header of {} bytes exceeds the format's {}", path, length,
          kMaxHeader);
  pieces[0] = {reinterpret_cast<const char*>(&length), sizeof length};
  pieces[1] = text;
  write_file(path, pieces);
}

}  // namespace star
