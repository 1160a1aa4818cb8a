#include "core/safetensors.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "core/rng.h"
#include "tests/temporary.h"

using namespace star;

namespace {

// A file from the text of its header and its data.
std::string assemble(const std::string& header, const std::string& data) {
  uint64_t n = header.size();
  std::string content(sizeof n, '\0');
  std::memcpy(content.data(), &n, sizeof n);
  return content + header + data;
}

std::string fault_of(const std::string& content) {
  try {
    SafeTensors::parse(content, "file");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

std::string fault_of(const std::string& header, const std::string& data) {
  return fault_of(assemble(header, data));
}

struct Sample {
  std::vector<std::string> storage;
  std::vector<TensorView> tensors;
};

Sample random_tensors(Rng& rng) {
  Sample sample;
  const char* dtypes[] = {"F32", "F64", "BF16", "I64", "U8", "BOOL"};
  int count = int(rng.below(6));
  sample.storage.resize(size_t(count));
  for (int i = 0; i < count; ++i) {
    TensorView view;
    view.name = fmt::format("t.{}\"\xc3\xa9", i);
    view.dtype = dtypes[rng.below(6)];
    int64_t bytes = dtype_width(view.dtype);
    for (int rank = int(rng.below(4)); rank > 0; --rank) {
      view.shape.push_back(rng.below(5));
      bytes *= view.shape.back();
    }
    auto& text = sample.storage[size_t(i)];
    for (int64_t b = 0; b < bytes; ++b) text.push_back(char(rng.bits()));
    view.bytes = std::as_bytes(std::span(text.data(), text.size()));
    sample.tensors.push_back(view);
  }
  return sample;
}

}  // namespace

TEST_CASE("safetensors: what is written is read") {
  TemporaryFolder folder;
  auto path = folder.file("round.safetensors");
  for (int trial = 0; trial < 50; ++trial) {
    Rng rng(1, "safetensors", uint64_t(trial));
    Sample sample = random_tensors(rng);
    Metadata metadata{{"format", "x"}, {"config", "{\"a\": [1]}"}};
    write_safetensors(path, sample.tensors, metadata);
    std::string first = read_file(path);
    write_safetensors(path, sample.tensors, metadata);
    CHECK(read_file(path) == first);
    CHECK_FALSE(std::filesystem::exists(path + ".tmp"));
    uint64_t header;
    std::memcpy(&header, first.data(), 8);
    CHECK(header % 8 == 0);

    SafeTensors file = SafeTensors::open(path);
    SafeTensors moved = std::move(file);
    CHECK(moved.metadata() == metadata);
    REQUIRE(moved.tensors().size() == sample.tensors.size());
    for (const auto& want : sample.tensors) {
      const TensorView* got = moved.find(want.name);
      REQUIRE(got);
      CHECK(got->dtype == want.dtype);
      CHECK(got->shape == want.shape);
      CHECK(std::ranges::equal(got->bytes, want.bytes));
    }
    CHECK_FALSE(moved.find("absent"));
  }
}

TEST_CASE("safetensors: a file as others write it") {
  // No padding, so the data is unaligned; entries not in the order of their bytes.
  auto content = assemble(R"({"b":{"dtype":"U8","shape":[],"data_offsets":[4,5]},)"
                          R"("a":{"shape":[1],"dtype":"F32","data_offsets":[0,4]}})",
                          std::string("\0\0\x80\x3f", 4) + "z");
  auto file = SafeTensors::parse(content, "file");
  REQUIRE(file.tensors().size() == 2);
  CHECK(file.tensors()[0].name == "a");
  float one;
  std::memcpy(&one, file.find("a")->bytes.data(), 4);
  CHECK(one == 1.0f);
  CHECK(file.find("b")->shape.empty());
  CHECK(SafeTensors::parse(assemble("{}  ", ""), "file").tensors().empty());
}

TEST_CASE("safetensors: each fault is an error that names file and tensor") {
  struct Case {
    const char* header;
    const char* data;
    const char* words;
  };
  const Case cases[] = {
      {R"([])", "", "no JSON object"},
      {R"( {})", "", "no JSON object"},
      {R"({"a":)", "", "no JSON"},
      {"{\"\xff\":{}}", "", "no JSON"},
      {R"({"a":1})", "", "'a' is no object"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", "1234", "'a' has no 'data_offsets'"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", "1234", "unknown key"},
      {R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", "1234", "unknown dtype"},
      {R"({"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}})", "1234", "dtype is no text"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "1234", "'a': shape"},
      {R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", "1234", "'a': shape"},
      {R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", "1234", "'a': shape is no list"},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})", "1234",
       "whole numbers"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", "1234",
       "overflows"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", "",
       "overflows"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234", "needs 8 bytes"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", "1234", "no [begin, end]"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", "1234", "no [begin, end]"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "123", "cut short"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "12345", "after the last"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "12", "gap"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
       R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       "123", "overlap"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
       R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
       "12", "'a' twice"},
      {R"({"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}})", "1", "twice"},
      {R"({"__metadata__":{"k":1}})", "", "'k' is no text"},
      {R"({"__metadata__":[]})", "", "no object"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.header);
    auto fault = fault_of(c.header, c.data);
    CAPTURE(fault);
    CHECK(fault.find(c.words) != fault.npos);
    CHECK(fault.starts_with("file: "));
    CHECK(fault.find('\n') == fault.npos);
  }
  CHECK(fault_of(std::string("1234567")).find("too short") != std::string::npos);
  CHECK(fault_of(std::string(16, '\xff')).find("header of") != std::string::npos);
  CHECK_THROWS_WITH_AS(SafeTensors::open(TemporaryFolder().file("absent")),
                       doctest::Contains("No such file"), Error);
  CHECK_THROWS_WITH_AS(SafeTensors::open("/tmp"), doctest::Contains("not a regular file"), Error);
}

