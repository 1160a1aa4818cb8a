// The front in every pair of objectives, at the generation that is shown. With one objective, that
// objective over the candidates.
"use strict";

function startFronts() {
  const pairs = [];
  for (const [i, x] of objectives.entries())
    for (const y of objectives.slice(i + 1)) pairs.push({ x, y });
  legend(byId("fronts-legend"), [["front", "front"], ["population", "population"],
    ["evaluated", "evaluated so far"], ["baseline", "baseline"], ["chosen", "selected"]]);
  const views = pairs.length > 0 ? pairs.map(pairView) : [singleView(objectives[0])];
  for (const view of views) {
    const canvas = element("canvas", { role: "img", "aria-label": view.label });
    byId("fronts-charts").append(element("div", { class: "chart square" }, canvas));
    const chart = makeChart(canvas, { scales: view.scales }, (c) => { c.data.datasets = view.datasets(); });
    watch(chart.redraw);
  }
  byId("fronts-note").textContent = frontsNote(pairs.length);
}

function frontsNote(pairs) {
  const untrained = report.baselines.some((b) => report.genomes[b.genome].status === "waiting");
  const notes = ["Less is better everywhere."];
  if (pairs > 1) notes.push("A genome of the front may look beaten in one pair: it wins in another.");
  if (untrained)
    notes.push("Baselines that were not trained stand only where no training is needed: star baseline trains them.");
  return notes.join(" ");
}

// x and y of those genomes that have both.
function points(genomes, x, y) {
  return genomes.map((genome) => ({ x: x(genome), y: y(genome), genome }))
    .filter((p) => p.x !== null && p.y !== null);
}

// What every view of genomes shows, the first on top.
function layers(x, y) {
  const at = (genomes) => points(genomes, x, y);
  const g = state.generation;
  const marked = [state.hovered, state.selected].filter((genome) => genome !== null);
  const base = (name, more) => ({ clip: false, pointBackgroundColor: colour(name), pointBorderColor: colour("paper"), ...more });
  return [
    { ...base("selected", { pointRadius: 9, pointBorderWidth: 2.5, pointHitRadius: 0, pointHoverRadius: 9 }),
      pointBackgroundColor: "transparent", pointBorderColor: colour("selected"), data: at(marked) },
    { ...base("front", { pointRadius: 5, pointHoverRadius: 7, pointBorderWidth: 1 }), data: at(frontOf(g)) },
    { ...base("baseline", { pointRadius: 6, pointHoverRadius: 8, pointStyle: "rectRot" }),
      data: at(report.baselines.map((b) => b.genome)) },
    { ...base("population", { pointRadius: 4, pointHoverRadius: 6 }), data: at(populationOf(g)) },
    { ...base("evaluated", { pointRadius: 3, pointHoverRadius: 5, pointBorderWidth: 0 }), data: at(evaluatedBy(g)) },
  ];
}

// The edge of what the front dominates: right, then down.
function staircase(front) {
  const sorted = [...front].sort((a, b) => a.x - b.x || b.y - a.y);
  const line = [];
  for (const [i, { x, y }] of sorted.entries()) {
    if (i > 0) line.push({ x, y: sorted[i - 1].y });
    line.push({ x, y });
  }
  return { data: line, showLine: true, borderColor: colour("front"), borderWidth: 1.5, pointRadius: 0,
    pointHitRadius: 0, pointHoverRadius: 0 };
}

// Bounds that stay put while the generations pass.
function range(values) {
  const known = values.filter((v) => v !== null);
  if (known.length === 0) return {};
  const low = Math.min(...known), high = Math.max(...known);
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return { min: low >= 0 ? Math.max(0, low - room) : low - room, max: high + room };
}

const shown = () => [...evaluatedBy(lastGeneration), ...report.baselines.map((b) => b.genome)];

function pairView({ x, y }) {
  const [qx, qy] = [quantity(x), quantity(y)];
  const [atX, atY] = [(genome) => metric(genome, x), (genome) => metric(genome, y)];
  const all = points(shown(), atX, atY);
  return {
    label: `${qy.title} against ${qx.title}`,
    scales: {
      x: axis(qx.axis, qx.tick, range(all.map((p) => p.x))),
      y: axis(qy.axis, qy.tick, range(all.map((p) => p.y))),
    },
    datasets() {
      const sets = layers(atX, atY);
      return objectives.length === 2 ? [...sets, staircase(sets[1].data)] : sets;
    },
  };
}

function singleView(name) {
  const order = new Map([...candidateOf.keys()].map((genome, i) => [genome, i + 1]));
  const atX = (genome) => order.get(genome) ?? 0;
  const q = quantity(name);
  return {
    label: `${q.title} of the candidates in their order`,
    scales: {
      x: axis("Candidate", plain, { min: 0, max: order.size + 1 }),
      y: axis(q.axis, q.tick, range(shown().map((genome) => metric(genome, name)))),
    },
    datasets: () => layers(atX, (genome) => metric(genome, name)),
  };
}
