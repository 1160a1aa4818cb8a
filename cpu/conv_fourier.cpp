// Depthwise causal convolution by fast Fourier transform (Cooley and Tukey, 1965): a product of
// spectra, at N log N instead of N².
//
// A register holds one number of several channels, and all of them go through one transform. Two
// sequences travel as the real and the imaginary part: the kernel is real, so they do not mix. The
// transform leaves its output in bit-reversed order and its inverse starts from there, so nothing
// is ever reordered.
#include <cmath>
#include <numbers>

#include "cpu/simd.h"

namespace star::cpu::STAR_TARGET {
namespace {

// The smallest power of two at which lags 0 … taps − 1 do not wrap around.
int64_t transform_length(int64_t length, int64_t taps) {
  int64_t n = 1;
  while (n < length + taps - 1) n *= 2;
  return n;
}

// Complex numbers of several channels: real parts, then imaginary parts.
template <class T>
struct Complex {
  Vec<T> re, im;
  static Complex at(const T* p) {
    return {Vec<T>::load_unaligned(p), Vec<T>::load_unaligned(p + kLanes<T>)};
  }
  void put(T* p) const {
    re.store_unaligned(p);
    im.store_unaligned(p + kLanes<T>);
  }
  Complex operator+(const Complex& o) const { return {re + o.re, im + o.im}; }
  Complex operator-(const Complex& o) const { return {re - o.re, im - o.im}; }
  Complex operator*(const Complex& o) const {
    return {re * o.re - im * o.im, xsimd::fma(re, o.im, im * o.re)};
  }
  Complex conj() const { return {re, -im}; }
};

template <class T>
inline constexpr int64_t kComplex = 2 * kLanes<T>;  // elements of one Complex

template <class T>
class Transform {
 public:
  explicit Transform(int64_t n) : n_(n) {
    for (int64_t k = 0; k < n / 2; ++k) {
      double angle = 2 * std::numbers::pi * double(k) / double(n);
      cos_.push_back(T(std::cos(angle)));
      sin_.push_back(T(std::sin(angle)));
    }
  }

  void forward(T* z) const {
    for (int64_t half = n_ / 2; half > 0; half /= 2)
      butterflies(half, z, [](Complex<T>& a, Complex<T>& b, const Complex<T>& root) {
        Complex<T> difference = a - b;
        a = a + b;
        b = difference * root.conj();
      });
  }
  // Without the factor 1/N.
  void inverse(T* z) const {
    for (int64_t half = 1; half < n_; half *= 2)
      butterflies(half, z, [](Complex<T>& a, Complex<T>& b, const Complex<T>& root) {
        Complex<T> turned = b * root;
        b = a - turned;
        a = a + turned;
      });
  }

 private:
  template <class F>
  void butterflies(int64_t half, T* z, const F& butterfly) const {
    int64_t stride = n_ / 2 / half;
    for (int64_t start = 0; start < n_; start += 2 * half)
      for (int64_t i = 0; i < half; ++i) {
        size_t k = size_t(i * stride);
        Complex<T> root{Vec<T>(cos_[k]), Vec<T>(sin_[k])};
        T *p = z + (start + i) * kComplex<T>, *q = p + half * kComplex<T>;
        Complex<T> a = Complex<T>::at(p), b = Complex<T>::at(q);
        butterfly(a, b, root);
        a.put(p);
        b.put(q);
      }
  }

  int64_t n_;
  std::vector<T> cos_, sin_;
};

// The strips of channels of a batch, two sequences at a time, and memory for their spectra.
template <class T>
struct Spectra {
  int64_t length, channels, n, strips, pairs, batch;
  Transform<T> transform;

  template <class Args>
  explicit Spectra(const Args& args)
      : length(args.length),
        channels(args.channels),
        n(transform_length(args.length, std::min(args.taps, args.length))),
        strips(blocks_of(args.channels, kLanes<T>)),
        pairs(blocks_of(args.batch, 2)),
        batch(args.batch),
        transform(n) {}

