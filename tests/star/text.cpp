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
#include "core/safetensors.h"
#include "star/data_files.h"
#include "star/store.h"
#include "tests/fault.h"
#include "tests/temporary.h"

using namespace star;

using namespace star::synthesis;
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

}  // namespace

TEST_CASE("text: evaluation covers each part in order, target by target, in batches of any size") {
  for (int trial = 0; trial < 60; ++trial) {
    Rng rng(5, "text-evaluation", uint64_t(trial));
    auto files = random_files(rng);
    int length = 1 + int(rng.below(20));
    TextData data(files, length, "text");
    for (Split split : {Split::train, Split::validation, Split::test}) {
      std::vector<std::pair<int, int>> want, got;
      for (const auto& file : files) {
        auto part = part_of(file.text, split);
        for (size_t i = 0; i + 1 < part.size(); ++i)
          want.emplace_back(uint8_t(part[i]), uint8_t(part[i + 1]));
      }
      const std::vector<int64_t> all = data.sample(split, 0);
      const size_t sequences = 1 + rng.below(4);
      for (size_t from = 0; from < all.size(); from += sequences) {
        const size_t count = std::min(sequences, all.size() - from);
        const Batch batch = data.evaluation(split, std::span(all).subspan(from, count));
        CHECK(batch.sequences == int(count));
        CHECK(batch.length == length);
        CHECK(batch.parts == std::vector<int>(count, 0));
        REQUIRE(batch.tokens.size() == count * size_t(length));
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

TEST_CASE("text: a sample is spread over all files and the whole of each, without repetition") {
  for (int trial = 0; trial < 60; ++trial) {
    Rng rng(15, "text-sample", uint64_t(trial));
    std::vector<TextFile> files;
    for (uint32_t n = 2 + rng.below(6); n > 0; --n)
      files.push_back({fmt::format("f{}", n), random_text(rng, 2000 + rng.below(20000))});
    const int length = 1 + int(rng.below(30));
    TextData data(files, length, "text");
    const std::vector<int64_t> all = data.sample(Split::test, 0);
    int64_t targets = 0;
    for (const auto& file : files) targets += int64_t(part_of(file.text, Split::test).size()) - 1;
    for (int64_t tokens : {int64_t(1), targets / 7, targets / 2, targets - 1}) {
      const std::vector<int64_t> some = data.sample(Split::test, tokens);
      // As many as are asked for, but for the last window and those that files cut short.
      const Batch batch = data.evaluation(Split::test, some);
      const auto ignored = std::count(batch.targets.begin(), batch.targets.end(), kIgnored);
      const int64_t got = int64_t(batch.targets.size()) - ignored;
      CHECK(std::abs(got - tokens) <= int64_t(length) * int64_t(1 + files.size()));
      // Every stretch of all windows holds its share, to within one.
      for (int check = 0; check < 20; ++check) {
        const int64_t a = rng.below(uint32_t(all.size() + 1)),
                      b = a + rng.below(uint32_t(all.size() + 1 - size_t(a)));
        const auto inside =
            std::count_if(some.begin(), some.end(), [&](int64_t w) { return w >= a && w < b; });
        const double share = double(b - a) * double(some.size()) / double(all.size());
        CHECK(std::abs(double(inside) - share) <= 1 + 1e-9);
      }
      CHECK(std::set<int64_t>(some.begin(), some.end()).size() == some.size());
    }
    CHECK(data.sample(Split::test, targets) == all);
    CHECK(data.sample(Split::test, targets * 1000) == all);
  }
}

TEST_CASE("text: training windows are uniform over the joined training parts, short files too") {
  Rng rng(6, "text-training");
  for (int length : {1, 3, 40}) {
    std::vector<TextFile> files;
    for (size_t bytes : {30, 3, 0, 12, 1, 4, 5, 20})
      files.push_back({"f", random_text(rng, bytes)});
    // −1 stands between two files.
    std::vector<int> joined;
    for (const auto& file : files) {
      const std::string part = part_of(file.text, Split::train);
      if (!part.empty() && !joined.empty()) joined.push_back(-1);
      for (char c : part) joined.push_back(uint8_t(c));
    }
    std::map<std::vector<int>, std::pair<int, int>> seen;  // windows: in the text, drawn
    for (size_t i = 0; i + size_t(length) < joined.size(); ++i)
      ++seen[std::vector<int>(&joined[i], &joined[i] + length + 1)].first;
    const int windows = int(joined.size()) - length;
    TextData data(files, length, "text");
    const int draws = 40000;
    for (int step = 0; step < draws / 8; ++step) {
      auto batch = data.train_batch(9, step, 8);
      REQUIRE(batch.sequences == 8);
      for (size_t s = 0; s < 8; ++s) {
        std::vector<int> window;
        const size_t row = s * size_t(length);
        for (size_t i = row; i < row + size_t(length); ++i) {
          const bool between = i > row && batch.targets[i - 1] == kIgnored;
          if (between) CHECK(batch.tokens[i] == 0);
          if (i > row && !between) CHECK(batch.tokens[i] == batch.targets[i - 1]);
          window.push_back(between ? -1 : batch.tokens[i]);
        }
        const int last = batch.targets[row + size_t(length) - 1];
        window.push_back(last == kIgnored ? -1 : last);
        auto found = seen.find(window);
        if (found == seen.end()) {  // begins between two files, where the token is 0
          CHECK(window[0] == 0);
          window[0] = -1;
          found = seen.find(window);
        }
        REQUIRE(found != seen.end());
        ++found->second.second;
      }
    }
    // χ² with k − 1 degrees of freedom: six standard deviations are no accident.
    double chi2 = 0, freedom = double(seen.size()) - 1;
    for (const auto& [window, count] : seen) {
      const double mean = double(draws) * count.first / windows;
      chi2 += (count.second - mean) * (count.second - mean) / mean;
    }
    CHECK(chi2 < freedom + 6 * std::sqrt(2 * freedom));
  }
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
  for (const auto& file : read_text(folder.path.string()).files) all += file.text;
  CHECK(all == "AEZB");
  CHECK(read_text(one).files.at(0).text == "A");
  CHECK(warning_of(read_text(folder.path.string())) == "");
}

TEST_CASE("text: links are followed once, and what is not read is said") {
  Folder folder, elsewhere;
  folder.put("a/one.txt", "1");
  folder.put("z.txt", "Z");
  elsewhere.put("far/two.txt", "2");
  elsewhere.put("three.txt", "3");
  const fs::path here = folder.path;
  fs::create_directory_symlink(elsewhere.path / "far", here / "a/0-far");
  fs::create_symlink(elsewhere.path / "three.txt", here / "b.txt");
  fs::create_directory_symlink(here, here / "a/back");    // what is read already
  fs::create_directory_symlink("../a", here / "a/self");  // likewise
  fs::create_symlink("z.txt", here / "0.txt");            // likewise
  fs::create_symlink(elsewhere.path / "nowhere", here / "dangling");
  fs::create_symlink("y", here / "x");
  fs::create_symlink("x", here / "y");
  TextFiles text = read_text(here);
  std::string all;
  for (const auto& file : text.files) all += file.text;
  CHECK(all == "213Z");
  CHECK(text.left_out.size() == 6);
  CHECK(warning_of(text).find("left out 6 of 10 files, 0.0 % of the bytes: ") == 0);
}

TEST_CASE("text: what the program itself writes is no text to learn from") {
  Folder folder;
  folder.put("text.txt", std::string(600, 't'));
  RunFile::create(folder.file("star.run"), "{}");
  folder.put("star.run-journal", std::string("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8));
  folder.put("logits.npy", "\x93NUMPY");
  write_safetensors(folder.file("model.safetensors"), {}, {{"format", "star-checkpoint/2"}});
  folder.put("star.html", "<!doctype html><meta name=\"generator\" content=\"star report\">");
  TextFiles text = read_text(folder.path);
  REQUIRE(text.files.size() == 1);
  CHECK(text.left_out.size() == 5);
  uint64_t bytes = 0;
  for (auto& file : text.left_out) bytes += fs::file_size(file.path);
  CHECK(warning_of(text).find(fmt::format("left out 5 of 6 files, {:.1f} % of the bytes",
                                          100.0 * double(bytes) / double(bytes + 600))) == 0);
  // A file that is named is read, whatever it is.
  text = read_text(folder.file("star.html"));
  CHECK(text.files.size() == 1);
  CHECK(warning_of(text) == "it is a report, and read as text");
  CHECK(warning_of(read_text(folder.file("text.txt"))) == "");
  // What a killed search leaves may have no mark yet.
  folder.put("star.run-journal", std::string(512, '\0').append("anything"));
  CHECK(read_text(folder.path).left_out.size() == 5);
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
  CHECK(fault_of([&] { small.sample(Split::test, 1); }).find("two bytes of test") !=
        std::string::npos);
  const int64_t beyond[] = {1};
  CHECK(fault_of([&] { small.evaluation(Split::train, beyond); }).find("no window 1 of 1") !=
        std::string::npos);
  CHECK(fault_of([&] { TextData({{"f", "abc"}}, 0, "t"); }) != "");
  CHECK(fault_of([&] { TextData({}, 4, "t"); }) != "");
  TextData fits({{"f", std::string(22, 'x')}}, 18, "t");
  CHECK(fits.train_batch(1, 0, 3).sequences == 3);
  TextData together({{"f", std::string(10, 'x')}, {"g", std::string(10, 'x')}}, 18, "t");
  CHECK(together.train_batch(1, 0, 3).sequences == 3);
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
    CHECK_THROWS_WITH_AS(unpack(packed + "x"), doctest::Contains("1 bytes after the packed text"),
                         Error);
    for (int cut = 0; cut < 20; ++cut)
      CHECK_THROWS_AS(unpack(packed.substr(0, rng.below(uint32_t(packed.size())))), Error);
  }
  CHECK(unpack(pack({})).empty());
}
