#include "cuda/graph.h"

#include <cstring>
#include <memory>
#include <vector>

#include "cuda/backend.h"

namespace star::cuda {
namespace {

struct Recording {
  cudaGraphExec_t graph = nullptr;
  std::vector<void*> kept;
  int64_t launches = 0;

  ~Recording() {
    if (graph) cudaGraphExecDestroy(graph);
    for (void* memory : kept) cudaFreeHost(memory);
  }
};

thread_local std::unique_ptr<Recording> current;

void begin() {
  current = std::make_unique<Recording>();
  current->launches = -launches();  // of before
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "a graph");
}

void* end() {
  std::unique_ptr<Recording> recorded = std::move(current);
  cudaGraph_t graph = nullptr;
  recorded->launches += launches();
  launches() -= recorded->launches;  // they are still to come
  check(cudaStreamEndCapture(stream(), &graph), "a graph");
  cudaError_t status = cudaGraphInstantiate(&recorded->graph, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "a graph");
  return recorded.release();
}

void run(void* graph) {
  auto* recorded = static_cast<Recording*>(graph);
  launches() += recorded->launches;
  check(cudaGraphLaunch(recorded->graph, stream()), "a graph");
}

void release(void* graph) { delete static_cast<Recording*>(graph); }

}  // namespace

constexpr DeviceGraphs kGraphs{begin, end, run, release};

bool recording() { return current != nullptr; }

void* keep_in_graph(const void* host, size_t bytes) {
  void* memory = nullptr;
  check(cudaMallocHost(&memory, bytes), "pinned memory");
  current->kept.push_back(memory);
  return std::memcpy(memory, host, bytes);
}

}  // namespace star::cuda
