// Contraction of tensor networks, in Einstein's notation:
//   contract("bihn,bhjn->bhij", {q, k})
// One letter an axis; letters that the result lacks are summed. The order in which the factors meet
// is chosen by cost (the number of multiplications), and each pair is one batched GEMM. Gradients
// are contractions again.
#pragma once

#include <map>
#include <string>

#include "autograd/tape.h"

namespace star {

struct Network {
  std::vector<std::string> factors;
  std::string result;
};

// Reads "ab,bc->ac". Throws `Error` that names the place: a letter that is not a–z or A–Z, one that
// stands twice in a factor or in the result, a letter of the result that no factor has.
Network parse_network(const std::string& text);

// The order of a contraction: each step replaces two operands by their product, which is appended
// to the list. Operands are numbered as the factors first, then the products.
struct ContractionPlan {
  struct Step {
    int first, second;
    std::string letters;  // of the product
    double cost;          // multiplications
  };
  std::vector<Step> steps;
  double cost = 0;
};

// The cheapest order, by dynamic programming over the subsets of the factors (at most 12).
ContractionPlan plan_contraction(const Network& network, const std::map<char, int64_t>& sizes);

// Throws `Error` on a network that does not fit the shapes.
Var contract(const std::string& network, std::vector<Var> factors);

// y = x Wᵀ over the last axis of x, W [out, in].
Var linear(const Var& x, const Var& weight);

// (I + N)⁻¹ R by substitution, where N is `lower` [..., n, n] strictly below its diagonal (the rest
// is not read) and R is [..., n, m].
Var solve_unit_lower(const Var& lower, const Var& right);

}  // namespace star