  Tensor memory(Exec& exec, int64_t count) const {
    return exec.empty({count, n, kComplex<T>}, dtype_of<T>);
  }
  T* of(const Tensor& memory, int64_t task) const {
    return memory.template data<T>() + task * n * kComplex<T>;
  }
  // z_t = a_t + i b_t for the strip at channel c, zero from `rows` on; b null: 0.
  void gather(const T* a, const T* b, int64_t rows, int64_t c, T* z) const {
    for (int64_t t = 0; t < n; ++t) {
      Complex<T> value{Vec<T>(T(0)), Vec<T>(T(0))};
      if (t < rows) value.re = load(a + t * channels + c, channels - c);
      if (t < rows && b) value.im = load(b + t * channels + c, channels - c);
      value.put(z + t * kComplex<T>);
    }
  }
  // The two sequences of a pair in x; the second may be missing.
  void gather_pair(const T* x, int64_t pair, int64_t c, T* z) const {
    const T* a = x + 2 * pair * length * channels;
    gather(a, 2 * pair + 1 < batch ? a + length * channels : nullptr, length, c, z);
  }
};

}  // namespace

template <class T>
void conv_fourier(Exec& exec, const Conv<T>& args) {
  if (args.batch == 0 || args.length == 0) return;
  Spectra<T> s(args);
  Tensor kernels = s.memory(exec, s.strips), work = s.memory(exec, s.pairs * s.strips);
  exec.pool().run(s.strips, [&](int64_t strip) {
    T* k = s.of(kernels, strip);
    s.gather(args.k, nullptr, std::min(args.taps, args.length), strip * kLanes<T>, k);
    s.transform.forward(k);
  });
  Vec<T> factor(T(1) / T(s.n));
  exec.pool().run(s.pairs * s.strips, [&](int64_t task) {
    int64_t pair = task / s.strips, strip = task % s.strips, c = strip * kLanes<T>;
    T *z = s.of(work, task), *k = s.of(kernels, strip);
    s.gather_pair(args.x, pair, c, z);
    s.transform.forward(z);
    for (int64_t i = 0; i < s.n * kComplex<T>; i += kComplex<T>) {
      Complex<T> at = Complex<T>::at(k + i);
      (Complex<T>::at(z + i) * (args.transpose ? at.conj() : at)).put(z + i);
    }
    s.transform.inverse(z);
    for (int64_t t = 0; t < args.length; ++t) {
      Complex<T> y = Complex<T>::at(z + t * kComplex<T>);
      T* out = args.y + (2 * pair * args.length + t) * args.channels + c;
      store(out, factor * y.re, args.channels - c);
      if (2 * pair + 1 < args.batch)
        store(out + args.length * args.channels, factor * y.im, args.channels - c);
    }
  });
}

// dk_τ = Σ_t dy_t x_{t−τ} is a correlation: the spectrum of dy times the conjugate one of x. Of two
// sequences in one transform, the real part is the sum of their correlations.
template <class T>
void conv_fourier_kernel_grad(Exec& exec, const ConvKernelGrad<T>& args) {
  Spectra<T> s(args);
  Tensor xs = s.memory(exec, s.strips), dys = s.memory(exec, s.strips),
         sums = s.memory(exec, s.strips);
  Vec<T> factor(T(1) / T(s.n)), zero(T(0));
  exec.pool().run(s.strips, [&](int64_t strip) {
    int64_t c = strip * kLanes<T>;
    T *x = s.of(xs, strip), *dy = s.of(dys, strip), *sum = s.of(sums, strip);
    std::fill(sum, sum + s.n * kComplex<T>, T(0));
    for (int64_t pair = 0; pair < s.pairs; ++pair) {
      s.gather_pair(args.x, pair, c, x);
      s.gather_pair(args.dy, pair, c, dy);
      s.transform.forward(x);
      s.transform.forward(dy);
      for (int64_t i = 0; i < s.n * kComplex<T>; i += kComplex<T>) {
        Complex<T> product = Complex<T>::at(dy + i) * Complex<T>::at(x + i).conj();
        (Complex<T>::at(sum + i) + product).put(sum + i);
      }
    }
    s.transform.inverse(sum);
    for (int64_t tau = 0; tau < args.taps; ++tau) {
      Vec<T> v = tau < args.length ? factor * Complex<T>::at(sum + tau * kComplex<T>).re : zero;
      store(args.dk + tau * args.channels + c, v, args.channels - c);
    }
  });
}

STAR_INSTANTIATE(conv_fourier, Conv)
STAR_INSTANTIATE(conv_fourier_kernel_grad, ConvKernelGrad)

}  // namespace star::cpu::STAR_TARGET
