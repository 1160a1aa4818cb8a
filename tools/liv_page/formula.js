// Formulas as the program writes them (liv/formula.h), and what a family of them means.
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
