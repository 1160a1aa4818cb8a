#include "cuda/emulator/runtime.h"

#include <cstdlib>
#include <cstring>
#include <memory>

#include "cuda/emulator/block.h"
#include "cuda/emulator/memory.h"

using star::emulator::device_mutex;
using star::emulator::Memory;

namespace {

thread_local std::unique_ptr<CUgraph_st> recording;
thread_local int device = 0;

// An address of the host, as it is.
template <class T>
T* host(T* pointer) {
  star::require(!Memory::device().contains(pointer),
                "cuda emulator: a copy takes device memory for the host's");
  return pointer;
}

}  // namespace

void star::emulator::submit(const std::function<void()>& work) {
  recording ? recording->work.push_back(work) : work();
}

cudaError_t cudaSetDevice(int number) {
  int devices = 0;
  cudaGetDeviceCount(&devices);
  if (number < 0 || number >= devices) return cudaErrorInvalidDevice;
  device = number;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* number) {
  *number = device;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  std::lock_guard lock(device_mutex());
  *pointer = Memory::device().allocate(bytes);
  return *pointer ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFree(void* pointer) {
  std::lock_guard lock(device_mutex());
  Memory::device().free(pointer);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  *pointer = std::malloc(bytes);
  return *pointer ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void* pointer) {
  std::free(pointer);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t) {
  star::emulator::submit([=] {
    if (bytes == 0) return;
    std::lock_guard lock(device_mutex());
    Memory& memory = Memory::device();
    void* target = kind == cudaMemcpyDeviceToHost ? host(to) : memory.at(to, bytes);
    const void* source = kind == cudaMemcpyHostToDevice ? host(from) : memory.at(from, bytes);
    std::memcpy(target, source, bytes);
  });
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t) {
  if (recording) recording->broken = true;
  star::require(!recording, "cuda emulator: the host waits for a stream that records a graph");
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  star::require(!recording, "cuda emulator: a graph is begun within a graph");
  recording = std::make_unique<CUgraph_st>();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  star::require(bool(recording), "cuda emulator: a graph is ended that was not begun");
  if (recording->broken) {
    recording.reset();
    return cudaErrorStreamCaptureInvalidated;
  }
  *graph = recording.release();
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* runnable, cudaGraph_t graph, unsigned) {
  *runnable = new CUgraph_st(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t) {
  for (auto& work : graph->work) star::emulator::submit(work);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorStreamCaptureInvalidated:
      return "the recording is broken";
  }
  return "an unknown error";
}
