// The folder beside a run file in which trainings at a rung wait to go on. What is in it saves time
// and nothing else: where it is missing, a training begins at its start.
#pragma once

#include <string>
#include <vector>

namespace star::synthesis {

class StateFolder {
 public:
  // "star.run.rungs" for "star.run". Without rungs there is none.
  StateFolder(const std::string& run, const std::vector<int64_t>& rungs);

  // From the root, for candidate_trial; empty without rungs.
  const std::string& path() const { return path_; }

  void make();                             // where that is impossible, nothing is kept
  void forget(const std::string& genome);  // who will not go on, or has come to the end
  void remove();                           // with all that this program keeps in it

 private:
  std::string path_;
  std::vector<int64_t> rungs_;
};

}  // namespace star::synthesis
