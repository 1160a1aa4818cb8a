#include "star/text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "core/rng.h"
#include "tests/temporary.h"

using namespace star;
namespace fs = std::filesystem;

namespace {

struct Folder : TemporaryFolder {
  std::string put(const std::string& name, std::string_view text) const {
    fs::create_directories((path / name).parent_path());
    write_file(file(name), {&text, 1});
    return file(name);
  }
};

std::string random_text(Rng& rng, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text.push_back(char(rng.bits()));
  return text;
}

std::vector<TextFile> random_files(Rng& rng) {
  std::vector<TextFile> files;
  for (uint32_t n = 1 + rng.below(5); n > 0; --n)
    files.push_back({fmt::format("f{}", n), random_text(rng, rng.below(900))});
  files.push_back({"long", random_text(rng, 500)});
  return files;
}

// The slow statement of the split: byte i of n is in the part that its position says.
std::string part_of(const std::string& text, Split split) {
  std::string part;
  for (size_t i = 0; i < text.size(); ++i) {
    size_t n = text.size();
    Split place = i < n * 90 / 100   ? Split::train
                  : i < n * 95 / 100 ? Split::validation
                                     : Split::test;
    if (place == split) part += text[i];
  }
  return part;
}

std::string fault_of(auto&& work) {
  try {
    work();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("text: evaluation covers each part in order, target by target, up to its limit") {
  for (int trial = 0; trial < 60; ++trial) {
    Rng rng(5, "text-evaluation", uint64_t(trial));
    auto files = random_files(rng);
    int length = 1 + int(rng.below(20)), sequences = 1 + int(rng.below(4));
    int limit = trial % 2 ? 64 : 1 + int(rng.below(3));
    TextData data(files, length, "text");
    for (Split split : {Split::train, Split::validation, Split::test}) {
      std::vector<std::pair<int, int>> want, got;
      for (const auto& file : files) {
        auto part = part_of(file.text, split);
        for (size_t i = 0; i + 1 < part.size(); ++i)
          want.emplace_back(uint8_t(part[i]), uint8_t(part[i + 1]));
      }
      want.resize(std::min(want.size(), size_t(limit * length * sequences)));
      auto batches = data.evaluation(split, sequences, limit);
      for (size_t b = 0; b < batches.size(); ++b) {
        const Batch& batch = batches[b];
        CHECK((b + 1 == batches.size() || batch.sequences == sequences));
        CHECK(batch.sequences <= sequences);
        CHECK(batch.length == length);
        CHECK(batch.parts == std::vector<int>(size_t(batch.sequences), 0));
        REQUIRE(batch.tokens.size() == size_t(batch.sequences * length));
        REQUIRE(batch.targets.size() == batch.tokens.size());
        for (size_t i = 0; i < batch.tokens.size(); ++i) {
          if (batch.targets[i] != kIgnored) {
            got.emplace_back(batch.tokens[i], batch.targets[i]);
            bool joined = i % size_t(length) == 0 || batch.tokens[i] == batch.targets[i - 1];
            CHECK(joined);
          } else {
            CHECK(batch.tokens[i] == 0);
          }
        }
      }
      CHECK(got == want);
    }
  }
}

TEST_CASE("text: training windows are uniform over all that stay within a training part") {
  Rng rng(6, "text-training");
  const int length = 3;
  std::vector<TextFile> files;
  for (size_t bytes : {30, 3, 0, 12, 4, 5}) files.push_back({"f", random_text(rng, bytes)});
  std::map<std::vector<int>, int> seen;  // every window of L + 1 bytes, and how often it is drawn
  for (const auto& file : files) {
    auto part = part_of(file.text, Split::train);
    for (size_t i = 0; i + size_t(length) < part.size(); ++i) {
      std::vector<int> window;
      for (size_t k = 0; k <= size_t(length); ++k) window.push_back(uint8_t(part[i + k]));
      REQUIRE(seen.emplace(window, 0).second);
    }
  }
  TextData data(files, length, "text");
  const int draws = 40000;
  for (int step = 0; step < draws / 8; ++step) {
    auto batch = data.train_batch(9, step, 8);
    REQUIRE(batch.sequences == 8);
    for (size_t s = 0; s < 8; ++s) {
      auto row = batch.tokens.begin() + std::ptrdiff_t(s * length);
      std::vector<int> window(row, row + length);
      window.push_back(batch.targets[s * length + length - 1]);
      for (size_t i = 0; i < size_t(length); ++i)
        REQUIRE(batch.targets[s * length + i] == window[i + 1]);
      auto found = seen.find(window);
      REQUIRE(found != seen.end());
      ++found->second;
    }
  }
  // χ² with k − 1 degrees of freedom: six standard deviations are no accident.
  double mean = double(draws) / double(seen.size()), chi2 = 0, freedom = double(seen.size()) - 1;
  for (const auto& [window, count] : seen) chi2 += (count - mean) * (count - mean) / mean;
  CHECK(chi2 < freedom + 6 * std::sqrt(2 * freedom));
}

TEST_CASE("text: a training batch depends on seed and step only") {
  Rng rng(7, "text-steps");
  TextData data({{"f", random_text(rng, 5000)}}, 16, "text");
  auto batch = data.train_batch(1, 2, 4);
  data.train_batch(1, 3, 4);
  CHECK(data.train_batch(1, 2, 4).tokens == batch.tokens);
  CHECK(data.train_batch(1, 3, 4).tokens != batch.tokens);
  CHECK(data.train_batch(2, 2, 4).tokens != batch.tokens);
  CHECK(data.vocab() == 256);
  CHECK(data.length() == 16);
  CHECK(data.parts().size() == 1);
}

TEST_CASE("text: identity tells texts apart") {
  std::set<std::string> seen;
  for (const char* text : {"abc", "abd", "bac", "abcc"})
    seen.insert(TextData({{"f", text}}, 1, "t").identity());
  seen.insert(TextData({{"f", "ab"}, {"g", "c"}}, 1, "t").identity());
  CHECK(seen.size() == 5);
}

TEST_CASE("text: folders are read in the order of their paths") {
  Folder folder;
  folder.put("b.txt", "B");
  folder.put("a/z.txt", "Z");
  folder.put("a/deep/er.txt", "E");
  folder.put("c.txt", "");
  auto one = folder.put("a.txt", "A");
  std::string all;
  for (const auto& file : read_text(folder.path.string())) all += file.text;
  CHECK(all == "AEZB");
  CHECK(read_text(one).at(0).text == "A");
}

TEST_CASE("text: what cannot be used is a clear error") {
  Folder folder;
  auto path = folder.path.string();
  CHECK(fault_of([&] { read_text(path + "/absent"); }).find("No such") != std::string::npos);
  CHECK(fault_of([&] { read_text(path); }).find("holds no file") != std::string::npos);
  auto empty = folder.put("empty", "");
  CHECK(fault_of([&] { read_text(empty); }).find("empty") != std::string::npos);
  CHECK(fault_of([&] { read_text(path); }).find("empty") != std::string::npos);
  CHECK(fault_of([&] { read_text("/dev/null"); }).find("regular") != std::string::npos);

  TextData small({{"f", std::string(20, 'x')}}, 18, "small.txt");
  CHECK(fault_of([&] { small.check(Split::train); }).find("small.txt: too short") == 0);
  CHECK(fault_of([&] { small.train_batch(1, 0, 1); }).find("small.txt: too short") == 0);
  CHECK(fault_of([&] { small.evaluation(Split::test, 1); }).find("two bytes of test") !=
        std::string::npos);
  CHECK(fault_of([&] { TextData({{"f", "abc"}}, 0, "t"); }) != "");
  CHECK(fault_of([&] { TextData({}, 4, "t"); }) != "");
  TextData fits({{"f", std::string(22, 'x')}}, 18, "t");
  CHECK(fits.train_batch(1, 0, 3).sequences == 3);
}

TEST_CASE("pack: what is packed is unpacked, damage is an error") {
  Rng rng(8, "pack");
  for (int trial = 0; trial < 30; ++trial) {
    auto files = random_files(rng);
    auto packed = pack(files);
    auto back = unpack(packed);
    std::ranges::sort(files, {}, &TextFile::name);
    REQUIRE(back.size() == files.size());
    for (size_t i = 0; i < files.size(); ++i) {
      CHECK(back[i].name == files[i].name);
      CHECK(back[i].text == files[i].text);
    }
    std::ranges::reverse(files);
    CHECK(pack(files) == packed);
    CHECK_THROWS_AS(unpack(packed + "x"), Error);
    for (int cut = 0; cut < 20; ++cut)
      CHECK_THROWS_AS(unpack(packed.substr(0, rng.below(uint32_t(packed.size())))), Error);
  }
  CHECK(unpack(pack({})).empty());
}
