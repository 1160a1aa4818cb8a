// Orders of networks with queries, keys and values by heads: what reads, what writes and the value
// in one kernel.
#include <algorithm>
#include <optional>

#include "autograd/attention.h"
#include "autograd/channel_state.h"
#include "autograd/matrix_state.h"
#include "autograd/orders.h"
#include "autograd/views.h"

namespace star::autograd {
namespace {

using Run = Program::Run;
using Tensors = std::span<const Var>;

// Query, key and value that lie as
//   query lead i heads group inner,  key lead j heads inner,  value lead j heads rest,
// with the result lead i heads group rest.
struct Heads {
  Operand query, key, value;
  std::string lead, heads, group, inner, rest;
  double factor = 1;

  static std::optional<Heads> of(const Network& n, const Operand& query, const Operand& key,
                                 const Operand& value) {
    size_t at = key.letters.find(n.write);
    if (at == std::string::npos) return {};
    Heads x{query, key, value, key.letters.substr(0, at), "", "", "", ""};
    for (char c : key.letters.substr(at + 1)) (has(n.result, c) ? x.heads : x.inner) += c;
    for (char c : query.letters)
      if (!has(key.letters, c) && c != n.read) x.group += c;
    for (char c : value.letters)
      if (!has(key.letters, c)) x.rest += c;
    bool lies = query.letters == x.lead + n.read + x.heads + x.group + x.inner &&
                key.letters == x.lead + n.write + x.heads + x.inner &&
                value.letters == x.lead + n.write + x.heads + x.rest &&
                n.result == x.lead + n.read + x.heads + x.group + x.rest;
    if (!lies || x.inner.empty() || x.rest.empty()) return {};
    return x;
  }
};

// The axes of the kernels, each of them all axes of a group of letters together.
struct Sizes {
  int64_t B, queries, keys, H, G, e, f;
  Shape query, key, value, by_token;
  Shape result;  // with the axes of the network

  Sizes(const Heads& x, const Shape& q, const Shape& k, const Shape& v) {
    int axis = 0;
    auto next = [&](const Shape& shape, const std::string& letters) {
      int64_t n = 1;
      for (size_t i = 0; i < letters.size(); ++i) n *= shape[axis++];
      return n;
    };
    B = next(q, x.lead);
    queries = q[axis++];
    H = next(q, x.heads);
    G = next(q, x.group);
    for (int i = 0; i < axis; ++i) result.push_back(q[i]);
    e = next(q, x.inner);
    keys = k[int(x.lead.size())];
    axis = int(x.lead.size() + 1 + x.heads.size());
    for (int i = axis; i < v.rank(); ++i) result.push_back(v[i]);
    f = next(v, x.rest);
    query = {B, queries, H, G, e};
    key = {B, keys, H, e};
    value = {B, keys, H, f};
    by_token = {B, keys, H};
  }
  explicit Sizes(const Heads& x) : Sizes(x, x.query.shape, x.key.shape, x.value.shape) {}
};

// softmax(0.25,bihgn,bjhn,[i>=j]),bjhv->bihgv
struct SoftmaxPattern {
  Heads heads;
  int64_t window;  // 0: none

  static std::optional<SoftmaxPattern> in(const BoundNetwork& b) {
    Kinds outside(b.factors);
    if (!outside.are(1, 0, 0, 1) || outside.band || outside.number != 1 ||
        !outside.functions[0]->node.is_softmax())
      return {};
    Kinds inside(outside.functions[0]->inside);
    if (!inside.are(2, 0, 0, 0) || !inside.band) return {};
    Operand &query = inside.tensors[0], &key = inside.tensors[1];
    if (!query.has(b.network.read)) std::swap(query, key);
    auto heads = Heads::of(b.network, query, key, outside.tensors[0]);
    if (!heads) return {};
    heads->factor = inside.number;
    return SoftmaxPattern{*heads, inside.window == Node::kCausal ? 0 : inside.window};
  }

  static std::vector<int64_t> match(const BoundNetwork& b, const Rates&) {
    return fits(in(b).has_value());
  }

  // The queries are the last of the keys.
  Var value(const Var& q, const Var& k, const Var& v) const {
    Sizes n(heads, q.shape(), k.shape(), v.shape());
    return reshape(attention(reshape(q, n.query), reshape(k, n.key), reshape(v, n.value),
                             {n.keys - n.queries, window}, heads.factor),
                   n.result);
  }

