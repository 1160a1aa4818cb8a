// The run file as a search writes it while it is played again from its start: what the file held
// then is compared with what the search does now, and what comes after it is added.
#pragma once

#include "star/store.h"

namespace star::synthesis {

class RunRecorder {
 public:
  // `retry`: failures of the file are tried again.
  RunRecorder(RunFile& file, bool retry);

  bool begun() const { return !stored_.empty(); }
  // Whether the file held candidates that follow so many others.
  bool held_more_than(size_t candidates) const { return stored_.size() > candidates; }

  // Candidates that follow `before` others. False: interrupted. Throws RunFileDamaged where the
  // file has others in their places.
  bool record(const std::vector<Candidate>& candidates, size_t before,
              const std::function<bool()>& interrupted);

  // Where a candidate that had failed succeeds, only what was asked for without knowing of the
  // failure stands: so many candidates and generations.
  void record(const Evaluation& evaluation, size_t candidates, size_t generations);

  void record(const Generation& generation);

  // Other settings, under which generations from this one on will have ended otherwise.
  void record_settings(const std::string& settings, size_t generations);

 private:
  void check(const Candidate& candidate, size_t number) const;

  RunFile& file_;
  bool retry_;
  std::vector<Candidate> stored_;  // at the start
  size_t generations_;             // likewise
};

}  // namespace star::synthesis
