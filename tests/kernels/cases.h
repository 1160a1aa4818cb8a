// Cases for the kernels of a backend. A case draws its inputs from a Session, runs a kernel and
// judges what it wrote by a naive reference in double precision. Each case is run for float and
// double: on every instruction set that this processor has, and again with 2 threads (3 on the
// widest), which must give the same bits; and on the CUDA device (tests/cuda), twice, likewise.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/exec.h"
#include "core/rng.h"

namespace star {

using Doubles = std::vector<double>;

// Sizes around the registers of all targets (2 … 16 lanes), and beyond one cache line.
inline constexpr int64_t kAwkward[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 127, 128, 129};

// Where the kernels under test compute; null: in the host's memory.
class ArrayMemory {
 public:
  static void use(const DeviceMemory* memory) { device_ = memory; }

 protected:
  static inline const DeviceMemory* device_ = nullptr;
};

// An array between guards of NaN: what a kernel reads past an end spoils its result, and what it
// writes there is seen. A pointer to it is for a kernel, an index for the host: the elements are
// copied where they are asked for.
template <class T>
class Array : ArrayMemory {
 public:
  explicit Array(int64_t n, T value = kGuardValue)
      : values_(size_t(n + 2 * kGuard), kGuardValue), size_(n) {
    std::fill_n(values_.begin() + kGuard, n, value);
  }
  explicit Array(const std::vector<T>& values) : Array(int64_t(values.size())) {
    std::copy(values.begin(), values.end(), values_.begin() + kGuard);
  }
  Array(const Array& other) : values_(other.host()), size_(other.size_) {}
  Array& operator=(const Array& other) {
    values_ = other.host();
    size_ = other.size_;
    block_.reset();
    on_device_ = false;
    return *this;
  }

  int64_t size() const { return size_; }
  T* data() {
    if (!device_) return values_.data() + kGuard;
    size_t bytes = values_.size() * sizeof(T);
    if (!block_) block_.reset(static_cast<T*>(device_->allocate(bytes)), device_->free);
    if (!on_device_) device_->write(block_.get(), values_.data(), bytes);
    on_device_ = true;
    return block_.get() + kGuard;
  }
  operator T*() { return data(); }
  T& operator[](int64_t i) { return host()[size_t(kGuard + i)]; }
  T operator[](int64_t i) const { return host()[size_t(kGuard + i)]; }
  bool intact() const {
    auto is_guard = [](T x) { return std::isnan(kGuardValue) ? std::isnan(x) : x == kGuardValue; };
    for (int64_t i = 0; i < kGuard; ++i)
      if (!is_guard((*this)[-1 - i]) || !is_guard((*this)[size_ + i])) return false;
    return true;
  }
  Doubles doubles() const {
    return Doubles(host().begin() + kGuard, host().begin() + kGuard + size_);
  }

 private:
  std::vector<T>& host() const {
    if (on_device_) device_->read(values_.data(), block_.get(), values_.size() * sizeof(T));
    on_device_ = false;
    return values_;
  }

  static constexpr int64_t kGuard = 64;
  static constexpr T kGuardValue = std::numeric_limits<T>::has_quiet_NaN
                                       ? std::numeric_limits<T>::quiet_NaN()
                                       : std::numeric_limits<T>::max();
  mutable std::vector<T> values_;
  std::shared_ptr<T> block_;        // of the device
  mutable bool on_device_ = false;  // what was last asked for
  int64_t size_;
};

// The kernels of a backend, noted by their names as they are called.
template <class T>
class NotedKernels {
 public:
  static const Kernels<T>& of(const Kernels<T>& kernels, std::set<std::string>& called) {
    kernels_ = &kernels;
    called_ = &called;
    static const Kernels<T> noting = {
#define KERNEL(name, Arguments)                   \
  [](Exec& exec, const Arguments<T>& arguments) { \
    called_->insert(#name);                       \
    kernels_->name(exec, arguments);              \
  },
#include "core/kernels.def"
#undef KERNEL
    };
    return noting;
  }

 private:
  static inline const Kernels<T>* kernels_ = nullptr;
  static inline std::set<std::string>* called_ = nullptr;
};

template <class T>
class Session {
 public:
  static constexpr double kEpsilon = std::numeric_limits<T>::epsilon();
  // Relative to the largest element: sums of some hundred terms of either sign stay within about
  // a hundred roundings (6e-8 and 1.1e-16 each); double leaves room for the reference's own error.
  static constexpr double kTolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;

  Session(const Backend& backend, int threads)
      : exec(backend, threads), rng(1, "kernel cases"), judging_(threads == 1) {
    ArrayMemory::use(backend.memory);
  }

  const Kernels<T>& kernels() { return NotedKernels<T>::of(exec.template kernels<T>(), called); }

  Array<T> random(int64_t n, double lo = -1, double hi = 1) {
    Array<T> x(n);
    for (int64_t i = 0; i < n; ++i) x[i] = T(rng.uniform(lo, hi));
    return x;
  }
  Tensor random_tensor(const Shape& shape, double lo = -1, double hi = 1) {
    Tensor t = exec.empty(shape, dtype_of<T>);
    std::vector<T> values(size_t(t.numel()), T(0));
    for (T& value : values) value = T(rng.uniform(lo, hi));
    t.assign(values);
    return t;
  }
  // A view of this shape with a random layout: axes in any order in memory, cut from a longer axis,
  // flipped, and, where `repeats`, some of stride 0. `*memory` receives the whole of it.
  Tensor random_view(const Shape& shape, bool repeats, Tensor* memory = nullptr);

