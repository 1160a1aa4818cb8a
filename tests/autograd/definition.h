// A network evaluated from its definition, one entry at a time, in double precision: what every
// order is judged by.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "autograd/network.h"
#include "core/tensor.h"

namespace star::autograd {

class Definition {
 public:
  Definition(const std::string& text, const std::vector<Tensor>& tensors)
      : network_(parse_network(text)) {
    for (auto& t : tensors) data_.push_back({t.shape(), t.to_doubles()});
    note_extents(network_.nodes, 0);
    if (!network_.read) return;
    extents_.emplace(network_.read, extents_[network_.write]);
    extents_.emplace(network_.write, extents_[network_.read]);
  }

  std::vector<double> result() {
    std::vector<double> out;
    Assignment at;
    walk(network_.result, at, [&] { out.push_back(entry(at)); });
    return out;
  }

 private:
  using Assignment = std::map<char, int64_t>;
  using Nodes = std::vector<Node>;
  struct Data {
    Shape shape;
    std::vector<double> values;
  };

  void note_extents(const Nodes& nodes, char along) {
    for (auto& n : nodes) {
      note_extents(n.inside, n.along ? n.along : along);
      if (n.tensor < 0) continue;
      for (size_t i = 0; i < n.axes.size(); ++i) {
        int64_t size = data_[size_t(n.tensor)].shape[int(i)];
        bool tokens = n.axes[i] == Node::kTokens;
        if ((tokens && n.kind == Node::Kind::decay) || (along && n.axes[i] == along))
          extents_[network_.read] = extents_[network_.write] = size;
        else if (!tokens)
          extents_[n.axes[i]] = size;
      }
    }
    for (auto& n : nodes)  // the column of a delta has as many places as the row
      if (n.kind == Node::Kind::delta) extents_[n.axes.back()] = extents_[row_of(n)];
  }
  static char row_of(const Node& delta) {
    for (char c : delta.inside[0].axes)
      if (delta.inside[1].axes.find(c) == std::string::npos) return c;
    return 0;
  }
  static bool between_tokens(const Node& n) {
    return n.kind == Node::Kind::band || n.kind == Node::Kind::toeplitz ||
           n.kind == Node::Kind::decay || n.kind == Node::Kind::delta;
  }

  template <class F>
  void walk(const std::string& letters, Assignment& at, const F& f, size_t from = 0) const {
    if (from == letters.size()) return f();
    for (int64_t n = 0; n < extents_.at(letters[from]); ++n) {
      at[letters[from]] = n;
      walk(letters, at, f, from + 1);
    }
    at.erase(letters[from]);
  }

  std::string free_letters(const Nodes& nodes, const Assignment& at) const {
    std::string free;
    auto add = [&](char c) {
      if (c != Node::kTokens && !at.count(c) && free.find(c) == free.npos) free += c;
    };
    for (auto& n : nodes) {
      for (char c : n.axes) add(c);
      if (!between_tokens(n)) continue;
      add(network_.read);
      add(network_.write);
    }
    return free;
  }

  // Letters of functions that something outside of them has are walked outside of them.
  double entry(Assignment at) const {
    std::string free = free_letters(network_.nodes, at);
    for (auto& n : network_.nodes)
      if (n.kind == Node::Kind::function)
        for (char c : {network_.read, network_.write})
          if (!at.count(c) && free.find(c) == free.npos && stands_in(n, c)) free += c;
    for (auto& n : network_.nodes)
      for (char c : letters_inside(n, 0))
        if (!at.count(c) && free.find(c) == free.npos)
          for (auto& other : network_.nodes)
            if (&other != &n && letters_inside(other, 0).find(c) != std::string::npos) free += c;
    double sum = 0;
    walk(free, at, [&] { sum += product(network_.nodes, at); });
    return sum;
  }
  // Of functions and products, but for the t of a product.
  static std::string letters_inside(const Node& n, char along) {
    std::string letters;
    for (auto& x : n.inside) {
      for (char c : x.axes)
        if (c != along && c != n.along) letters += c;
      letters += letters_inside(x, n.along);
    }
    return letters;
  }
  static bool stands_in(const Node& n, char c) {
    if (between_tokens(n) || n.axes.find(c) != std::string::npos) return true;
    for (auto& x : n.inside)
      if (stands_in(x, c)) return true;
    return false;
  }

  double product(const Nodes& nodes, const Assignment& at, bool with_bands = true) const {
    double value = 1;
    for (auto& n : nodes)
      if (n.kind != Node::Kind::band || with_bands) value *= node(n, at);
    return value;
  }