  static Operand program(Machine& m, const BoundNetwork& b, int64_t) {
    SoftmaxPattern a = *in(b);
    const Heads& x = a.heads;
    Sizes n(x);
    Operand y =
        m.computed({b.network.result, n.result}, {x.query, x.key, x.value}, [a](const Run& r) {
          return a.value(r[a.heads.query.value], r[a.heads.key.value], r[a.heads.value.value]);
        });
    double seen = double(n.keys) - double(n.queries - 1) / 2;
    if (a.window > 0) seen = std::min(seen, double(a.window));
    double pairs = double(n.B * n.H * n.G * n.queries) * seen;
    // Keys and values are copied into tiles first.
    m.note(y, x.query.volume() + 2 * (x.key.volume() + x.value.volume()),
           pairs * double(2 * n.e + 2 * n.f + 8), "softmax of {},{} by tiles, with {}",
           x.query.letters, x.key.letters, x.value.letters);
    return y;
  }

  // All keys and values are given, and what is new among the queries.
  static Order::Step step(const BoundNetwork& b) {
    auto a = in(b);
    if (!a) return {};
    return [a = *a](Tensors x, State&) {
      return a.value(x[size_t(a.heads.query.value)], x[size_t(a.heads.key.value)],
                     x[size_t(a.heads.value.value)]);
    };
  }
};

// bihgn,bjhn,[i>=j],bjhv->bihgv, or with a decay and strengths:
//   0.25,bihn,b[i..j]h,bjh,bjhn,bjhv->bihv
// or with the delta rule, whose state is that of the same network with what it corrects in place of
// the value:
//   0.25,bihn,[i..t..j]delta(k:bthn,w:bth,a:bth)m,w:bjh,k:bjhm,bjhv->bihv
// A decay a key channel is given by its logarithm, in a network with one query a key:
//   0.25,bihn,[i..t..j]exp(bthn),bjhn,bjhv->bihv
//   0.25,bihn,[i..t..j]delta(k:bthn,w:bth,exp(bthn))m,w:bjh,k:bjhm,bjhv->bihv
struct StatePattern {
  Heads heads;
  std::optional<Operand> decay, strength;
  bool delta = false, by_channel = false;

  static std::optional<StatePattern> in(const BoundNetwork& b) {
    const Network& n = b.network;
    Kinds k(b.factors);
    if (!k.functions.empty() || !k.kernels.empty() || k.decays.size() + k.deltas.size() > 1 ||
        k.window != Node::kCausal || (!k.band && k.decays.empty() && k.deltas.empty()))
      return {};
    StatePattern m;
    if (!k.deltas.empty()) {
      if (k.band || !m.take_delta(*k.deltas[0], k.tensors, n)) return {};
    } else if (!k.decays.empty()) {
      const Factor& decay = *k.decays[0];
      const bool given = decay.inside.empty();
      if (!m.take_decay(given ? decay : decay.inside[0], decay.node.along)) return {};
    }
    std::vector<Operand> queries, writes;
    for (const Operand& x : k.tensors) (x.has(n.read) ? queries : writes).push_back(x);
    if (queries.size() != 1) return {};
    // What has no letter of its own is a strength.
    auto extra = [&](const Operand& x) {
      return std::any_of(x.letters.begin(), x.letters.end(), [&](char c) {
        return c != n.write && (!has(n.result, c) || !queries[0].has(c));
      });
    };
    auto end = std::stable_partition(writes.begin(), writes.end(), extra);
    if (end - writes.begin() != 2 || writes.end() - end > 1) return {};
    if (end != writes.end()) m.strength = *end;
    auto shares = [&](const Operand& x) {
      return std::any_of(x.letters.begin(), x.letters.end(),
                         [&](char c) { return !has(n.result, c) && queries[0].has(c); });
    };
    if (!shares(writes[0])) std::swap(writes[0], writes[1]);
    auto heads = Heads::of(n, queries[0], writes[0], writes[1]);
    if (!heads) return {};
    if (m.by_channel && !heads->group.empty()) return {};
    const std::string channels = m.by_channel ? heads->inner : "";
    if (m.decay && m.decay->letters != heads->lead + Node::kTokens + heads->heads + channels)
      return {};
    if (m.strength && m.strength->letters != heads->lead + n.write + heads->heads) return {};
    if (m.delta && !m.strength) return {};
    heads->factor = k.number;
    m.heads = *heads;
    return m;
  }

  // A decay as it is, or by its logarithm, which is then one a key channel. False for another
  // function.
  bool take_decay(const Factor& f, char along) {
    by_channel = f.node.kind == Node::Kind::function;
    if (by_channel && (f.node.function != Unary::exp || f.inside.size() != 1 ||
                       f.inside[0].node.kind != Node::Kind::tensor))
      return false;
    decay = by_channel ? f.inside[0].operand : f.operand;
    if (along) decay->letters = renamed(decay->letters, along, Node::kTokens);
    return true;
  }

