// The document of tools/liv_page.cpp, and what is looked at.
"use strict";

const page = JSON.parse(byId("operators").textContent);

// cut: so many tokens lie before it; cell: the pair of tokens under the pointer, from 0.
const state = { operator: 0, input: "first", cut: Math.max(1, Math.floor(page.length / 2)), cell: null };
const watchers = [];

function change(to) {
  Object.assign(state, to);
  for (const redraw of watchers) redraw(to);
}

const operatorNow = () => page.operators[state.operator];
const words = () => page.inputs[state.input === "second" ? 1 : 0];

// T_ij of a map of the operator, of the row that is shown `at`, on the input that is looked at; or how
// much the other input changes it.
function entry(map, at, i, j) {
  if (j > i) return 0;
  const place = i * (i + 1) / 2 + j;
  const first = map.values[at][place], difference = map.change[at][place];
  return { first, second: first + difference, difference }[state.input];
}
