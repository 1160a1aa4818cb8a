#include "liv/formula.h"

#include <doctest/doctest.h>

#include "liv/pool_file.h"

using namespace star::liv;

// As the table of the README has them, with gates and skips beside.
TEST_CASE("formula: of the classes of the pool") {
  const Pool pool = extended_pool();
  auto formula = [&](char id) { return formula_of(*pool.find(id)); };
  CHECK(formula('1') == "T_{ij} = softmax_j(q_i·k_j / √e)");
  CHECK(formula('a') == "T = T₀ − λT₁,  each softmax_j(q_i·k_j / √e)");
  CHECK(formula('5') == "T_{ij} = z_i (Σ_n C_i^n (Π_k exp(Δ_k A^n)) Δ_j B_j^n + δ_{ij} D)");
  CHECK(formula('e') ==
        "T = T₀ − λT₁ + δ_{ij} z_i D,  each z_i Σ_n C_i^n (Π_k exp(Δ_k A^n)) Δ_j B_j^n");
  CHECK(formula('6') == "T_{ij} = z_i (Π_k a_k) (1 − a_j)");
  CHECK(formula('7') == "T_{ij} = C_i K_{i−j} B_j");
  CHECK(formula('9') == "T_{ij} = δ_{ij} silu(g_i)");
  CHECK(formula('i') == "T_{ij} = φ(q_i)·φ(k_j) / Σ_l φ(q_i)·φ(k_l)");
  CHECK(formula('j') == "T_{ij} = softmax_j(q_i·k_j / √e),  i − j < w");
  CHECK(formula('k') == "T_{ij} = z_i (q_i^⊤ (Π_k α_k) Δ_j k_j / √e + δ_{ij} D)");
  CHECK(formula('l') ==
        "T_{ij} = z_i (q_i^⊤ (Π_k α_k (I − β_k k_k k_k^⊤)) β_j k_j / √e + δ_{ij} D)");
  CHECK(formula('q') == "T_{ij} = z_i q_i^⊤ (Π_k Diag(a_k)) k_j / √e");
  CHECK(formula('r') == "T_{ij} = z_i q_i^⊤ (Π_k (I − β_k k_k k_k^⊤) Diag(a_k)) β_j k_j / √e");
}
