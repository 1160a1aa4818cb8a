// The family tree of the genome selected: a row for each generation, parents above their children,
// on each child what made it of them.
"use strict";

const cellWidth = 9, treeRow = 62, treeGap = 18;
let treeReach = 4;  // generations back

function startTree() {
  choice(byId("tree-choice"), [[2, "2 steps back"], [4, "4 steps"], [Infinity, "All ancestors"]], treeReach, (reach) => {
    treeReach = reach;
    drawTree();
  });
  watch((changed) => { if ("selected" in changed) drawTree(); });
  drawTree();
}

const order = new Map([...candidateOf.keys()].map((genome, i) => [genome, i]));

// Those that were bred before it, whatever a damaged file says.
const parentsOf = (genome) => [...new Set(candidateOf.get(genome).parents)]
  .filter((parent) => order.get(parent) < order.get(genome));

// The genome and its ancestors, `reach` steps back.
function family(genome, reach) {
  const found = new Set([genome]);
  let youngest = [genome];
  for (let step = 0; step < reach && youngest.length > 0; ++step) {
    youngest = [...new Set(youngest.flatMap(parentsOf))].filter((parent) => !found.has(parent));
    for (const parent of youngest) found.add(parent);
  }
  return found;
}

const generationOf = (genome) => candidateOf.get(genome).generation;

// How many steps a genome is from those of its generation that have no parents in it: none, where
// breeding goes by generations.
function stepsWithin(genome) {
  const near = parentsOf(genome).filter((parent) => generationOf(parent) === generationOf(genome));
  return Math.max(0, ...near.map((parent) => 1 + stepsWithin(parent)));
}

// Rows by generation, the oldest first. Each is ordered by the mean place of its children, so that
// lines cross little.
function rowsOf(members) {
  const rows = new Map();
  for (const genome of members) {
    const key = generationOf(genome) + stepsWithin(genome) / order.size;
    rows.set(key, [...(rows.get(key) ?? []), genome]);
  }
  const ordered = [...rows].sort((a, b) => b[0] - a[0]).map(([, row]) => row);
  const places = new Map();
  for (const row of ordered) {
    const wish = new Map(row.map((genome) => [genome, meanPlace(genome, members, places)]));
    row.sort((a, b) => wish.get(a) - wish.get(b) || a - b);
    for (const [i, genome] of row.entries()) places.set(genome, i - row.length / 2);
  }
  return ordered.reverse();
}

function meanPlace(genome, members, places) {
  const at = [...members].filter((child) => places.has(child) && parentsOf(child).includes(genome))
    .map((child) => places.get(child));
  return at.length > 0 ? at.reduce((a, b) => a + b) / at.length : 0;
}

function drawTree() {
  const place = byId("tree-drawing");
  if (state.selected === null || !candidateOf.has(state.selected)) {
    place.replaceChildren(element("p", { class: "quiet" }, state.selected === null
      ? "Select a genome to see where it came from." : "A baseline has no parents."));
    return;
  }
  const members = family(state.selected, treeReach);
  const rows = rowsOf(members);
  const width = (genome) => Math.max(report.genomes[genome].layers.length * cellWidth, 54) + treeGap;
  const rowWidth = (row) => row.reduce((sum, genome) => sum + width(genome), 0);
  const label = 96, full = label + Math.max(...rows.map(rowWidth));
  const at = new Map();
  for (const [r, row] of rows.entries()) {
    let x = label + (full - label - rowWidth(row)) / 2;
    for (const genome of row) {
      at.set(genome, { x: x + width(genome) / 2, y: 26 + r * treeRow });
      x += width(genome);
    }
  }
  const height = rows.length * treeRow + 4;
  const picture = drawing("svg", { class: "tree", viewBox: `0 0 ${full} ${height}`, width: full, height, role: "group",
    "aria-label": "Family tree" });
  for (const [r, [first]] of rows.entries())
    picture.append(drawing("text", { class: "head", x: 0, y: 30 + r * treeRow }, `Generation ${generationOf(first) + 1}`));
  picture.append(...[...members].flatMap((child) => parentsOf(child).filter((p) => at.has(p)).map((parent) =>
    edge(at.get(parent), at.get(child)))));
  picture.append(...[...members].map((genome) => treeNode(genome, at.get(genome))));
  place.replaceChildren(picture);
}

function edge(from, to) {
  const y1 = from.y + 11, y2 = to.y - 11, bend = (y1 + y2) / 2;
  return drawing("path", { class: "edge", d: `M${from.x} ${y1}C${from.x} ${bend} ${to.x} ${bend} ${to.x} ${y2}` });
}

function treeNode(genome, { x, y }) {
  const { layers } = report.genomes[genome];
  const left = x - layers.length * cellWidth / 2;
  const cells = layers.map(([index], l) => drawing("rect", {
    class: `mix-${mixingColours[report.kinds[index].mixing]}`, x: left + l * cellWidth, y: y - 9,
    width: cellWidth - 1, height: 18, rx: 2 }));
  const ids = layers.map(([index], l) => drawing("text", { class: "id", x: left + l * cellWidth + 4, y: y + 3.5,
    "text-anchor": "middle" }, report.kinds[index].id));
  const frame = Math.max(layers.length * cellWidth, 20);
  return standsFor(drawing("g", { class: genome === state.selected ? "selected" : null, role: "button",
    "aria-label": report.genomes[genome].genome },
    drawing("rect", { class: "frame", x: x - frame / 2 - 3, y: y - 12, width: frame + 5, height: 24, rx: 4 }),
    ...cells, ...ids,
    drawing("text", { class: "note", x, y: y + 24, "text-anchor": "middle" }, candidateOf.get(genome).origin)), genome);
}
