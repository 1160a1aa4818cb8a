#include "star/training_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/file.h"
#include "core/json.h"

namespace star::synthesis {
namespace {

// The bytes of the lines of the first `done` steps. What a kill has cut off ends no line.
size_t bytes_of(const std::string& path, int64_t done) {
  std::error_code none;
  if (done == 0 || !std::filesystem::exists(path, none)) return 0;
  const std::string text = read_file(path);
  size_t kept = 0;
  for (int line = 1; kept < text.size(); ++line) {
    const size_t end = text.find('\n', kept);
    if (end == text.npos) break;
    const std::string place = fmt::format("{}, line {}", path, line);
    const nlohmann::json json = parse_json(std::string_view(text).substr(kept, end - kept), place);
    require(json.is_object() && json.contains("step") && json["step"].is_number_integer(),
            "{}: no step of a training", place);
    if (json["step"].get<int64_t>() > done) break;
    kept = end + 1;
  }
  return kept;
}

}  // namespace

TrainingLog::TrainingLog(const std::string& path, int64_t done) : path_(path) {
  const size_t kept = bytes_of(path, done);
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ >= 0 && ::ftruncate(descriptor_, off_t(kept)) == 0) return;
  const int reason = errno;
  if (descriptor_ >= 0) ::close(descriptor_);
  fail_writing(path, reason);
}

TrainingLog::~TrainingLog() { ::close(descriptor_); }

void TrainingLog::add(const StepReport& step) {
  if (!failure_.empty()) return;
  const nlohmann::ordered_json json = {
      {"step", step.number},
      {"loss", step.loss},
      {"rate", step.rate},
      {"norm", step.norm},
      {"tokens_per_s", double(step.tokens) / std::max(step.seconds, 1e-9)}};
  const std::string line = json.dump() + "\n";
  for (size_t written = 0; written < line.size();) {
    const ssize_t n = ::write(descriptor_, line.data() + written, line.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      failure_ = fmt::format("{}: {}", path_, std::strerror(errno));
      return;
    }
    written += size_t(n);
  }
}

}  // namespace star::synthesis
