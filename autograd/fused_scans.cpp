// Orders that are a recurrence of each channel and make its decays on the way.
#include <optional>

#include "autograd/orders.h"
#include "autograd/sequence.h"
#include "autograd/views.h"

namespace star {
namespace {

using Run = Program::Run;
using Tensors = std::span<const Var>;

// The letters of something of each token t, as one of j and as one of i.
std::string written(const Network& n, const std::string& letters, char t) {
  return renamed(letters, t, n.write);
}
std::string read(const Network& n, const std::string& letters) {
  return renamed(letters, n.write, n.read);
}

// A decay by a function, as [i..t..j]exp(…).
bool decays_by(const Factor& decay, Unary function) {
  return !decay.inside.empty() && decay.inside[0].node.function == function;
}

// [i..t..j]sigmoid(a:btc),sigmoid(-1,a:bjc),bjc->bic: h_t = σ(a_t) h_{t−1} + σ(−a_t) v_t.
struct GatedPattern {
  Operand gate, value;
  char token;

  static std::optional<GatedPattern> in(const BoundNetwork& b) {
    const Network& n = b.network;
    Kinds k(b.factors);
    if (!k.are(1, 0, 1, 1) || k.band || k.number != 1) return {};
    const Factor &decay = *k.decays[0], &rest = *k.functions[0];
    if (!decays_by(decay, Unary::sigmoid) || rest.node.function != Unary::sigmoid) return {};
    Kinds gate(decay.inside[0].inside), opposite(rest.inside);
    if (!gate.are(1, 0, 0, 0) || gate.band || gate.number != 1 || !opposite.are(1, 0, 0, 0) ||
        opposite.band || opposite.number != -1)
      return {};
    const Operand &a = gate.tensors[0], &v = k.tensors[0];
    bool same = a.value == opposite.tensors[0].value && v.letters == opposite.tensors[0].letters &&
                v.letters == written(n, a.letters, decay.node.along) &&
                n.result == read(n, v.letters);
    if (!same) return {};
    return GatedPattern{a, v, decay.node.along};
  }

  static std::vector<int64_t> match(const BoundNetwork& b, const Rates&) {
    return fits(in(b).has_value());
  }

  static Operand program(Machine& m, const BoundNetwork& b, int64_t) {
    GatedPattern g = *in(b);
    Shape three = three_axes(g.value, b.network.write);
    Operand y{b.network.result, g.value.shape};
    y = m.computed(y, {g.gate, g.value}, [=, shape = y.shape](const Run& run) {
      return reshape(
          gated_scan(reshape(run[g.gate.value], three), reshape(run[g.value.value], three)), shape);
    });
    m.note(y, 2 * y.volume(), 8 * y.volume(), "scan of {} gated by {}", g.value.letters,
           g.gate.letters);
    return y;
  }

  static Order::Step step(const BoundNetwork& b) {
    auto g = in(b);
    if (!g || g->value.letters.size() != 3 || g->value.letters[1] != b.network.write) return {};
    return [a = g->gate.value, v = g->value.value](Tensors x, State& state) {
      Var h = gated_scan(x[size_t(a)], x[size_t(v)], state.get(State::kCarried));
      state.set(State::kCarried, h.exec().contiguous(h.value().select(1, h.size(1) - 1)));
      return h;
    };
  }
};

// [i..t..j]exp(dt:btc,nc),dt:bjc,bjn,bjc,bin->bic:
//   h_t[n,c] = exp(dt_t[c] A[n,c]) h_{t−1}[n,c] + dt_t[c] B_t[n] v_t[c]
//   y_t[c] = Σ_n C_t[n] h_t[n,c]
struct SelectivePattern {
  Operand dt, A, B, C, v;

  static std::optional<SelectivePattern> in(const BoundNetwork& b) {
    const Network& n = b.network;
    Kinds k(b.factors);
    if (!k.are(4, 0, 1, 0) || k.band || k.number != 1 || n.result.size() != 3 ||
        n.result[1] != n.read || !decays_by(*k.decays[0], Unary::exp))
      return {};
    Kinds decay(k.decays[0]->inside[0].inside);
    if (!decay.are(2, 0, 0, 0) || decay.band || decay.number != 1) return {};
    SelectivePattern s{decay.tensors[0], decay.tensors[1], {}, {}, {}};
    const std::string by_channel = renamed(n.result, n.read, n.write);
    if (written(n, s.dt.letters, k.decays[0]->node.along) != by_channel ||
        s.A.letters.size() != 2 || s.A.letters[1] != n.result[2])
      return {};
    std::string by_state = by_channel;
    by_state[2] = s.A.letters[0];
    int strengths = 0;
    for (const Operand& x : k.tensors) {
      if (x.letters == by_channel && x.value == s.dt.value && strengths == 0)
        ++strengths;
      else if (x.letters == by_channel)
        s.v = x;
      else if (x.letters == by_state)
        s.B = x;
      else if (x.letters == read(n, by_state))
        s.C = x;
    }
    if (!strengths || s.v.value < 0 || s.B.value < 0 || s.C.value < 0) return {};
    return s;
  }

  static std::vector<int64_t> match(const BoundNetwork& b, const Rates&) {
    return fits(in(b).has_value());
  }

  static Operand program(Machine& m, const BoundNetwork& b, int64_t) {
    SelectivePattern s = *in(b);
    Operand y =
        m.computed({b.network.result, s.v.shape}, {s.dt, s.A, s.B, s.C, s.v}, [=](const Run& r) {
          return selective_scan(r[s.dt.value], r[s.A.value], r[s.B.value], r[s.C.value],
                                r[s.v.value]);
        });
    // A state takes an exponential and, twice, a product and a sum.
    double states = y.volume() * double(s.A.shape[0]);
    m.note(y, s.dt.volume() + s.A.volume() + s.B.volume() + s.C.volume() + s.v.volume(), 8 * states,
           "scan of {},{} by {}, read by {}", s.B.letters, s.v.letters, s.dt.letters, s.C.letters);
    return y;
  }

  static Order::Step step(const BoundNetwork& b) {
    auto s = in(b);
    if (!s) return {};
    return [dt = s->dt.value, A = s->A.value, B = s->B.value, C = s->C.value, v = s->v.value](
               Tensors x, State& state) {
      Tensor last;
      Var y = selective_scan(x[size_t(dt)], x[size_t(A)], x[size_t(B)], x[size_t(C)], x[size_t(v)],
                             state.get(State::kCarried), &last);
      state.set(State::kCarried, last);
      return y;
    };
  }
};

}  // namespace

const Order kGatedScan{"gated scan", GatedPattern::match, GatedPattern::program,
                       GatedPattern::step};
const Order kSelectiveScan{"selective scan", SelectivePattern::match, SelectivePattern::program,
                           SelectivePattern::step};

}  // namespace star
