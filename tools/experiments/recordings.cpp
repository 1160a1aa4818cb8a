#include "tools/experiments/recordings.h"

#include <zlib.h>

#include <cmath>
#include <memory>
#include <sstream>

#include "core/error.h"
#include "core/number.h"

namespace star::experiments {
namespace {

std::string decompressed(const std::string& path) {
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  require(file != nullptr, "{}: cannot be read", path);
  std::string text;
  std::vector<char> buffer(1 << 16);
  int n = 0;
  while ((n = gzread(file.get(), buffer.data(), unsigned(buffer.size()))) > 0)
    text.append(buffer.data(), size_t(n));
  require(n == 0, "{}: damaged", path);
  return text;
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace

Recordings read_recordings(const std::string& path) {
  std::istringstream lines(decompressed(path));
  std::string line;
  std::getline(lines, line);
  const std::vector<std::string> head = words_of(line);
  require(head.size() > 3 && head[0] == "genome" && head[1] == "seed" && head.back() == "quality",
          "{}: line 1: not the columns of a table of recordings", path);
  Recordings table;
  for (size_t i = 2; i + 1 < head.size(); ++i)
    table.steps.push_back(whole_number(head[i], int64_t(1), int64_t(1) << 40, path + ": line 1"));
  for (int n = 2; std::getline(lines, line); ++n) {
    const std::string place = fmt::format("{}: line {}", path, n);
    const std::vector<std::string> words = words_of(line);
    require(words.size() == head.size(), "{}: {} words, not {}", place, words.size(), head.size());
    Recording row{words[0], uint64_t(whole_number(words[1], int64_t(0), INT64_MAX, place)), {}};
    for (size_t i = 2; i < words.size(); ++i) {
      const auto loss = read_number<double>(words[i]);
      require(loss && std::isfinite(*loss), "{}: {} is not a loss", place, words[i]);
      row.losses.push_back(*loss);
    }
    table.rows.push_back(std::move(row));
  }
  require(!table.rows.empty(), "{}: no recordings", path);
  return table;
}

}  // namespace star::experiments
