// Each mistake that a GPU would punish, in a kernel made for it, beside the kernel that is right.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "core/rng.h"
#include "cuda/kernel.h"
#include "cuda/mma.h"

using namespace star;
using namespace star::cuda;

namespace {

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values) : size_(values.size()) {
    REQUIRE(cudaMalloc(reinterpret_cast<void**>(&data_), size_ * sizeof(T)) == cudaSuccess);
    cudaMemcpyAsync(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice, nullptr);
  }
  explicit DeviceArray(size_t size) : DeviceArray(std::vector<T>(size)) {}
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> out(size_);
    cudaMemcpyAsync(out.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost, nullptr);
    return out;
  }

 private:
  T* data_ = nullptr;
  size_t size_;
};

std::vector<float> counting(size_t n) {
  std::vector<float> x(n);
  std::iota(x.begin(), x.end(), 0.0f);
  return x;
}

// y = x, one element a thread, `ahead` elements away from where it should be.
__global__ void copy_kernel(const float* from, float* to, int64_t n, int64_t ahead) {
  auto x = global(from);
  auto y = global(to);
  int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i + ahead];
}

// Each block reverses its elements through shared memory.
__global__ void reverse_kernel(float* data, bool with_barrier) {
  auto x = global(data) + int64_t(blockIdx.x) * blockDim.x;
  SharedMemory memory;
  Shared<float> tile = memory.take<float>(blockDim.x);
  tile[threadIdx.x] = x[threadIdx.x];
  if (with_barrier) __syncthreads();
  x[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}

// The sum over each warp, into the place of each of its threads.
__global__ void warp_sum_kernel(const float* from, float* to, unsigned mask, int threads) {
  int i = int(threadIdx.x);
  if (i >= threads) return;
  float sum = global(from)[i];
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(mask, sum, step);
  global(to)[i] = sum;
}

template <class F>
void check_finding(const char* text, const F& f) {
  CHECK_THROWS_WITH_AS(f(), doctest::Contains(text), Error);
}

// What a process prints to standard error that does `f`, and how it ends.
template <class F>
std::string death_of(const F& f) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    signal(SIGSEGV, SIG_DFL);  // the test framework's
    emulator::Memory::explain_faults();
    f();
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, size_t(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK_MESSAGE(!(WIFEXITED(status) && WEXITSTATUS(status) == 0), "the process lived on");
  return text;
}

}  // namespace

TEST_CASE("emulator: a kernel runs every thread of every block") {
  DeviceArray<float> x(counting(1000)), y(1000);
  launch(copy_kernel, 4, 256, 0, nullptr, x.data(), y.data(), 1000, 0);
  CHECK(y.values() == counting(1000));
}

TEST_CASE("emulator: threads meet at barriers and in warps") {
  DeviceArray<float> x(counting(512)), sums(64);
  launch(reverse_kernel, 2, 256, 256 * sizeof(float), nullptr, x.data(), true);
  std::vector<float> reversed = x.values();
  for (size_t i = 0; i < 512; ++i) CHECK(reversed[i] == float(i < 256 ? 255 - i : 767 - i));
  DeviceArray<float> numbers(counting(64));
  launch(warp_sum_kernel, 1, 64, 0, nullptr, numbers.data(), sums.data(), ~0u, 64);
  std::vector<float> total = sums.values();
  for (size_t i = 0; i < 64; ++i) CHECK(total[i] == (i < 32 ? 496 : 1520));
}

TEST_CASE("emulator: accesses outside of an array") {
  DeviceArray<float> x(counting(100)), y(100);
  auto ahead = [&](int64_t by) {
    launch(copy_kernel, 1, 128, 0, nullptr, x.data(), y.data(), 100, by);
  };
  check_finding("offset 400 of an allocation of 400, in block 0, thread 99", [&] { ahead(1); });
  check_finding("offset -4 of an allocation of 400, in block 0, thread 0", [&] { ahead(-1); });
  check_finding("emulator.cpp:", [&] { ahead(1 << 20); });
  DeviceArray<float> shorter(99);
  check_finding("offset 396 of an allocation of 396",
                [&] { launch(copy_kernel, 1, 128, 0, nullptr, x.data(), shorter.data(), 100, 0); });
}

