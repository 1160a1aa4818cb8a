#include "star/token_files.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>

#include "core/mapped_file.h"
#include "core/npy.h"

namespace star::synthesis {
namespace {

// What files of llm.c begin with (its dev/data/data_common.py).
struct Mark {
  int32_t mark, version;
  TokenType type;
};
constexpr Mark kMarks[] = {{20240520, 1, TokenType::u16}, {20240801, 7, TokenType::u32}};
constexpr size_t kMarkedHeader = 256 * sizeof(int32_t);

const std::map<std::string, TokenType> kNumpyTypes = {{"|u1", TokenType::u8},
                                                      {"<u2", TokenType::u16},
                                                      {"<u4", TokenType::u32},
                                                      {"<i4", TokenType::i32},
                                                      {"<i8", TokenType::i64}};

Tokens parse_numpy(std::shared_ptr<const void> owner, std::string_view content,
                   const std::string& path) {
  const NpyHeader header = parse_npy_header(content, path);
  const auto type = kNumpyTypes.find(header.descr);
  require(type != kNumpyTypes.end(),
          "{}: elements of type '{}' are no tokens, which are uint8, uint16, uint32, int32 or "
          "int64, little-endian",
          path, header.descr);
  require(header.shape.size() == 1, "{}: an array of {} dimensions, tokens have one", path,
          header.shape.size());
  const size_t count = size_t(header.shape[0]), width = width_of(type->second),
               bytes = content.size() - header.size;
  require(bytes % width == 0 && bytes / width == count,
          "{}: {} tokens need {} bytes each, {} follow", path, count, width, bytes);
  return {std::move(owner), content.data() + header.size, count, type->second};
}

Tokens parse_binary(std::shared_ptr<const void> owner, std::string_view content,
                    const std::string& path) {
  std::array<int32_t, 3> head = {};
  if (content.size() >= kMarkedHeader) std::memcpy(head.data(), content.data(), sizeof head);
  for (const Mark& known : kMarks) {
    if (head[0] != known.mark) continue;
    require(head[1] == known.version, "{}: version {} of its format is unknown", path, head[1]);
    const size_t bytes = content.size() - kMarkedHeader, width = width_of(known.type);
    require(head[2] >= 0 && bytes == size_t(head[2]) * width,
            "{}: its header tells of {} tokens of {} bytes, {} bytes follow", path, head[2], width,
            bytes);
    return {std::move(owner), content.data() + kMarkedHeader, size_t(head[2]), known.type};
  }
  require(content.size() % 2 == 0, "{}: {} bytes are no tokens of two bytes each", path,
          content.size());
  return {std::move(owner), content.data(), content.size() / 2, TokenType::u16};
}

// What one look at all numbers tells. The hash runs in lanes, so that it does not wait for itself.
struct Survey {
  std::array<uint64_t, 4> lanes = {1, 2, 3, 4};
  int64_t least = 0, largest = 0;
  size_t count = 0;

  void add(const Tokens& tokens) {
    tokens.for_each([&](int64_t token) {
      uint64_t& lane = lanes[count++ % 4];
      lane = (lane ^ uint64_t(token)) * 0x9e3779b97f4a7c15u;
      lane ^= lane >> 32;
      least = std::min(least, token);
      largest = std::max(largest, token);
    });
  }
  uint64_t hash() const {
    uint64_t all = count;
    for (uint64_t lane : lanes) all = (all ^ lane) * 0x9e3779b97f4a7c15u + (all >> 29);
    return all;
  }
};

[[noreturn]] void fail_for_token(const Tokens& tokens, int64_t vocab, const std::string& path) {
  int64_t index = 0, found = -1, token = 0;
  tokens.for_each([&](int64_t t) {
    if (found < 0 && (t < 0 || t >= vocab)) {
      found = index;
      token = t;
    }
    ++index;
  });
  fail("{}: token {} at index {} is not in the vocabulary, 0…{}", path, token, found, vocab - 1);
}

}  // namespace

bool is_token_file(const std::string& path) {
  return path.ends_with(".bin") || path.ends_with(".npy");
}

Tokens parse_tokens(std::shared_ptr<const void> owner, std::string_view content,
                    const std::string& path) {
  return path.ends_with(".npy") ? parse_numpy(std::move(owner), content, path)
                                : parse_binary(std::move(owner), content, path);
}

Tokens open_tokens(const std::string& path) {
  auto file = std::make_shared<MappedFile>(path);
  const std::string_view content = file->bytes();
  return parse_tokens(std::move(file), content, path);
}

TokenFiles open_token_files(const std::vector<std::string>& paths, int64_t vocab) {
  constexpr int64_t kMost = int64_t(1) << 24;  // as of a model
  TokenFiles all;
  uint64_t hash = 0, count = 0;
  for (const std::string& path : paths) {
    const Tokens tokens = open_tokens(path);
    Survey survey;
    survey.add(tokens);
    MappedFile::require_whole();
    const int64_t limit = vocab > 0 ? vocab : kMost;
    if (survey.least < 0 || survey.largest >= limit) fail_for_token(tokens, limit, path);
    if (tokens.size() == 0) continue;
    hash = hash * 0x100000001b3u + survey.hash();
    count += tokens.size();
    all.largest = std::max(all.largest, survey.largest);
    all.files.push_back(cut(path, tokens));
  }
  all.identity = fmt::format("{} tokens in {} files, {:016x}", count, all.files.size(), hash);
  return all;
}

}  // namespace star::synthesis
