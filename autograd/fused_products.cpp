// Orders that multiply in one pass what is read, what is written and a function or a short kernel
// between them.
#include <optional>

#include "autograd/elementwise.h"
#include "autograd/orders.h"
#include "autograd/sequence.h"
#include "autograd/views.h"

namespace star {
namespace {

using Run = Program::Run;
using Tensors = std::span<const Var>;

// silu(bic),bjc,[i=j]->bic: a function of one factor times the other.
struct ProductPattern {
  Unary function;
  Operand gate, value;

  static std::optional<ProductPattern> in(const BoundNetwork& b) {
    Kinds k(b.factors);
    if (!k.are(1, 0, 0, 1) || k.number != 1 || k.window != 1) return {};
    const Factor& f = *k.functions[0];
    Kinds inside(f.inside);
    if (f.node.is_softmax() || !inside.are(1, 0, 0, 0) || inside.band || inside.number != 1)
      return {};
    ProductPattern p{*f.node.function, inside.tensors[0], k.tensors[0]};
    auto lies = [&](const Operand& x) {
      return renamed(x.letters, b.network.write, b.network.read) == b.network.result;
    };
    if (!lies(p.gate) || !lies(p.value)) return {};
    return p;
  }

  static std::vector<int64_t> match(const BoundNetwork& b, const Rates&) {
    return fits(in(b) && b.rows == b.columns);
  }

  static Operand program(Machine& m, const BoundNetwork& b, int64_t) {
    ProductPattern p = *in(b);
    Operand y = m.computed(
        {b.network.result, p.value.shape}, {p.gate, p.value},
        [p](const Run& run) { return gated(p.function, run[p.gate.value], run[p.value.value]); });
    m.note(y, 2 * y.volume(), 5 * y.volume(), "{} of {} times {}", name_of(p.function),
           p.gate.letters, p.value.letters);
    return y;
  }
};

// A kernel between one factor that reads and two that write, all of the same letters:
//   bic,[i-j]c,bjc,bjc->bic
struct ConvolutionPattern {
  Operand read, kernel, write, value;
  bool grows;  // with the tokens, as its lags are not stated

  static std::optional<ConvolutionPattern> in(const BoundNetwork& b) {
    Kinds k(b.factors);
    if (!k.are(3, 1, 0, 0) || k.number != 1 || k.window != Node::kCausal) return {};
    const std::string& result = b.network.result;
    std::string written = renamed(result, b.network.read, b.network.write);
    size_t read = 0;
    while (read < 3 && k.tensors[read].letters != result) ++read;
    if (read == 3) return {};
    ConvolutionPattern g{k.tensors[read], k.kernels[0], k.tensors[read == 0],
                         k.tensors[2 - (read == 2)], true};
    if (g.write.letters != written || g.value.letters != written ||
        g.kernel.letters != Node::kTokens + result.substr(result.find(b.network.read) + 1))
      return {};
    for (const Factor& f : b.factors)
      if (f.node.kind == Node::Kind::toeplitz) g.grows = f.node.window == Node::kCausal;
    return g;
  }

  static std::vector<int64_t> match(const BoundNetwork& b, const Rates& rates) {
    auto g = in(b);
    return fits(g && b.rows == b.columns && g->kernel.size(Node::kTokens) <= rates.short_kernel);
  }

  static Operand program(Machine& m, const BoundNetwork& b, int64_t) {
    ConvolutionPattern g = *in(b);
    Operand y = g.read;
    Shape three = three_axes(y, b.network.read), k{g.kernel.size(Node::kTokens), three[2]};
    y = m.computed(y, {g.read, g.kernel, g.write, g.value}, [=, shape = y.shape](const Run& run) {
      auto [read, kernel, write, value] = std::array{run[g.read.value], run[g.kernel.value],
                                                     run[g.write.value], run[g.value.value]};
      return reshape(gated_conv(reshape(read, three), reshape(kernel, k), reshape(write, three),
                                reshape(value, three)),
                     shape);
    });
    m.note(y, 3 * y.volume() + g.kernel.volume(), double(2 * k[0] + 2) * y.volume(),
           "gated convolution of {} by {}", g.write.letters, g.kernel.letters);
    return y;
  }

  // What was written before and the kernel still reaches is kept: all of it, or the last lags.
  static Order::Step step(const BoundNetwork& b) {
    auto g = in(b);
    if (!g || b.network.result.find(b.network.read) != 1 || b.network.result.size() != 3) return {};
    return [r = g->read.value, k = g->kernel.value, w = g->write.value, v = g->value.value,
            grows = g->grows](Tensors x, State& state) {
      Var written = x[size_t(w)] * x[size_t(v)];
      const Var& kernel = x[size_t(k)];
      int64_t before = grows ? kAllRows : kernel.size(0) - 1, L = written.size(1);
      Tensor kept = state.extend(written.exec(), State::kCarried, written.value(), before,
                                 grows ? 0 : before);
      Var all = written.tape().constant(kept);
      if (grows && L == 1)  // one row of the matrix
        return x[size_t(r)] * sum(all * flip(kernel, 0), {1}, true);
      return x[size_t(r)] * narrow(conv(all, kernel), 1, all.size(1) - L, L);
    };
  }
};

}  // namespace

const Order kGatedProduct{"gated product", ProductPattern::match, ProductPattern::program};
const Order kGatedConvolution{"gated convolution", ConvolutionPattern::match,
                              ConvolutionPattern::program, ConvolutionPattern::step};

}  // namespace star
