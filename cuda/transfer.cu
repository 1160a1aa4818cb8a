#include "cuda/transfer.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "cuda/backend.h"
#include "cuda/graph.h"

namespace star::cuda {
namespace {

void copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  ++launches();
  check(cudaMemcpyAsync(to, from, bytes, kind, stream()), "copy");
}

// Pinned buffers, used in turns: while the device reads one, the host fills the next.
class Staging {
 public:
  // Of this thread: it waits for its own stream alone. They live as long as the process, since CUDA
  // may be gone before statics are; the threads that use a device are few, and live as long.
  static Staging& instance() {
    static thread_local Staging* staging = new Staging;
    return *staging;
  }

  void write(char* device, const char* host, size_t bytes) {
    for (size_t done = 0; done < bytes; done += kBytes) {
      size_t n = std::min(kBytes, bytes - done);
      Buffer& buffer = next();
      std::memcpy(buffer.data, host + done, n);
      copy(device + done, buffer.data, n, cudaMemcpyHostToDevice);
      check(cudaEventRecord(buffer.done, stream()), "copy");
    }
  }

  void read(char* host, const char* device, size_t bytes) {
    for (size_t done = 0; done < bytes; done += kBytes) {
      size_t n = std::min(kBytes, bytes - done);
      Buffer& buffer = next();
      copy(buffer.data, device + done, n, cudaMemcpyDeviceToHost);
      check(cudaStreamSynchronize(stream()), "copy");
      std::memcpy(host + done, buffer.data, n);
    }
  }

 private:
  static constexpr size_t kBytes = size_t(1) << 20;
  struct Buffer {
    void* data = nullptr;
    cudaEvent_t done = nullptr;
  };

  Staging() {
    for (Buffer& buffer : buffers_) {
      check(cudaMallocHost(&buffer.data, kBytes), "pinned memory");
      check(cudaEventCreateWithFlags(&buffer.done, cudaEventDisableTiming), "pinned memory");
    }
  }

  Buffer& next() {
    Buffer& buffer = buffers_[turn_++ % buffers_.size()];
    check(cudaEventSynchronize(buffer.done), "copy");
    return buffer;
  }

  std::array<Buffer, 4> buffers_;
  size_t turn_ = 0;
};

}  // namespace

void read(void* host, const void* device, size_t bytes) {
  require(!recording(), "cuda: the host reads device memory while a graph is recorded");
  Staging::instance().read(static_cast<char*>(host), static_cast<const char*>(device), bytes);
}

void move(void* to, const void* from, size_t bytes) {
  copy(to, from, bytes, cudaMemcpyDeviceToDevice);
}

void write(void* device, const void* host, size_t bytes) {
  if (recording())
    copy(device, keep_in_graph(host, bytes), bytes, cudaMemcpyHostToDevice);
  else
    Staging::instance().write(static_cast<char*>(device), static_cast<const char*>(host), bytes);
}

}  // namespace star::cuda
