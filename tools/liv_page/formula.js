// What an entry of T is made of, read off the digits of the class (liv/README.md has it at length).
"use strict";

const sub = (text) => element("sub", {}, text);
const sup = (text) => element("sup", {}, text);

// "q_i" becomes q with an index; braces hold longer ones: "T_{ij}". A caret does the same above.
function typeset(text) {
  const parts = [];
  for (const [, plain, mark, braced, single] of text.matchAll(/([^_^]+)|([_^])(?:\{([^}]*)\}|(.))/gu))
    parts.push(plain ?? (mark === "_" ? sub : sup)(braced ?? single));
  return parts;
}

const scores = {
  1: "q_i·k_j / (√e n_i)", 2: "softmax_j(q_i·k_j / √e)", 3: "relu(q_i·k_j / √e) / n_i",
  4: "silu(q_i·k_j / √e) / n_i", 5: "φ(q_i)·φ(k_j) / Σ_l φ(q_i)·φ(k_l)",
};

function recurrence(names, operator) {
  const write = names.has("dt") ? "Δ_j " : "";
  if (operator[4] === "1")
    return names.has("dt") ? "Σ_n C_i^n (Π_k exp(Δ_k A^n)) Δ_j B_j^n" : "(Π_k a_k) (1 − a_j)";
  const erase = names.has("beta") ? "(I − β_k k_k k_k^⊤) " : "";
  const decay = names.has("dt") ? "α_k " : "Diag(a_k) ";
  const by = names.has("beta") ? "β_j " : write;
  const product = names.has("dt") ? `Π_k ${decay}${erase}` : `Π_k ${erase}${decay}`;
  return `q_i^⊤ (${product.trim()}) ${by}k_j / √e`;
}

// One part of T: of a differential class both are of this form.
function core({ operator, features }) {
  const names = new Set(features.map(({ name }) => name));
  const mixing = operator[1];
  if (mixing === "1") return `δ_{ij} ${operator[3] === "4" ? "silu(gate_i)" : "gate_i"}`;
  if (mixing === "2") return (scores[operator[3]] ?? "f(q_i·k_j)") + (operator[2] === "2" ? ",  i − j < window" : "");
  if (mixing === "3") return "C_i K_{i−j} B_j";
  return recurrence(names, operator);
}

function formula(operator) {
  const has = (name) => operator.features.some((feature) => feature.name === name);
  const skip = has("dt") ? " + δ_{ij} D" : "";
  const product = has("z") ? `z_i ${skip ? `(${core(operator)}${skip})` : core(operator)}` : core(operator) + skip;
  if (operator.differential) return typeset(`T = T₀ − λT₁,  each ${product}`);
  return typeset(`T_{ij} = ${product}`);
}

const meanings = {
  "attention": "Every token looks up all that came before by what it says. Nothing is forgotten, so the rank of the "
    + "block grows with the cut: all keys and values have to be kept.",
  "linear attention": "Scores are products of two features, and nothing is exponentiated. The sums over the past are "
    + "one matrix: its rank is at most the width of a head, however long the past.",
  "convolution": "But for gates on both sides an entry is a function of the distance alone. The kernel does not see "
    + "the text; a short one keeps its last taps, a long one the past.",
  "recurrence": "What was written fades, or is erased, on its way through a state of fixed size: no block has a rank "
    + "above the number of states.",
  "memoryless": "A token reads itself alone. Channels are mixed, tokens are not, and nothing has to be kept.",
};
