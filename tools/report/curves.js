// Training losses: of the front at the generation that is shown, of the baselines, and of the genome
// selected.
"use strict";

function startCurves() {
  const chart = makeChart(byId("curves"), {
    interaction: { mode: "nearest", intersect: true },
    scales: {
      x: axis("Training step", plain, { beginAtZero: true }),
      y: axis("Training loss, nats a target", plain),
    },
  }, (c) => { c.data.datasets = curveSets(); });
  watch(chart.redraw);
  legend(byId("curves-legend"), [["front line", "front"], ["baseline line", "baseline"],
    ["chosen line", "selected"]]);
}

// The last one lies at the bottom.
function curveSets() {
  const line = (genome, name, borderWidth) => ({
    genome, data: report.genomes[genome].curve.filter((p) => p[1] !== null).map(([x, y]) => ({ x, y })),
    showLine: true, borderColor: colour(name), borderWidth, borderJoinStyle: "round",
    pointRadius: 0, pointHoverRadius: 0, pointHitRadius: 5,
  });
  const front = frontOf(state.generation);
  const trained = report.baselines.map((b) => b.genome).filter((genome) => !front.includes(genome));
  const sets = [];
  for (const genome of [state.selected, state.hovered])
    if (genome !== null) sets.push(line(genome, "selected", 3));
  sets.push(...trained.map((genome) => line(genome, "baseline", 1.25)));
  sets.push(...front.map((genome) => line(genome, "front", 1.25)));
  byId("curves-note").textContent = sets.some((s) => s.data.length > 0) ? "" : "No training curve yet.";
  return sets;
}
