// Puts the page together.
"use strict";

const families = ["attention", "linear attention", "convolution", "recurrence", "memoryless"];

function operatorButton(operator, index) {
  return element("button", { type: "button", class: operator.family.replace(" ", "-"), "data-operator": index,
    onclick: () => change({ operator: index, cell: null }) }, operator.label);
}

// Classes by family; the LIVs of a model in its order.
function startList() {
  const buttons = page.operators.map(operatorButton);
  const groups = page.trained ? [["", buttons]] : families.map((family) =>
    [family, buttons.filter((_, i) => page.operators[i].family === family)]);
  byId("list").replaceChildren(...groups.filter(([, members]) => members.length > 0).map(([family, members]) =>
    element("div", {}, element("span", { class: "quiet" }, family), members)));
  watchers.push((what) => {
    if (!("operator" in what)) return;
    for (const [i, button] of buttons.entries()) button.setAttribute("aria-pressed", i === state.operator);
  });
}

function drawOperator() {
  const operator = operatorNow();
  byId("name").textContent = operator.label;
  byId("formula").replaceChildren(...typeset(operator.formula));
  byId("meaning").textContent = meanings[operator.family];
  byId("facts").replaceChildren(...[
    ["operator", operator.operator], ...operator.features.map(({ name, digits: of }) => [name, of]),
    ["network", operator.network]].flatMap(([name, text]) =>
    [element("dt", {}, name), element("dd", {}, element("code", {}, text))]));
}

function startInputs() {
  choice(byId("input-choice"), [["first", "x"], ["second", "x′"], ["difference", "T(x′) − T(x)"]], state.input,
    (input) => change({ input }));
  const at = page.changed - 1, [from, to] = page.inputs.map((of) => of[at]);
  byId("input-note").textContent = page.trained
    ? `x′ has ${to} in place of ${from} as token ${page.changed}.`
    : `x′ has another token ${page.changed}. Where the difference is grey, that token decides nothing.`;
}

byId("subtitle").textContent = `${page.title}: width ${page.width}, ${page.heads} heads, ${page.length} tokens`
  + (page.note ? `, ${page.note}` : "");
startTheme();
startList();
startInputs();
startMaps();
startRanks();
watchers.push((what) => { if ("operator" in what) drawOperator(); });
change({ operator: 0, cut: state.cut });
