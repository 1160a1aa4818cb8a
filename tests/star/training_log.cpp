#include "star/training_log.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "core/file.h"
#include "core/json.h"
#include "tests/temporary.h"

namespace star::synthesis {
namespace {

StepReport report(int64_t number) { return {number, 1.0 / double(number), 0.25, 3.5, 640, 0.5}; }

void write(const std::string& path, const std::string& text) {
  const std::string_view piece = text;
  write_file(path, {&piece, 1});
}

// A log of the steps first … last.
void log(const std::string& path, int64_t first, int64_t last) {
  TrainingLog file(path, first - 1);
  for (int64_t step = first; step <= last; ++step) file.add(report(step));
  CHECK(file.failure().empty());
}

}  // namespace

TEST_CASE("training log: a line a step, there as soon as it is written") {
  TemporaryFolder folder;
  const std::string path = folder.file("log.jsonl");
  write(path, "of another training\n");
  TrainingLog file(path, 0);
  CHECK(read_file(path).empty());
  file.add(report(1));
  CHECK(read_file(path) ==
        "{\"step\":1,\"loss\":1.0,\"rate\":0.25,\"norm\":3.5,\"tokens_per_s\":1280.0}\n");
  file.add(report(3));
  CHECK(read_file(path).find("{\"step\":3,\"loss\":0.333333333333333") != std::string::npos);
  CHECK_THROWS_AS(TrainingLog(folder.file("none/log"), 0), Error);
  CHECK_THROWS_AS(TrainingLog(folder.path.string(), 0), Error);
}

TEST_CASE("training log: what will be done again is taken off") {
  TemporaryFolder folder;
  const std::string path = folder.file("log.jsonl"), whole = folder.file("whole.jsonl");
  log(whole, 1, 9);
  const std::string text = read_file(whole);
  for (int64_t done : {1, 4, 6}) {
    log(path, 1, 6);
    log(path, done + 1, 9);
    CHECK(read_file(path) == text);
  }
  // Cut off by a kill, within a line or behind it, or not there at all.
  for (size_t bytes = text.find("\"step\":5"); bytes < text.size(); bytes += 11) {
    write(path, text.substr(0, bytes));
    log(path, 5, 9);
    CHECK(read_file(path) == text);
  }
  log(folder.file("new"), 5, 9);
  CHECK(text.ends_with(read_file(folder.file("new"))));
}

TEST_CASE("training log: another file is not cut") {
  TemporaryFolder folder;
  const std::string path = folder.file("notes");
  for (const char* text :
       {"{\"step\":1}\nnotes\n", "{\"step\":1}\n[1]\n", "{\"step\":1}\n{\"step\":\"2\"}\n"}) {
    write(path, text);
    CHECK_THROWS_WITH_AS(TrainingLog(path, 3), doctest::Contains("notes, line 2"), Error);
    CHECK(read_file(path) == text);
  }
}

}  // namespace star::synthesis
