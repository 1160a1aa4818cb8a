// What the reader looks at. Views watch it and draw themselves anew; none knows of another.
"use strict";

const state = {
  generation: Math.max(0, lastGeneration),
  selected: null,  // a genome, by its place in the report
  hovered: null,
};

const watchers = [];

// `redraw(changed)` is called after a change; `changed` has a member for what differs.
const watch = (redraw) => watchers.push(redraw);

function change(wanted) {
  const changed = {};
  for (const [name, value] of Object.entries(wanted))
    if (state[name] !== value) changed[name] = state[name] = value;
  if (Object.keys(changed).length === 0) return;
  for (const redraw of watchers) redraw(changed);
}

// Makes an element stand for a genome: the pointer over it shows it, a click selects it.
function standsFor(node, genome) {
  node.addEventListener("pointerenter", (event) => {
    if (event.pointerType === "touch") return;
    change({ hovered: genome });
    showCard(genome, event.clientX, event.clientY);
  });
  node.addEventListener("pointerleave", () => {
    change({ hovered: null });
    hideCard();
  });
  const select = () => change({ selected: genome });
  node.addEventListener("click", select);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    select();
  });
  node.setAttribute("tabindex", "0");
  node.dataset.genome = genome;
  return node;
}

// Marks the elements below `root` that stand for the genome selected.
function markSelected(root) {
  for (const node of root.querySelectorAll("[data-genome]"))
    node.classList.toggle("selected", Number(node.dataset.genome) === state.selected);
}