TEST_CASE("safetensors: nesting without end is refused") {
  std::string bomb = "{\"a\":" + std::string(1'000'000, '[');
  CHECK(fault_of(bomb, "").find("too deep") != std::string::npos);
}

TEST_CASE("safetensors: damaged files throw or read, and never leave their bytes") {
  TemporaryFolder folder;
  auto path = folder.file("damage.safetensors");
  Rng rng(2, "damage");
  Sample sample;
  while (sample.tensors.size() < 3) sample = random_tensors(rng);
  write_safetensors(path, sample.tensors, {{"k", "v"}});
  const std::string whole = read_file(path);
  for (size_t n = 0; n < whole.size(); ++n) CHECK(fault_of(whole.substr(0, n)) != "");
  for (int trial = 0; trial < 3000; ++trial) {
    std::string damaged = whole;
    for (uint32_t i = rng.below(3) + 1; i > 0; --i)
      damaged[rng.below(uint32_t(whole.size()))] = char(rng.bits());
    try {
      auto file = SafeTensors::parse(damaged, "file");
      size_t sum = 0;
      for (const auto& t : file.tensors())
        for (std::byte b : t.bytes) sum += size_t(b);
      CHECK(sum < whole.size() * 256);
    } catch (const Error&) {
    }
  }
}

TEST_CASE("safetensors: the writer checks what it is given") {
  TemporaryFolder folder;
  auto path = folder.file("wrong.safetensors");
  std::string text = "1234";
  TensorView good{"a", "F32", {1}, std::as_bytes(std::span(text.data(), 4))};
  auto with = [&](auto change) {
    TensorView bad = good;
    change(bad);
    return std::vector<TensorView>{good, bad};
  };
  CHECK_THROWS_WITH_AS(write_safetensors(path, with([](auto&) {})),
                       doctest::Contains("'a': name is taken"), Error);
  CHECK_THROWS_WITH_AS(write_safetensors(path, with([](auto& t) { t.name = "__metadata__"; })),
                       doctest::Contains("'__metadata__': name is taken"), Error);
  CHECK_THROWS_WITH_AS(write_safetensors(path, with([](auto& t) { t.name = "\xff"; })),
                       doctest::Contains("not UTF-8"), Error);
  CHECK_THROWS_WITH_AS(write_safetensors(path, with([](auto& t) { t.name = "b", t.dtype = "F"; })),
                       doctest::Contains("unknown dtype 'F'"), Error);
  CHECK_THROWS_WITH_AS(write_safetensors(path, with([](auto& t) { t.name = "b", t.shape = {2}; })),
                       doctest::Contains("4 bytes do not fill shape [2]"), Error);
  CHECK_THROWS_WITH_AS(write_safetensors("/nonexistent/x", std::vector{good}),
                       doctest::Contains("there is no folder /nonexistent"), Error);
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK_FALSE(std::filesystem::exists(path + ".tmp"));
}
