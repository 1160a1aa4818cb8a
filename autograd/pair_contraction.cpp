// The contraction of two tensors, lowered to one strided, batched GEMM.
//
// The letters fall into four groups: batch (in both factors and in the result), rows (first factor
// and result), columns (second factor and result) and inner (both factors, summed). A group whose
// strides chain is one axis of the GEMM; letters of rows or columns that do not chain join the
// batch, with stride 0 in the other factor. A factor is copied only where its inner group does not
// chain or neither of its two strides is 1.
#include "autograd/values.h"

namespace star::values {
namespace {

struct Axes {  // a tensor with its letters
  Tensor tensor;
  std::string letters;
  int64_t size(char c) const { return tensor.shape()[int(letters.find(c))]; }
  int64_t stride(char c) const {
    size_t i = letters.find(c);
    return i == std::string::npos ? 0 : tensor.strides()[int(i)];
  }
  bool has(char c) const { return letters.find(c) != std::string::npos; }
};

// Do consecutive letters chain in t, so that the group can be walked with one stride?
bool chains(const Axes& t, const std::string& group) {
  for (size_t i = 0; i + 1 < group.size(); ++i)
    if (t.stride(group[i]) != t.stride(group[i + 1]) * t.size(group[i + 1])) return false;
  return true;
}

int64_t group_size(const Axes& t, const std::string& group) {
  int64_t n = 1;
  for (char c : group) n *= t.size(c);
  return n;
}

// The stride of a group that chains; 1 for an empty one.
int64_t group_stride(const Axes& t, const std::string& group) {
  return group.empty() ? 1 : t.stride(group.back());
}

// A contiguous copy with its axes in the order of `letters`.
Axes copied(Exec& exec, const Axes& t, const std::string& letters) {
  std::vector<int> order;
  for (char c : letters) order.push_back(int(t.letters.find(c)));
  Tensor view = t.tensor.permute(order), copy = exec.empty(view.shape(), view.dtype());
  exec.copy(view, copy);
  return {copy, letters};
}

// Axes of size 1 say nothing: they are dropped, so that they cannot stand in the way.
Axes squeezed(const Tensor& tensor, const std::string& letters) {
  Axes out{tensor, letters};
  for (int i = int(letters.size()) - 1; i >= 0; --i)
    if (out.tensor.shape()[i] == 1) {
      out.tensor = out.tensor.select(i, 0);
      out.letters.erase(size_t(i), 1);
    }
  return out;
}

Tensor as_broadcast(const Axes& t, const Axes& out) {
  std::vector<int> order;
  for (char c : out.letters)
    if (t.has(c)) order.push_back(int(t.letters.find(c)));
  Tensor view = t.tensor.permute(order);
  for (size_t i = 0; i < out.letters.size(); ++i)
    if (!t.has(out.letters[i])) view = view.unsqueeze(int(i));
  return view;
}

// BLAS can read a matrix of `rows` × `cols` with these strides.
bool readable(int64_t rows, int64_t cols, int64_t row, int64_t col) {
  bool by_rows = (col == 1 || cols == 1) && (row >= cols || rows == 1);
  bool by_cols = (row == 1 || rows == 1) && (col >= rows || cols == 1);
  return (by_rows || by_cols) && row > 0 && col > 0;
}

struct Product {
  Axes a, b, out;
  std::string batch, rows, cols, inner;

  // Letters of a group that do not chain with the last ones, moved to the batch.
  void shed(std::string& group, const Axes& factor) {
    while (group.size() > 1 && !(chains(factor, group) && chains(out, group))) {
      batch += group.front();
      group.erase(0, 1);
    }
  }

  void make_readable(Exec& exec) {
    if (!chains(a, inner)) a = copied(exec, a, rest(a, rows + inner) + rows + inner);
    if (!chains(b, inner)) b = copied(exec, b, rest(b, inner + cols) + inner + cols);
    if (!readable(group_size(a, rows), group_size(a, inner), group_stride(a, rows),
                  group_stride(a, inner)))
      a = copied(exec, a, rest(a, rows + inner) + rows + inner);
    if (!readable(group_size(b, inner), group_size(b, cols), group_stride(b, inner),
                  group_stride(b, cols)))
      b = copied(exec, b, rest(b, inner + cols) + inner + cols);
  }

