// What a device does between two moments, recorded once and run again as one launch.
#pragma once

#include "core/exec.h"

namespace star {

class Graph {
 public:
  // Records what `launches` launches, without running it. Every tensor that it uses must live, and
  // its temporaries' memory must be left alone by others, as long as the graph is run. What the
  // host writes to tensors in there is written by each run; it must not read. `exec` has graphs.
  template <class F>
  Graph(const Exec& exec, const F& launches) : graphs_(*exec.backend().graphs) {
    graphs_.begin();
    try {
      launches();
    } catch (...) {
      forget();
      throw;
    }
    graph_ = graphs_.end();
  }
  ~Graph() { graphs_.free(graph_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void run() { graphs_.run(graph_); }

 private:
  // What broke a recording says more than the device, which calls it broken.
  void forget() const {
    try {
      graphs_.free(graphs_.end());
    } catch (const Error&) {
    }
  }

  const DeviceGraphs& graphs_;
  void* graph_ = nullptr;
};

}  // namespace star
