// What the GPU of this machine does at best, to hold star's kernels against: copies, products in
// float32, TF32 and bfloat16, and launches. Medians by the device's own clock, on random numbers,
// since a product of zeros draws less power and so runs faster.
//
//   ceilings card    one line that says what computes here
//   ceilings         everything
//
// Ends with status 2, after one line, where there is no device or no cuBLAS.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "cuda/backend.h"
#include "cuda/cublas.h"
#include "cuda/cuda.h"

namespace star::cuda {
namespace {

class DeviceBytes {
 public:
  explicit DeviceBytes(size_t bytes) { check(cudaMalloc(&data_, bytes), "memory"); }
  ~DeviceBytes() { cudaFree(data_); }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

// Milliseconds of f; the median of `count`, after three that do not count.
template <class F>
double milliseconds(const F& f, int count = 20) {
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin), "the clock");
  check(cudaEventCreate(&end), "the clock");
  std::vector<float> times;
  for (int i = -3; i < count; ++i) {
    float ms = 0;
    check(cudaEventRecord(begin, stream()), "the clock");
    f();
    check(cudaEventRecord(end, stream()), "the clock");
    check(cudaEventSynchronize(end), "the clock");
    check(cudaEventElapsedTime(&ms, begin, end), "the clock");
    if (i >= 0) times.push_back(ms);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// Numbers in ±1, as the upper or all bytes of a float.
template <class T>
__global__ void random_kernel(T* x, int64_t n) {
  for_each_element(n, [&](int64_t i) {
    uint32_t bits = uint32_t(i) * 2654435761u;
    bits = (bits ^ bits >> 15) * 2246822519u;
    float value = float(bits >> 8) / float(1 << 23) - 1;
    x[i] = T(__float_as_uint(value) >> 8 * (4 - sizeof(T)));
  });
}

void copies() {
  constexpr size_t kBytes = size_t(1) << 30;
  DeviceBytes from(kBytes), to(kBytes);
  void* host = nullptr;
  check(cudaMallocHost(&host, kBytes / 4), "pinned memory");
  auto gb_a_second = [](size_t bytes, double ms) { return double(bytes) / ms / 1e6; };
  auto copy = [](void* y, const void* x, size_t bytes, cudaMemcpyKind kind) {
    return [=] { check(cudaMemcpyAsync(y, x, bytes, kind, stream()), "a copy"); };
  };
  double inside = milliseconds(copy(to.data(), from.data(), kBytes, cudaMemcpyDeviceToDevice));
  double in = milliseconds(copy(to.data(), host, kBytes / 4, cudaMemcpyHostToDevice), 5);
  double out = milliseconds(copy(host, to.data(), kBytes / 4, cudaMemcpyDeviceToHost), 5);
  std::printf("copy        %8.0f GB/s read and written, to the device %.0f, from it %.0f\n",
              2 * gb_a_second(kBytes, inside), gb_a_second(kBytes / 4, in),
              gb_a_second(kBytes / 4, out));
  cudaFreeHost(host);
}

struct Precision {
  const char* name;
  size_t bytes;
  cudaDataType_t type;
  cublasComputeType_t compute;
};
constexpr Precision kPrecisions[] = {
    {"fp32", 4, CUDA_R_32F, CUBLAS_COMPUTE_32F},
    {"tf32", 4, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32},
    {"bf16", 2, CUDA_R_16BF, CUBLAS_COMPUTE_32F},
};

// cublasGemmEx, a name that the header gives to several functions.
using GemmEx = cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int,
                                  int, const void*, const void*, cudaDataType, int, const void*,
                                  cudaDataType, int, const void*, void*, cudaDataType, int,
                                  cublasComputeType_t, cublasGemmAlgo_t);

// Of m × k with k × n.
void product(int m, int n, int k) {
  auto multiply = reinterpret_cast<GemmEx>(Cublas::here().function("cublasGemmEx"));
  require(multiply != nullptr, "cuda: cublasGemmEx is missing in the cuBLAS of this machine");
  std::printf("%5d x %5d x %5d", m, n, k);
  for (const Precision& p : kPrecisions) {
    int64_t a = int64_t(m) * k, b = int64_t(k) * n;
    DeviceBytes A(size_t(a) * p.bytes), B(size_t(b) * p.bytes), C(size_t(m) * n * p.bytes);
    for (auto [data, size] : {std::pair(A.data(), a), {B.data(), b}}) {
      if (p.bytes == 4)
        random_kernel<<<1024, 256, 0, stream()>>>(static_cast<uint32_t*>(data), size);
      else
        random_kernel<<<1024, 256, 0, stream()>>>(static_cast<uint16_t*>(data), size);
    }
    float one = 1, zero = 0;
    double ms = milliseconds([&] {
      int status = multiply(Cublas::here().handle(), CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one,
                            A.data(), p.type, m, B.data(), p.type, k, &zero, C.data(), p.type, m,
                            p.compute, CUBLAS_GEMM_DEFAULT);
      require(status == CUBLAS_STATUS_SUCCESS, "cuda: a product failed, cuBLAS says {}", status);
    });
    std::printf("   %s %7.1f TFLOP/s %8.4f ms", p.name, 2.0 * m * n * k / ms / 1e9, ms);
  }
  std::printf("\n");
}

__global__ void nothing_kernel() {}

// What a kernel costs that does nothing: launched by itself, and in a graph.
void launching() {
  constexpr int kCount = 1000;
  auto many = [] {
    for (int i = 0; i < kCount; ++i) nothing_kernel<<<1, 32, 0, stream()>>>();
  };
  double alone = milliseconds(many, 5);
  cudaGraph_t graph;
  cudaGraphExec_t ready;
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "a graph");
  many();
  check(cudaStreamEndCapture(stream(), &graph), "a graph");
  check(cudaGraphInstantiate(&ready, graph, 0), "a graph");
  double recorded = milliseconds([&] { check(cudaGraphLaunch(ready, stream()), "a graph"); }, 5);
  std::printf("launch      %8.2f us a kernel, %.2f us in a graph\n", 1e3 * alone / kCount,
              1e3 * recorded / kCount);
  cudaGraphExecDestroy(ready);
  cudaGraphDestroy(graph);
}

void describe() {
  const Backend& backend = cuda_backend();
  int device = 0, driver = 0, runtime = 0;
  cudaDeviceProp card;
  check(cudaGetDevice(&device), "the device");
  check(cudaGetDeviceProperties(&card, device), "the device");
  check(cudaDriverGetVersion(&driver), "the driver");
  check(cudaRuntimeGetVersion(&runtime), "the runtime");
  std::printf("%s; sm_%d%d, %d multiprocessors, %.1f GB; driver for CUDA %d.%d, built with %d.%d\n",
              backend.target, card.major, card.minor, card.multiProcessorCount,
              double(card.totalGlobalMem) / 1e9, driver / 1000, driver % 1000 / 10, runtime / 1000,
              runtime % 1000 / 10);
}

}  // namespace
}  // namespace star::cuda

int main(int argc, char** argv) {
  using namespace star::cuda;
  try {
    describe();
    if (argc > 1 && std::strcmp(argv[1], "card") == 0) return 0;
    copies();
    launching();
    constexpr int kShapes[][3] = {{8192, 8192, 8192},
                                  {32768, 768, 768},
                                  {32768, 2048, 768},
                                  {768, 768, 32768},
                                  {1024, 64, 64}};
    for (auto [m, n, k] : kShapes) product(m, n, k);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
