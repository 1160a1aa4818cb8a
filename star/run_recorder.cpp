#include "star/run_recorder.h"

namespace star::synthesis {
namespace {

std::string parents_text(const Candidate& c) {
  return c.parents.empty() ? "nothing" : fmt::format("{}", fmt::join(c.parents, " and "));
}

}  // namespace

RunRecorder::RunRecorder(RunFile& file, bool retry)
    : file_(file),
      retry_(retry),
      stored_(file.candidates()),
      generations_(file.generations().size()) {}

bool RunRecorder::record(const std::vector<Candidate>& candidates, size_t before,
                         const std::function<bool()>& interrupted) {
  for (size_t i = 0; i < candidates.size(); ++i) check(candidates[i], before + i);
  return before + candidates.size() <= stored_.size() || file_.record(candidates, interrupted);
}

// That the file holds no other candidate in its place.
void RunRecorder::check(const Candidate& c, size_t number) const {
  if (number >= stored_.size() || stored_[number] == c) return;
  const Candidate& stored = stored_[number];
  if (stored.genome == c.genome && stored.origin == c.origin)
    throw RunFileDamaged(
        fmt::format("{}: the run file is damaged: candidate {} of generation {}, {} by {}, has {} "
                    "as parents, where {} follow from what came before",
                    file_.path(), c.place, c.generation, c.genome, c.origin, parents_text(stored),
                    parents_text(c)));
  throw RunFileDamaged(fmt::format(
      "{}: candidate {} of generation {} is {} by {}, where {} by {} follows from what came "
      "before: the run file was changed, or written by another version of star",
      file_.path(), c.place, c.generation, stored.genome, stored.origin.substr(0, 20), c.genome,
      c.origin));
}

void RunRecorder::record(const Evaluation& evaluation, size_t candidates, size_t generations) {
  auto before = retry_ && evaluation.ok() ? file_.evaluation(evaluation.genome, evaluation.recipe)
                                          : std::nullopt;
  if (!before || before->ok()) return file_.record(evaluation);
  file_.record_anew(evaluation, candidates, generations);
  stored_.resize(std::min(stored_.size(), candidates));
  generations_ = std::min(generations_, generations);
}

void RunRecorder::record_settings(const std::string& settings, size_t generations) {
  file_.record_settings(settings, generations);
  generations_ = std::min(generations_, generations);
}

void RunRecorder::record(const Generation& generation) {
  if (size_t(generation.generation) >= generations_) file_.record(generation);
}

}  // namespace star::synthesis