TEST_CASE("emulator: pointers that are not the device's, or no more") {
  std::vector<float> host(8);
  DeviceArray<float> x(8);
  check_finding("no device memory",
                [&] { launch(copy_kernel, 1, 8, 0, nullptr, host.data(), x.data(), 8, 0); });
  check_finding("device memory for the host's",
                [&] { cudaMemcpyAsync(x.data(), x.data(), 32, cudaMemcpyHostToDevice, nullptr); });
  check_finding("no device memory", [&] {
    cudaMemcpyAsync(host.data(), host.data(), 32, cudaMemcpyDeviceToHost, nullptr);
  });
  check_finding("allocation of 32", [&] {
    cudaMemcpyAsync(host.data(), x.data(), 33, cudaMemcpyDeviceToHost, nullptr);
  });
  void* gone = nullptr;
  REQUIRE(cudaMalloc(&gone, 32) == cudaSuccess);
  cudaFree(gone);
  check_finding("memory that was freed", [&] {
    launch(copy_kernel, 1, 8, 0, nullptr, static_cast<float*>(gone), x.data(), 8, 0);
  });
  check_finding("is no allocation", [&] { cudaFree(gone); });
}

TEST_CASE("emulator: memory that was not written") {
  void* fresh = nullptr;
  REQUIRE(cudaMalloc(&fresh, 32) == cudaSuccess);
  DeviceArray<float> y(8);
  launch(copy_kernel, 1, 8, 0, nullptr, static_cast<float*>(fresh), y.data(), 8, 0);
  for (float v : y.values()) CHECK(std::isnan(v));
  cudaFree(fresh);
}

TEST_CASE("emulator: the host and device memory") {
  DeviceArray<float> x(8);
  CHECK(death_of([&] { x.data()[3] = 1; }).find("the host accessed device memory") !=
        std::string::npos);
  auto raw = +[](float* data) { data[0] = 1; };
  CHECK(death_of([&] {
          launch(raw, 1, 1, 0, nullptr, x.data());
        }).find("a kernel used a device pointer without global()") != std::string::npos);
}

TEST_CASE("emulator: a missing barrier") {
  DeviceArray<float> x(counting(64));
  check_finding("shared memory is read",
                [&] { launch(reverse_kernel, 1, 64, 256, nullptr, x.data(), false); });
  // The other order of events: read by one thread, then written by another.
  auto shift = +[](float* data, bool with_barrier) {
    SharedMemory memory;
    Shared<float> tile = memory.take<float>(33);
    int i = int(threadIdx.x);
    tile[i] = global(data)[i];
    if (i == 0) tile[32] = 7.0f;
    __syncthreads();
    float left = tile[i + 1];
    if (with_barrier) __syncthreads();
    tile[i] = left;
    global(data)[i] = left;
  };
  launch(shift, 1, 32, 33 * 4, nullptr, x.data(), true);
  CHECK(x.values()[0] == 1);
  CHECK(x.values()[31] == 7);
  check_finding("shared memory is written",
                [&] { launch(shift, 1, 32, 33 * 4, nullptr, x.data(), false); });
  auto both = +[](float*) {
    SharedMemory memory;
    memory.take<float>(1)[0] = float(threadIdx.x);
  };
  launch(both, 3, 1, 4, nullptr, x.data());
  check_finding("shared memory is written where thread 0 has touched it",
                [&] { launch(both, 1, 2, 4, nullptr, x.data()); });
}

TEST_CASE("emulator: blocks and threads that meet in global memory") {
  DeviceArray<float> x(64);
  auto same = +[](float* data) { global(data)[0] = 1; };
  check_finding("global memory is written where thread 0",
                [&] { launch(same, 1, 2, 0, nullptr, x.data()); });
  check_finding("global memory is written where block 0",
                [&] { launch(same, 2, 1, 0, nullptr, x.data()); });
  // Reading what another block wrote, and writing what several have read.
  auto neighbour = +[](float* data) {
    auto v = global(data);
    v[blockIdx.x] = float(v[(blockIdx.x + 1) % gridDim.x]) + 1;
  };
  check_finding("global memory is", [&] { launch(neighbour, 4, 1, 0, nullptr, x.data()); });
  auto gather = +[](float* data) {
    auto v = global(data);
    float first = v[0];
    if (threadIdx.x == 2) v[0] = first + 1;
  };
  check_finding("global memory is written", [&] { launch(gather, 1, 3, 0, nullptr, x.data()); });
  // Within a block a barrier orders them.
  auto ordered = +[](float* data) {
    auto v = global(data);
    float first = v[0];
    __syncthreads();
    if (threadIdx.x == 2) v[0] = first + 1;
  };
  launch(ordered, 1, 3, 0, nullptr, x.data());
}