  double inside(const Node& n, Assignment at, bool with_bands) const {
    double sum = 0;
    walk(free_letters(n.inside, at), at, [&] { sum += product(n.inside, at, with_bands); });
    return sum;
  }

  bool sees(const Node& band, const Assignment& at) const {
    int64_t i = place_of_read(at), j = at.at(network_.write);
    return j <= i && (band.window == Node::kCausal || j > i - band.window);
  }
  int64_t place_of_read(const Assignment& at) const {
    return at.at(network_.read) + extents_.at(network_.write) - extents_.at(network_.read);
  }

  double node(const Node& n, const Assignment& at) const {
    int64_t i = 0, j = 0;
    if (between_tokens(n)) {
      i = place_of_read(at);
      j = at.at(network_.write);
    }
    switch (n.kind) {
      case Node::Kind::number:
        return n.number;
      case Node::Kind::band:
        return sees(n, at);
      case Node::Kind::tensor:
        return value(n, at, 0);
      case Node::Kind::toeplitz:
        return i < j || i - j >= data_[size_t(n.tensor)].shape[int(n.axes.find(Node::kTokens))]
                   ? 0
                   : value(n, at, i - j);
      case Node::Kind::decay: {
        double product = j <= i;
        for (int64_t t = j + 1; t <= i; ++t)
          product *= n.inside.empty() ? value(n, at, t) : within(n, n.inside[0], at, t);
        return product;
      }
      case Node::Kind::delta:
        return j <= i ? delta(n, at, i, j) : 0;
      case Node::Kind::function:
        return n.function ? of(*n.function, inside(n, at, true)) : softmax(n, at);
    }
    FAIL("a node without a definition");
    return NAN;
  }

  // What stands inside a product at its token t.
  double within(const Node& product, const Node& n, Assignment at, int64_t t) const {
    at[product.along] = t;
    return node(n, at);
  }

  static double of(Unary function, double x) {
    static const std::map<Unary, double (*)(double)> kDefinitions = {
        {Unary::relu, [](double v) { return std::max(v, 0.0); }},
        {Unary::silu, [](double v) { return v / (1 + std::exp(-v)); }},
        {Unary::sigmoid, [](double v) { return 1 / (1 + std::exp(-v)); }},
        {Unary::exp, [](double v) { return std::exp(v); }},
    };
    const auto known = kDefinitions.find(function);
    REQUIRE_MESSAGE(known != kDefinitions.end(), "a function without a definition");
    return known->second(x);
  }

  // The entry (n, m) of M_i … M_{j+1}, which meet the unit vector m one after the other.
  double delta(const Node& n, Assignment at, int64_t i, int64_t j) const {
    char row = row_of(n);
    int64_t size = extents_.at(row), own = at.at(row);
    std::vector<double> x(size_t(size), 0.0);
    x[size_t(at.at(n.axes.back()))] = 1;
    for (int64_t t = j + 1; t <= i; ++t) {
      double w = within(n, n.inside[1], at, t), along = 0;
      std::vector<double> k;
      for (int64_t r = 0; r < size; ++r) {
        at[row] = r;
        k.push_back(within(n, n.inside[0], at, t));
        x[size_t(r)] *= within(n, n.inside[2], at, t);
        along += k.back() * x[size_t(r)];
      }
      for (int64_t r = 0; r < size; ++r) x[size_t(r)] -= w * along * k[size_t(r)];
    }
    return x[size_t(own)];
  }

  double softmax(const Node& n, Assignment at) const {
    double total = 0, own = 0;
    int64_t j = at.at(network_.write);
    for (int64_t other = 0; other < extents_.at(network_.write); ++other) {
      at[network_.write] = other;
      bool visible = true;
      for (auto& x : n.inside)
        if (x.kind == Node::Kind::band) visible &= sees(x, at);
      double e = visible ? std::exp(inside(n, at, false)) : 0;
      total += e;
      if (other == j) own = e;
    }
    return own / total;
  }

  double value(const Node& n, const Assignment& at, int64_t token) const {
    const Data& d = data_[size_t(n.tensor)];
    int64_t offset = 0;
    for (size_t i = 0; i < n.axes.size(); ++i)
      offset = offset * d.shape[int(i)] + (n.axes[i] == Node::kTokens ? token : at.at(n.axes[i]));
    return d.values[size_t(offset)];
  }

  Network network_;
  std::vector<Data> data_;
  Assignment extents_;
};

}  // namespace star::autograd