  // The checks below judge `y` by the naive `reference`, which is called once for all threads.
  using Reference = std::function<Doubles()>;
  // Within `tolerance` of the larger of `magnitude` and the reference's largest element.
  void near(const Array<T>& y, const Reference& reference, double magnitude = 0,
            double tolerance = kTolerance);
  // Each within 16 roundings of the larger of itself and `floor`.
  void near_each(const Array<T>& y, const Reference& reference, double floor = 0) {
    judge(y, reference, [=](double r) { return 16 * kEpsilon * std::max(std::abs(r), floor); });
  }
  void equal(const Array<T>& y, const Reference& reference) {
    judge(y, reference, [](double) { return 0.0; });
  }

  Exec exec;
  Rng rng;
  Doubles outputs;               // all that was judged, to compare between numbers of threads
  std::set<std::string> called;  // the kernels that the case has asked for and run

 private:
  void judge(const Array<T>& y, const Reference& reference,
             const std::function<double(double)>& bound);
  bool judging_;
};

template <class T>
Tensor Session<T>::random_view(const Shape& shape, bool repeats, Tensor* memory) {
  int rank = shape.rank();
  std::vector<int> order(size_t(rank), 0), back(size_t(rank), 0);
  for (int i = 0; i < rank; ++i) order[size_t(i)] = i;
  rng.shuffle(order);
  std::vector<int64_t> start(size_t(rank), 0);
  std::vector<bool> repeated(size_t(rank), false);
  Shape whole;
  for (int i = 0; i < rank; ++i) {
    size_t axis = size_t(order[size_t(i)]);
    back[axis] = i;
    repeated[axis] = repeats && rng.chance(0.3);
    bool cut = !repeated[axis] && rng.chance(0.3);
    start[axis] = cut ? 1 : 0;
    whole.push_back(repeated[axis] ? 1 : shape[int(axis)] + (cut ? 2 : 0));
  }
  Tensor base = random_tensor(whole);
  if (memory) *memory = base;
  Tensor view = base.permute(back);
  for (int axis = 0; axis < rank; ++axis) {
    if (repeated[size_t(axis)]) continue;
    view = view.narrow(axis, start[size_t(axis)], shape[axis]);
    if (shape[axis] > 0 && rng.chance(0.3)) view = view.flip(axis);
  }
  return view.expand(shape);
}

template <class T>
void Session<T>::near(const Array<T>& y, const Reference& reference, double magnitude,
                      double tolerance) {
  Doubles expected;
  if (judging_) expected = reference();
  for (double r : expected)
    if (std::isfinite(r)) magnitude = std::max(magnitude, std::abs(r));
  judge(
      y, [&] { return expected; }, [=](double) { return tolerance * magnitude; });
}

template <class T>
void Session<T>::judge(const Array<T>& y, const Reference& reference,
                       const std::function<double(double)>& bound) {
  CHECK_MESSAGE(y.intact(), "written outside the array");
  Doubles actual = y.doubles();
  outputs.insert(outputs.end(), actual.begin(), actual.end());
  if (!judging_) return;
  Doubles expected = reference();
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    // Infinities are equal or wrong; a NaN is wrong.
    bool ok = actual[i] == expected[i] || std::abs(actual[i] - expected[i]) <= bound(expected[i]);
    if (ok) continue;
    FAIL_CHECK(fmt::format("element {} of {}: {} where {} ± {} is expected", i, actual.size(),
                           actual[i], expected[i], bound(expected[i])));
    return;
  }
}

// The kernels of core/kernels.def that have a case.
inline std::set<std::string>& covered_kernels() {
  static std::set<std::string> names;
  return names;
}

template <class T, class Case>
void run_with_threads(const char* kernel, const Backend& backend, int most_threads,
                      const Case& body) {
  std::string target = fmt::format("{} {}", backend.target, dtype_name(dtype_of<T>));
  CAPTURE(target);
  Doubles alone;
  for (int threads = 1; threads <= most_threads; ++threads) {
    CAPTURE(threads);
    Session<T> session(backend, threads);
    body(session);
    REQUIRE(!session.outputs.empty());
    REQUIRE_MESSAGE(session.called.count(kernel), "a case that never calls its kernel");
    if (threads == 1) alone = session.outputs;
    REQUIRE(session.outputs.size() == alone.size());
    // Bit for bit: −0 is not 0 here.
    const bool same =
        std::memcmp(alone.data(), session.outputs.data(), alone.size() * sizeof(double)) == 0;
    CHECK(same);
  }
}

// Whether products of rounded factors are cuBLAS's own, which may read more of them than was asked
// for, and rounds as it likes; elsewhere they are told to the bit.
inline bool on_card(const Backend& backend) {
  return backend.memory && !std::string_view(backend.target).starts_with("emulator");
}

// What a test program runs the cases on, and with up to how many threads.
struct Place {
  const Backend* backend;
  int most_threads;
};
std::vector<Place> places();

template <class Case>
void run_everywhere(const char* kernel, const Case& body) {
  for (auto [backend, most_threads] : places()) {
    run_with_threads<float>(kernel, *backend, most_threads, body);
    run_with_threads<double>(kernel, *backend, most_threads, body);
  }
}

}  // namespace star

// KERNEL_CASE(softmax) { … } is the body of a function template on T, with a Session<T>& s.
#define KERNEL_CASE(kernel)                                                                \
  template <class T>                                                                       \
  static void kernel##_case(star::Session<T>& s);                                          \
  [[maybe_unused]] static const bool kernel##_covered =                                    \
      star::covered_kernels().insert(#kernel).second;                                      \
  TEST_CASE("kernel " #kernel) {                                                           \
    star::run_everywhere(#kernel, []<class T>(star::Session<T>& s) { kernel##_case(s); }); \
  }                                                                                        \
  template <class T>                                                                       \
  static void kernel##_case(star::Session<T>& s)