TEST_CASE("emulator: shuffles") {
  DeviceArray<float> x(counting(64)), y(64);
  auto sum = [&](int64_t block, unsigned mask, int threads) {
    launch(warp_sum_kernel, 1, block, 0, nullptr, x.data(), y.data(), mask, threads);
  };
  check_finding("a shuffle with an absent lane", [&] { sum(64, ~0u, 40); });
  check_finding("a shuffle with absent lanes", [&] { sum(20, ~0u, 20); });
  check_finding("a shuffle from the absent lane 16", [&] { sum(32, 0xffff, 16); });
  check_finding("which its mask 0xfffffffe leaves out", [&] { sum(32, ~1u, 32); });
  // Half of the warp in each of two branches, each with all lanes in its mask.
  auto branches = +[](float* data) {
    float v = 1;
    if (threadIdx.x < 16)
      v = __shfl_xor_sync(~0u, v, 1);
    else
      v = __shfl_xor_sync(~0u, v, 2);
    global(data)[threadIdx.x] = v;
  };
  check_finding("a shuffle with an absent lane",
                [&] { launch(branches, 1, 32, 0, nullptr, y.data()); });
  auto down = +[](float* data) {
    auto v = global(data);
    v[threadIdx.x] = __shfl_down_sync(~0u, float(v[threadIdx.x]), 1) +
                     100 * __shfl_sync(~0u, float(threadIdx.x), 5);
  };
  DeviceArray<float> z(counting(32));
  launch(down, 1, 32, 0, nullptr, z.data());
  CHECK(z.values()[0] == 501);
  CHECK(z.values()[31] == 531);
}

TEST_CASE("emulator: divergent barriers") {
  DeviceArray<float> x(64);
  auto some = +[](float*) {
    if (threadIdx.x < 40) __syncthreads();
  };
  check_finding("a divergent barrier: thread 0 waits at the barrier of",
                [&] { launch(some, 1, 64, 0, nullptr, x.data()); });
  auto two = +[](float*) {
    if (threadIdx.x % 2)
      __syncthreads();
    else
      __syncthreads();
  };
  check_finding("a divergent barrier", [&] { launch(two, 1, 64, 0, nullptr, x.data()); });
  auto mixed = +[](float*) {
    if (threadIdx.x < 32)
      __syncthreads();
    else
      __shfl_xor_sync(~0u, 1.0f, 1);
  };
  check_finding("a divergent barrier", [&] { launch(mixed, 1, 64, 0, nullptr, x.data()); });
}

TEST_CASE("emulator: what no GPU offers") {
  DeviceArray<float> x(counting(64));
  auto reverse = [&](int64_t blocks, int64_t threads, size_t shared) {
    launch(reverse_kernel, blocks, threads, shared, nullptr, x.data(), true);
  };
  reverse(1, 64, 48 * 1024);
  check_finding("49153 bytes of shared memory, of at most 49152",
                [&] { reverse(1, 64, 48 * 1024 + 1); });
  check_finding("256 bytes of shared memory are used and 252 were asked for",
                [&] { reverse(1, 64, 252); });
  check_finding("1025 threads in a block", [&] { reverse(1, 1025, 0); });
  check_finding("0 threads in a block", [&] { reverse(1, 0, 0); });
  check_finding("a grid without blocks", [&] { reverse(0, 64, 256); });
  auto beyond = +[](float*) {
    SharedMemory memory;
    memory.take<float>(4)[4] = 1.0f;
  };
  check_finding("element 4 of 4 in shared memory",
                [&] { launch(beyond, 1, 1, 64, nullptr, x.data()); });
  auto early = +[](float* data) {
    SharedMemory memory;
    global(data)[0] = float(memory.take<float>(4)[0]);
  };
  check_finding("shared memory is read before it is written",
                [&] { launch(early, 1, 1, 64, nullptr, x.data()); });
}

