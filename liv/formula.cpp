#include "liv/formula.h"

#include <fmt/format.h>

#include <algorithm>

namespace star::liv {
namespace {

bool has(const LivClass& liv, Role role) {
  return std::any_of(liv.groups.begin(), liv.groups.end(),
                     [=](const FeatureGroup& g) { return g.role == role; });
}

std::string diagonal(const LivClass& liv) {
  const char* function = row_of(liv.op.entries()).function;
  return function ? fmt::format("δ_{{ij}} {}(g_i)", function) : "δ_{ij} g_i";
}

std::string low_rank(const LivClass& liv) {
  const EntriesRow& row = row_of(liv.op.entries());
  const std::string band = liv.op.sparsity() == Sparsity::banded ? ",  i − j < w" : "";
  if (kernel_normalised(row.entries)) return "φ(q_i)·φ(k_j) / Σ_l φ(q_i)·φ(k_l)" + band;
  if (!row.function) return "q_i·k_j / (√e n_i)" + band;
  return row.normalises ? fmt::format("{}_j(q_i·k_j / √e){}", row.function, band)
                        : fmt::format("{}(q_i·k_j / √e) / n_i{}", row.function, band);
}

// Products run over the tokens between, j < k ≤ i.
std::string semi_separable(const LivClass& liv) {
  const bool steps = has(liv, Role::dt), erases = has(liv, Role::beta);
  if (liv.op.channels() == Channels::diagonal)
    return steps ? "Σ_n C_i^n (Π_k exp(Δ_k A^n)) Δ_j B_j^n" : "(Π_k a_k) (1 − a_j)";
  const std::string decay = steps ? "α_k" : "Diag(a_k)", erase = "(I − β_k k_k k_k^⊤)";
  const std::string transition = !erases ? decay
                                 : steps ? decay + " " + erase
                                         : erase + " " + decay;
  const char* strength = erases ? "β_j " : steps ? "Δ_j " : "";
  return fmt::format("q_i^⊤ (Π_k {}) {}k_j / √e", transition, strength);
}

std::string part(const LivClass& liv) {
  switch (liv.op.mixing()) {
    case Mixing::diagonal:
      return diagonal(liv);
    case Mixing::low_rank:
      return low_rank(liv);
    case Mixing::toeplitz:
      return "C_i K_{i−j} B_j";
    case Mixing::semi_separable:
      return semi_separable(liv);
  }
  fail("token mixing {} has no formula", int(liv.op.mixing()));
}

}  // namespace

std::string formula_of(const LivClass& liv) {
  const bool gated = has(liv, Role::z), skips = has(liv, Role::dt);
  const std::string gate = gated ? "z_i " : "", skip = skips ? " + δ_{ij} D" : "";
  if (liv.differential)
    return fmt::format("T = T₀ − λT₁{},  each {}{}", skips ? " + δ_{ij} " + gate + "D" : "", gate,
                       part(liv));
  if (gated && skips) return fmt::format("T_{{ij}} = z_i ({}{})", part(liv), skip);
  return fmt::format("T_{{ij}} = {}{}{}", gate, part(liv), skip);
}

}  // namespace star::liv
