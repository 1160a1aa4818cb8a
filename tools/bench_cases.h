// What makes the cases of tools/bench_kernels.h: it draws their tensors, and counts what each of them
// reads and writes.
#pragma once

#include "core/quantized.h"
#include "core/rng.h"
#include "tools/bench_kernels.h"

namespace star::cli {

template <class T>
class Benches {
 public:
  Benches(Exec& exec, const BenchSizes& s)
      : exec_(exec),
        B(s.batch),
        L(s.length),
        d(s.width),
        H(s.heads),
        V(s.vocab),
        N(s.states),
        n(s.batch * s.length * s.width),
        rows(s.batch * s.length) {}

  // The cases refer to it, and live as long as they do.
  std::vector<KernelBench> all() {
    elementwise();
    products();
    by_row();
    along_tokens();
    tables();
    return std::move(list_);
  }

 private:
  // bench_kernels.cpp
  void elementwise();
  void products();
  void by_row();
  void tables();
  // bench_sequence.cpp
  void along_tokens();
  void attentions();
  void convolutions(bool fourier, int64_t taps);
  void gated_convolution(int64_t taps);
  void states();
  void channels();
  void selective();

  const Kernels<T>& kernels() { return exec_.kernels<T>(); }
  static T* at(const Tensor& t) { return t.data<T>(); }

  // Uniform in a range; counted as read.
  Tensor in(const Shape& shape, double lo = -1, double hi = 1) {
    std::vector<double> values(size_t(shape.numel()));
    Rng rng(0, "bench", uint64_t(++drawn_));
    for (double& v : values) v = rng.uniform(lo, hi);
    bytes_ += double(shape.numel()) * sizeof(T);
    return exec_.from(shape, values, dtype_of<T>);
  }
  // Counted as written.
  Tensor out(const Shape& shape) {
    bytes_ += double(shape.numel()) * sizeof(T);
    return exec_.zeros(shape, dtype_of<T>);
  }
  Tensor index() {
    std::vector<int32_t> values(static_cast<size_t>(rows));
    Rng rng(0, "bench/index");
    for (int32_t& v : values) v = int32_t(rng.below(uint32_t(V)));
    bytes_ += 4 * double(rows);
    return exec_.from({rows}, values);
  }

  // A matrix in eight bits.
  Tensor in_bytes(const Shape& shape) {
    const double before = bytes_;
    const Tensor bytes = quantized(exec_, in(shape));
    bytes_ = before + double(bytes.numel());
    return bytes;
  }

  void add(const char* name, double flops, const Tensor& output, std::function<void()> run) {
    list_.push_back({name, flops, bytes_, std::move(run), output});
    bytes_ = 0;
  }

  Exec& exec_;
  int64_t B, L, d, H, V, N, n, rows;
  std::vector<KernelBench> list_;
  double bytes_ = 0;
  int drawn_ = 0;
};

}  // namespace star::cli