TEST_CASE("emulator: a launch after a finding is as good as new") {
  DeviceArray<float> x(counting(256));
  check_finding("missing", [] { fail("missing"); });
  for (int i = 0; i < 20; ++i)
    CHECK_THROWS_AS(launch(reverse_kernel, 1, 256, 1024, nullptr, x.data(), false), Error);
  x.values();
  launch(reverse_kernel, 1, 256, 1024, nullptr, x.data(), true);
}

namespace {

// C = A B of a warp, A of 16 rows and B of 8 columns stored by columns, `inner` numbers each.
template <Math math>
__global__ void warp_product_kernel(const float* a, const float* b, float* c) {
  constexpr int64_t kNumbers = kNumbersInWord<math>, kInner = kMmaInner<math>;
  auto A = global(a), B = global(b);
  auto C = global(c);
  const int64_t g = mma_group(), t = mma_place();
  auto word = [&](auto& from, int64_t row, int64_t w) {
    const int64_t at = row * kInner + w * kNumbers;
    return word_of<math>(from[at], from[at + kNumbers - 1]);
  };
  Left<math> left;
  Right<math> right;
  for (int i = 0; i < 4; ++i) left.set(i, word(A, g + i % 2 * 8, t + i / 2 * 4));
  for (int i = 0; i < 2; ++i) right.set(i, word(B, g, t + i * 4));
  Sums sums;
  multiply_add<math>(sums, left, right);
  for (int i = 0; i < 4; ++i) C[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sums.at[i];
}

template <Math math>
void check_warp_product(double bound) {
  constexpr int64_t kInner = kMmaInner<math>;
  Rng rng(1, "test.mma");
  auto random = [&](int64_t n) {
    std::vector<float> x(static_cast<size_t>(n));
    for (float& value : x) value = float(rng.uniform(-1, 1));
    return x;
  };
  const std::vector<float> a = random(16 * kInner), b = random(8 * kInner);
  DeviceArray<float> A(a), B(b), C(128);
  launch(warp_product_kernel<math>, 1, 32, 0, nullptr, A.data(), B.data(), C.data());
  const std::vector<float> c = C.values();
  for (int64_t row = 0; row < 16; ++row)
    for (int64_t column = 0; column < 8; ++column) {
      double sum = 0;
      auto read = [](float x) {
        return double(math == Math::fp32 ? x : rounded(x, dropped_bits(math)));
      };
      for (int64_t k = 0; k < kInner; ++k)
        sum += read(a[size_t(row * kInner + k)]) * read(b[size_t(column * kInner + k)]);
      CHECK(std::abs(c[size_t(row * 8 + column)] - sum) < bound);
    }
}

}  // namespace

TEST_CASE("emulator: a warp multiplies on tensor cores") {
  check_warp_product<Math::tf32>(1e-6);
  check_warp_product<Math::bf16>(1e-6);
  check_warp_product<Math::fp32>(2e-6);
  auto half = +[](float* data) {
    Sums sums;
    multiply_add<Math::tf32>(sums, {}, {});
    global(data)[threadIdx.x] = sums.at[0];
  };
  DeviceArray<float> x(32);
  check_finding("a product by a warp of 16 lanes",
                [&] { launch(half, 1, 16, 0, nullptr, x.data()); });
}

TEST_CASE("emulator: four numbers at once") {
  DeviceArray<float> x(counting(12)), sums(1);
  auto sum = +[](const float* from, int64_t first, float* to) {
    float four[4];
    load_four(from + first, four);
    global(to)[0] = four[0] + four[1] + four[2] + four[3];
  };
  launch(sum, 1, 1, 0, nullptr, x.data(), 4, sums.data());
  CHECK(sums.values()[0] == 22);
  check_finding("no address of 16 bytes",
                [&] { launch(sum, 1, 1, 0, nullptr, x.data(), 5, sums.data()); });
  check_finding("offset 48 of an allocation of 48",
                [&] { launch(sum, 1, 1, 0, nullptr, x.data(), 12, sums.data()); });
}
