// Values of shapes that do not fit are refused by the name of the operation, before a kernel sees
// them.
#include <doctest/doctest.h>

#include "autograd/attention.h"
#include "autograd/channel_state.h"
#include "autograd/elementwise.h"
#include "autograd/linear.h"
#include "autograd/matrix_state.h"
#include "autograd/rows.h"
#include "autograd/sequence.h"
#include "autograd/views.h"
#include "core/quantized.h"
#include "cpu/cpu.h"

namespace star::autograd {
namespace {

struct Refusals {
  Exec exec{cpu_backend()};
  Tape tape{exec, false};

  Var of(const Shape& shape) { return tape.constant(exec.zeros(shape, DType::f64)); }
  Tensor state(const Shape& shape) { return exec.zeros(shape, DType::f64); }
  Tensor numbers(const std::vector<int32_t>& values) {
    return exec.from({int64_t(values.size())}, values);
  }
  template <class F>
  void refuses(const char* words, const F& f) {
    CHECK_THROWS_WITH_AS(f(), doctest::Contains(words), Error);
  }
};

}  // namespace

TEST_CASE_FIXTURE(Refusals, "refusals: indices and targets") {
  Var table = of({4, 2}), logits = of({3, 4});
  CHECK_NOTHROW(embedding(table, numbers({0, 3})));
  refuses("embedding: index 4 outside 0…3", [&] { embedding(table, numbers({0, 4})); });
  refuses("embedding: index -1 outside 0…3", [&] { embedding(table, numbers({-1, 0})); });
  CHECK_NOTHROW(cross_entropy(logits, numbers({0, -100, 3})));
  refuses("cross_entropy: target 4 of 4 classes", [&] {
    cross_entropy(logits, numbers({0, 1, 4}));
  });
  refuses("cross_entropy: logits [3, 4] and targets [2]", [&] {
    cross_entropy(logits, numbers({0, 1}));
  });
}

TEST_CASE_FIXTURE(Refusals, "refusals: rows and maps") {
  refuses("rms_norm: input [2, 3] and weight [4]", [&] { rms_norm(of({2, 3}), of({4})); });
  refuses("gated: [2, 3] and [3, 2]", [&] { gated(Unary::silu, of({2, 3}), of({3, 2})); });
  refuses("linear: input [2, 3] and weight [4, 2]", [&] { linear(of({2, 3}), of({4, 2})); });
  refuses("linear: input [2, 3] and weight [3]", [&] { linear(of({2, 3}), of({3})); });
  const Var bytes = tape.constant(quantized(exec, of({4, 3}).value()));
  refuses("linear: input [2, 5] and weight [4, 8] of int8", [&] { linear(of({2, 5}), bytes); });
  refuses("weights of eight bits have no gradient", [&] {
    Tape recording(exec);
    const Var x = recording.leaf(of({1, 3}).value());
    recording.backward(
        linear(x, recording.constant(quantized(exec, exec.zeros({1, 3}, DType::f64)))));
  });
  refuses("linear: [2, 4] onto [2, 5]", [&] { linear_onto(of({2, 5}), of({2, 3}), of({4, 3})); });
  refuses("scores: shape [3] lacks", [&] { softmax(of({3}), {}, 1); });
  refuses("scores: 3 queries from position 0 do not fit 2 keys", [&] {
    softmax(of({3, 2}), {}, 1);
  });
  refuses("scores: 2 queries from position 1 do not fit 2 keys", [&] {
    visible(of({2, 2}), {1, 0});
  });
  refuses("scores: 2 queries from position -1", [&] { visible(of({2, 2}), {-1, 0}); });
  refuses("scores:", [&] { visible(of({2, 2}), {0, -1}); });
}

TEST_CASE_FIXTURE(Refusals, "refusals: sequences") {
  Var x = of({2, 5, 3});
  refuses("rotary: shape [2, 5, 2, 3]", [&] { rotary(of({2, 5, 2, 3}), 0); });
  refuses("rotary: shape [2, 5, 4]", [&] { rotary(of({2, 5, 4}), 0); });
  refuses("conv: input [2, 5, 3] and kernel [3, 2]", [&] { conv(x, of({3, 2})); });
  refuses("conv: input [5, 3] and kernel [3, 3]", [&] { conv(of({5, 3}), of({3, 3})); });
  refuses("gated_conv: gates", [&] { gated_conv(x, of({3, 2}), x, x); });
  refuses("gated_conv: gates", [&] { gated_conv(x, of({3, 3}), of({2, 4, 3}), x); });
  refuses("gated_conv: gates", [&] { gated_conv(x, of({3, 3}), x, of({2, 4, 3})); });
  refuses("scan: [2, 5, 3] and [2, 5, 2]", [&] { scan(x, of({2, 5, 2})); });
  refuses("scan: state [2, 2]", [&] { scan(x, x, state({2, 2})); });
  refuses("gated_scan: [2, 5, 3] and [2, 4, 3]", [&] { gated_scan(x, of({2, 4, 3})); });
  refuses("gated_scan: state [1, 3]", [&] { gated_scan(x, x, state({1, 3})); });
  refuses("decay: shape [5, 3]", [&] { decay(of({5, 3})); });
  Var A = of({4, 3}), B = of({2, 5, 4});
  CHECK_NOTHROW(selective_scan(x, A, B, B, x));
  refuses("selective_scan: dt", [&] { selective_scan(x, of({4, 2}), B, B, x); });
  refuses("selective_scan: dt", [&] { selective_scan(x, A, of({2, 5, 3}), B, x); });
  refuses("selective_scan: dt", [&] { selective_scan(x, A, B, of({2, 4, 4}), x); });
  refuses("selective_scan: dt", [&] { selective_scan(x, A, B, B, of({2, 5, 4})); });
}

TEST_CASE_FIXTURE(Refusals, "refusals: attention and matrix states") {
  Var q = of({2, 5, 2, 3, 4}), k = of({2, 5, 2, 4}), v = of({2, 5, 2, 3}), a = of({2, 5, 2});
  CHECK_NOTHROW(attention(q, k, v, {}, 1));
  refuses("attention: queries", [&] { attention(q, of({2, 5, 2, 3}), v, {}, 1); });
  refuses("attention: queries", [&] { attention(q, k, of({2, 4, 2, 3}), {}, 1); });
  refuses("attention: queries", [&] { attention(k, k, v, {}, 1); });
  refuses("attention: 5 queries from position 1 do not fit 5 keys", [&] {
    attention(q, k, v, {1, 0}, 1);
  });
  CHECK_NOTHROW(matrix_state({q, k, v, a, a}));
  refuses("matrix_state: q", [&] { matrix_state({q, of({2, 5, 2, 3}), v}); });
  refuses("matrix_state: q", [&] { matrix_state({q, k, of({2, 4, 2, 3})}); });
  refuses("matrix_state: [2, 5, 3] for q", [&] { matrix_state({q, k, v, of({2, 5, 3})}); });
  refuses("matrix_state: [2, 4, 2] for q", [&] { matrix_state({q, k, v, a, of({2, 4, 2})}); });
  refuses("matrix_state: state [2, 2, 3, 4]", [&] {
    matrix_state({q, k, v}, state({2, 2, 3, 4}));
  });
  CHECK_NOTHROW(delta_error(k, v, a, a));
  refuses("delta_error: k", [&] { delta_error(k, of({2, 4, 2, 3}), a, a); });
  refuses("delta_error: [2, 5, 3] for k", [&] { delta_error(k, v, of({2, 5, 3}), a); });
  refuses("delta_error: [2, 5, 3] for k", [&] { delta_error(k, v, a, of({2, 5, 3})); });
  refuses("delta_error: state [2, 2, 3, 4]", [&] { delta_error(k, v, a, a, state({2, 2, 3, 4})); });
}

TEST_CASE_FIXTURE(Refusals, "refusals: matrix states with a decay a key channel") {
  Var k = of({2, 5, 2, 4}), v = of({2, 5, 2, 3}), w = of({2, 5, 2});
  CHECK_NOTHROW(channel_state({k, k, v, k, w}));
  refuses("channel_state: q", [&] { channel_state({v, k, v, k}); });
  refuses("channel_state: k", [&] { channel_state({k, k, of({2, 4, 2, 3}), k}); });
  refuses("channel_state: k", [&] { channel_state({k, k, v, w}); });
  refuses("channel_state: strength [2, 4, 2]", [&] { channel_state({k, k, v, k, of({2, 4, 2})}); });
  refuses("channel_state: state [2, 2, 3, 4]", [&] {
    channel_state({k, k, v, k}, state({2, 2, 3, 4}));
  });
  CHECK_NOTHROW(channel_error(k, v, k, w));
  refuses("channel_error: k", [&] { channel_error(k, v, v, w); });
  refuses("channel_error: no strength", [&] { channel_error(k, v, k, {}); });
  refuses("channel_error: strength [2, 5, 3]", [&] { channel_error(k, v, k, of({2, 5, 3})); });
  refuses("channel_error: state [2, 2, 3, 4]", [&] {
    channel_error(k, v, k, w, state({2, 2, 3, 4}));
  });
}

TEST_CASE_FIXTURE(Refusals, "refusals: what cannot be differentiated") {
  Tape recording(exec);
  Var x = recording.leaf(state({2}));
  refuses("backward: the loss has shape [2]", [&] { recording.backward(x); });
  refuses("depends on nothing", [&] { recording.backward(recording.constant(state({1}))); });
}

}  // namespace star::autograd
