// The hypervolume over the training steps taken, against what its initial population and a random search reach.
"use strict";

function startHypervolume() {
  const chart = makeChart(byId("hypervolume"), {
    scales: {
      x: axis("Training steps of all candidates", plain, { beginAtZero: true }),
      y: axis("Share of the box dominated", plain),
    },
  }, (c) => { c.data.datasets = volumeSets(); }, (point) => {
    if (point.generation !== undefined) change({ generation: point.generation });
  });
  watch((changed) => { if ("generation" in changed) chart.redraw(); });
  const entries = [["front line", "this search"], ["initial line", "its initial population alone"]];
  if (report.random) entries.push(["random line", "random search"]);
  legend(byId("hypervolume-legend"), entries);
  byId("hypervolume-note").textContent = volumeNote();
}

function volumeNote() {
  if (report.generations.length === 0) return "No generation is complete yet.";
  if (!report.random)
    return "To compare with random search: star search --algorithm random under the same options, then star report --against its run file.";
  return `Both searches are judged by all that they had found by then, what stopped at a rung by its steps up to there; random search is ${report.random.run}.`;
}

const track = (generations) => generations
  .map((g, generation) => ({ x: g.steps, y: g.hypervolume, generation }))
  .filter((p) => p.y !== null);

function volumeSets() {
  const own = track(report.generations);
  if (own.length === 0) return [];
  const line = (name, data, more) => ({ data, showLine: true, borderColor: colour(name), borderWidth: 2,
    pointBackgroundColor: colour(name), pointBorderColor: colour("paper"), pointRadius: 0, pointHitRadius: 0,
    pointHoverRadius: 0, ...more });
  const radius = own.map((p) => p.generation === state.generation ? 7 : 4);
  const sets = [line("front", own, { pointRadius: radius, pointHoverRadius: radius, pointHitRadius: 6 }),
    line("initial", [{ x: own[0].x, y: own[0].y }, { x: own.at(-1).x, y: own[0].y }], { borderDash: [2, 4] })];
  if (report.random)
    sets.push(line("random", track(report.random.generations).map(({ x, y }) => ({ x, y })), { borderDash: [7, 4] }));
  return sets;
}