  // The decay of a delta; the key, whose column it meets, becomes one that meets the query. False
  // where key and strength are others than those that write.
  bool take_delta(const Factor& f, std::vector<Operand>& tensors, const Network& n) {
    const Operand &k = f.inside[0].operand, &w = f.inside[1].operand;
    char column = f.operand.letters.back(), row = 0;
    for (char c : k.letters)
      if (!w.has(c)) row = c;
    bool found = false, strong = false;
    for (Operand& x : tensors) {
      if (x.value == k.value &&
          x.letters == renamed(renamed(k.letters, f.node.along, n.write), row, column)) {
        x.letters = renamed(x.letters, column, row);
        found = true;
      } else if (x.has(column)) {
        return false;
      }
      strong |= x.value == w.value && x.letters == renamed(w.letters, f.node.along, n.write);
    }
    return delta = take_decay(f.inside[2], f.node.along) && found && strong;
  }

  // With the state before the tokens and the one behind them.
  template <class Values>
  Var value(const Values& x, const Tensor& start, Tensor* last) const {
    const Var &q = x(heads.query), &k = x(heads.key), &v = x(heads.value);
    Sizes n(heads, q.shape(), k.shape(), v.shape());
    if (by_channel) {
      ChannelStateInputs in{reshape(q, n.key), reshape(k, n.key), reshape(v, n.value),
                            reshape(x(*decay), n.key)};
      if (strength) in.strength = reshape(x(*strength), n.by_token);
      in.factor = heads.factor;
      if (delta) in.v = channel_error(in.k, in.v, in.log_decay, in.strength, start);
      return reshape(channel_state(in, start, last), n.result);
    }
    MatrixStateInputs in{reshape(q, n.query), reshape(k, n.key), reshape(v, n.value)};
    if (decay) in.decay = reshape(x(*decay), n.by_token);
    if (strength) in.strength = reshape(x(*strength), n.by_token);
    in.factor = heads.factor;
    if (delta) in.v = delta_error(in.k, in.v, in.decay, in.strength, start);
    return reshape(matrix_state(in, start, last), n.result);
  }

  static std::vector<int64_t> match(const BoundNetwork& b, const Rates& rates) {
    auto m = in(b);
    if (!m || m->delta || b.rows != b.columns || b.rows <= m->chunk(rates)) return {};
    return {m->chunk(rates)};
  }
  static std::vector<int64_t> match_delta(const BoundNetwork& b, const Rates& rates) {
    auto m = in(b);
    if (!m || !m->delta || b.rows != b.columns) return {};
    return {m->chunk(rates)};
  }
  int64_t chunk(const Rates& rates) const {
    return by_channel ? rates.channel_chunk : rates.state_chunk;
  }

  static Operand program(Machine& m, const BoundNetwork& b, int64_t chunk) {
    StatePattern s = *in(b);
    const Heads& x = s.heads;
    Sizes n(x);
    std::vector<Operand> of{x.query, x.key, x.value};
    for (auto* given : {&s.decay, &s.strength})
      if (*given) of.push_back(**given);
    Operand y = m.computed({b.network.result, n.result}, of, [s](const Run& r) {
      return s.value([&](const Operand& o) -> const Var& { return r[o.value]; }, {}, nullptr);
    });
    double tokens = double(n.by_token.numel()), e = double(n.e), f = double(n.f), G = double(n.G);
    double near = double(s.delta ? std::min(chunk, b.rows) : chunk);
    // Keys that fade channel by channel take a product more for each pair.
    double beside = s.by_channel ? tokens * (e + 1) : 2 * tokens, fading = s.by_channel ? e : 0;
    if (s.delta)  // scores of the keys, a substitution, and the state as it foretells and is
                  // written
      m.note(x.value, x.key.volume() + x.value.volume() + beside,
             tokens * (near * (2 * e + fading + f) + 4 * e * f), "{} corrected by the state of {}",
             x.value.letters, x.key.letters);
    m.note(y, x.query.volume() + x.key.volume() + x.value.volume() + beside,
           tokens * (near * (2 * G * (e + f) + fading) + 2 * (G + 1) * e * f),
           "state of {},{} in chunks, read by {}", x.key.letters, x.value.letters, x.query.letters);
    return y;
  }

  static Order::Step step(const BoundNetwork& b) {
    auto s = in(b);
    if (!s) return {};
    return [s = *s](Tensors x, State& state) {
      Tensor last;
      Var y = s.value([&](const Operand& o) -> const Var& { return x[size_t(o.value)]; },
                      state.get(State::kCarried), &last);
      state.set(State::kCarried, last);
      return y;
    };
  }
};

}  // namespace

const Order kTiles{"tiles", SoftmaxPattern::match, SoftmaxPattern::program, SoftmaxPattern::step};
const Order kStateInChunks{"state in chunks of {}", StatePattern::match, StatePattern::program,
                           StatePattern::step};
const Order kDeltaInChunks{"delta in chunks of {}", StatePattern::match_delta,
                           StatePattern::program, StatePattern::step};

}  // namespace star::autograd