  static std::string rest(const Axes& t, const std::string& without) {
    std::string letters;
    for (char c : t.letters)
      if (without.find(c) == std::string::npos) letters += c;
    return letters;
  }

  void run(Exec& exec, bool accumulate) {
    dispatch(out.tensor.dtype(), [&]<class T>() {
      Gemm<T> g{};
      g.m = group_size(a, rows);
      g.n = group_size(b, cols);
      g.k = group_size(a, inner);
      g.a = a.tensor.template data<T>();
      g.a_row = group_stride(a, rows);
      g.a_col = group_stride(a, inner);
      g.b = b.tensor.template data<T>();
      g.b_row = group_stride(b, inner);
      g.b_col = group_stride(b, cols);
      g.c = out.tensor.template data<T>();
      g.c_row = rows.empty() ? std::max<int64_t>(g.n, 1) : group_stride(out, rows);
      for (char c : batch) {
        g.batch.push_back(out.size(c));
        g.a_batch.push_back(a.stride(c));
        g.b_batch.push_back(b.stride(c));
        g.c_batch.push_back(out.stride(c));
      }
      g.beta = T(accumulate ? 1 : 0);
      exec.kernels<T>().gemm(exec, g);
    });
  }
};

void contract_into(Exec& exec, const Tensor& a, const std::string& la, const Tensor& b,
                   const std::string& lb, const std::string& lo, const Tensor& out,
                   bool accumulate) {
  Product p{squeezed(a, la), squeezed(b, lb), squeezed(out, lo), "", "", "", ""};
  for (char c : p.out.letters)
    (p.a.has(c) && p.b.has(c) ? p.batch : p.a.has(c) ? p.rows : p.cols) += c;
  for (char c : p.a.letters)
    if (!p.out.has(c)) p.inner += c;
  if (p.inner.empty()) {
    Tensor product = binary(exec, Binary::mul, as_broadcast(p.a, p.out), as_broadcast(p.b, p.out));
    exec.copy(product, p.out.tensor, accumulate);
    return;
  }
  std::sort(p.inner.begin(), p.inner.end(),
            [&](char x, char y) { return p.a.stride(x) > p.a.stride(y); });
  // The result's last letter must be the column of the GEMM: exchange the factors if it is a row.
  if (!p.out.letters.empty() && p.rows.find(p.out.letters.back()) != std::string::npos) {
    std::swap(p.a, p.b);
    std::swap(p.rows, p.cols);
  }
  p.shed(p.rows, p.a);
  p.shed(p.cols, p.b);
  p.make_readable(exec);
  bool direct = p.cols.empty() ? true : group_stride(p.out, p.cols) == 1;
  if (direct) return p.run(exec, accumulate);
  // A batch letter comes last in the result: compute with it first, then permute.
  Axes home = p.out;
  std::string order = p.batch + p.rows + p.cols;
  Shape shape;
  for (char c : order) shape.push_back(home.size(c));
  p.out = {exec.empty(shape, out.dtype()), order};
  p.run(exec, false);
  std::vector<int> back;
  for (char c : home.letters) back.push_back(int(order.find(c)));
  exec.copy(p.out.tensor.permute(back), home.tensor, accumulate);
}

}  // namespace

Tensor contract(Exec& exec, const Tensor& a, const std::string& la, const Tensor& b,
                const std::string& lb, const std::string& lo) {
  Shape shape;
  for (char c : lo) {
    size_t i = la.find(c);
    shape.push_back(i != std::string::npos ? a.shape()[int(i)] : b.shape()[int(lb.find(c))]);
  }
  Tensor out = exec.empty(shape, a.dtype());
  contract_into(exec, a, la, b, lb, lo, out, false);
  return out;
}

void contract_add(Exec& exec, const Tensor& a, const std::string& la, const Tensor& b,
                  const std::string& lb, const std::string& lo, const Tensor& out) {
  contract_into(exec, a, la, b, lb, lo, out, true);
}

}  // namespace star::values
