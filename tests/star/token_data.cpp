#include "star/token_data.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.h"
#include "core/file.h"
#include "core/npy.h"
#include "core/rng.h"
#include "star/data_files.h"
#include "star/data_source.h"
#include "star/json_lines.h"
#include "star/text.h"
#include "star/token_files.h"
#include "tests/fault.h"
#include "tests/temporary.h"

using namespace star;
using namespace star::synthesis;

namespace {

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

template <class T>
std::string marked(int32_t mark, int32_t version, int32_t count, const std::vector<T>& values) {
  std::vector<int32_t> header(256);
  header[0] = mark;
  header[1] = version;
  header[2] = count;
  return raw(header) + raw(values);
}

std::string numpy(const std::string& descr, const std::string& shape, const std::string& data) {
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}\n", descr, shape);
  return std::string("\x93NUMPY\x01\x00", 8) + char(header.size()) + '\0' + header + data;
}

std::vector<int64_t> numbers(const Tokens& tokens) {
  std::vector<int64_t> all;
  tokens.for_each([&](int64_t token) { all.push_back(token); });
  for (size_t i = 0; i < all.size(); ++i)
    if (all[i] >= 0 && all[i] < 1 << 24) CHECK(tokens[i] == all[i]);
  return all;
}

std::vector<int64_t> parsed(const std::string& content, const std::string& name) {
  return numbers(parse_tokens(nullptr, content, name));
}

struct Folder : TemporaryFolder {
  std::string put(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((path / name).parent_path());
    const std::string_view piece = content;
    write_file(file(name), {&piece, 1});
    return file(name);
  }
};

}  // namespace

TEST_CASE("tokens: every form of file is read as it was written") {
  const std::vector<int64_t> want = {0, 7, 255, 1, 2};
  const std::vector<uint8_t> u8(want.begin(), want.end());
  const std::vector<uint16_t> u16(want.begin(), want.end());
  const std::vector<uint32_t> u32(want.begin(), want.end());
  CHECK(parsed(raw(u16), "a.bin") == want);
  CHECK(parsed(marked(20240520, 1, 5, u16), "a.bin") == want);
  CHECK(parsed(marked(20240801, 7, 5, u32), "a.bin") == want);
  CHECK(parsed(numpy("|u1", "(5,)", raw(u8)), "a.npy") == want);
  CHECK(parsed(numpy("<u2", "(5,)", raw(u16)), "a.npy") == want);
  CHECK(parsed(numpy("<u4", "(5,)", raw(u32)), "a.npy") == want);
  CHECK(parsed(numpy("<i4", "(5,)", raw(u32)), "a.npy") == want);
  CHECK(parsed(numpy("<i8", "(5,)", raw(want)), "a.npy") == want);
  CHECK(parsed("", "a.bin").empty());
  const std::vector<uint16_t> large = {0xffff, 50256};
  CHECK(parsed(raw(large), "a.bin") == std::vector<int64_t>{65535, 50256});
}

TEST_CASE("tokens: a damaged file is an error that names it") {
  const std::vector<uint16_t> five(5);
  for (const auto& [content, said] : {
           std::pair<std::string, std::string>{raw(five) + "x", "11 bytes"},
           {marked(20240520, 2, 5, five), "version 2"},
           {marked(20240520, 1, 6, five), "6 tokens"},
           {marked(20240520, 1, -5, five), "-5 tokens"},
           {marked(20240801, 7, 5, five), "5 tokens"},
       })
    CHECK_MESSAGE(fault_of([&] { parsed(content, "a.bin"); }).find(said) != std::string::npos,
                  said);
  for (const auto& [content, said] : {
           std::pair<std::string, std::string>{numpy("<f4", "(5,)", std::string(20, 0)), "'<f4'"},
           {numpy(">u2", "(5,)", raw(five)), "'>u2'"},
           {numpy("<u2", "(5, 1)", raw(five)), "2 dimensions"},
           {numpy("<u2", "()", std::string(2, 0)), "0 dimensions"},
           {numpy("<u2", "(6,)", raw(five)), "6 tokens"},
           {numpy("<u2", "(9223372036854775807,)", raw(five)), "9223372036854775807 tokens"},
           {"text", "not a NumPy file"},
       })
    CHECK_MESSAGE(fault_of([&] { parsed(content, "a.npy"); }).find(said) != std::string::npos,
                  said);
}

TEST_CASE("tokens: one outside the vocabulary is named with its file and its place") {
  Folder folder;
  const std::vector<int64_t> values = {0, 3, 1, 4, 1, 5};
  const std::string path = folder.put("a.npy", numpy("<i8", "(6,)", raw(values)));
  CHECK(fault_of([&] { open_token_files({path}, 4); }) ==
        path + ": token 4 at index 3 is not in the vocabulary, 0…3");
  CHECK(open_token_files({path}, 6).largest == 5);
  const std::vector<int64_t> negative = {0, 1, -2};
  const std::string other = folder.put("b.npy", numpy("<i8", "(3,)", raw(negative)));
  CHECK(fault_of([&] {
          open_token_files({path, other}, 0);
        }).find(other + ": token -2 at index 2") == 0);
  const std::vector<int64_t> vast = {int64_t(1) << 40};
  const std::string third = folder.put("c.npy", numpy("<i8", "(1,)", raw(vast)));
  CHECK(fault_of([&] { open_token_files({third}, 0); }).find("token 1099511627776") !=
        std::string::npos);
}

TEST_CASE("tokens: shards are data as texts are, whatever their form") {
  Rng rng(3, "test.tokens");
  Folder folder;
  std::vector<TextFile> texts;
  for (int shard = 0; shard < 3; ++shard) {
    std::string text;
    for (int i = 0; i < 300 + 50 * shard; ++i) text += char('a' + rng.below(20));
    const std::vector<uint16_t> u16(text.begin(), text.end());
    const std::vector<int32_t> i32(text.begin(), text.end());
    const std::string name = fmt::format("s{}", shard);
    shard == 1 ? folder.put(name + ".npy", numpy("<i4", fmt::format("({},)", i32.size()), raw(i32)))
               : folder.put(name + ".bin", raw(u16));
    texts.push_back({name, text});
  }
  const TextData want(texts, 16, "text");
  for (const std::string& place :
       {folder.path.string(), folder.file("s*"), folder.file("s[0-2].*")}) {
    const OpenedData opened = open_data({.path = place}, 16);
    CHECK(opened.warning.find(fmt::format("a vocabulary of {}", opened.data->vocab())) == 0);
    CHECK(opened.data->vocab() == 'a' + 20);
    CHECK(opened.data->token_bytes().empty());
    CHECK(opened.data->train_batch(1, 2, 9).tokens == want.train_batch(1, 2, 9).tokens);
    CHECK(opened.data->train_batch(1, 2, 9).targets == want.train_batch(1, 2, 9).targets);
    for (Split split : {Split::train, Split::validation, Split::test}) {
      const auto all = want.sample(split, 0);
      CHECK(opened.data->sample(split, 0) == all);
      CHECK(opened.data->evaluation(split, all).targets == want.evaluation(split, all).targets);
    }
    const OpenedData said = open_data({.path = place, .vocab = 500}, 16);
    CHECK(said.warning.empty());
    CHECK(said.data->vocab() == 500);
    CHECK(said.data->identity() == opened.data->identity());
  }
  const std::string before = open_data({.path = folder.path}, 16).data->identity();
  std::string changed = read_file(folder.file("s2.bin"));
  changed[100] ^= 1;
  folder.put("s2.bin", changed);
  CHECK(open_data({.path = folder.path}, 16).data->identity() != before);
}

TEST_CASE("tokens: beside text they are left out, and that is said") {
  Folder folder;
  folder.put("a.txt", "hello");
  folder.put("b.bin", "1234");
  const TextFiles text = read_text(folder.path);
  CHECK(text.files.size() == 1);
  CHECK(warning_of(text).find("b.bin (a file of tokens)") != std::string::npos);
}

TEST_CASE("data: a list names files, by paths from its own folder, in its order") {
  Folder folder;
  folder.put("texts/b.txt", "B");
  folder.put("texts/a.txt", "A");
  folder.put("texts/more/c.txt", "C");
  const std::string list = folder.put("texts/list", "b.txt\r\n\nmore\na.txt\nb.txt\n");
  std::string all;
  for (const auto& file : read_text("@" + list).files) all += file.text;
  CHECK(all == "BCA");
  const std::string wrong = folder.put("wrong", "absent.txt\n");
  CHECK(fault_of([&] { find_data("@" + wrong); }).find("absent.txt: no such file") !=
        std::string::npos);
  CHECK(fault_of([&] { find_data("@" + folder.put("none", "\n")); }).find("names no file") !=
        std::string::npos);
  CHECK(fault_of([&] { find_data(folder.file("*.none")); }).find("no file matches") !=
        std::string::npos);
  // A file that exists is no pattern.
  folder.put("[x]*.txt", "pattern");
  CHECK(read_text(folder.file("[x]*.txt")).files.at(0).text == "pattern");
}

TEST_CASE("json lines: documents, with a byte between them") {
  const TextFile file = parse_json_lines(
      "{\"text\":\"one\\n\",\"n\":1}\r\n\n  \n{\"n\":2,\"text\":\"\\u00e4\"}\n{\"text\":\"\"}", "f",
      "text");
  CHECK(file.text == std::string("one\n\0\xc3\xa4\0", 8));
  CHECK(file.separators == std::vector<size_t>{4, 7});
  for (const auto& [content, said] : {
           std::pair<std::string, std::string>{"{\"text\":\"a\"}\n{\"text\":", "f, line 2"},
           {"\n[1]\n", "f, line 2: array"},
           {"{\"body\":\"a\"}", "no field `text`"},
           {"{\"text\":3}", "`text` is number"},
           {"{\"text\":\"\xff\"}", "f, line 1"},
       })
    CHECK_MESSAGE(
        fault_of([&] { parse_json_lines(content, "f", "text"); }).find(said) != std::string::npos,
        said);
  Folder folder;
  folder.put("a.jsonl", "{\"body\":\"one\"}\n{\"body\":\"two\"}\n");
  CHECK(read_text(folder.path, "body").files.at(0).text == std::string("one\0two", 7));
}
