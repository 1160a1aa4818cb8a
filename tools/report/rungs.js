// Who stopped at a rung, generation by generation, and whether rungs and screening foretold the end.
"use strict";

function startRungs() {
  const rungs = report.settings.rungs ?? [], screened = report.settings.screen > 0;
  byId("rungs").hidden = rungs.length === 0 && !screened;
  if (byId("rungs").hidden) return;
  const number = (value) => value === null ? missing : fixed(2)(value);
  const shown = [["Generation", (g, i) => `${i + 1}`]];
  if (rungs.length > 0)
    shown.push(["Stopped", (g) => whole(g.stopped.length)], ["Went on", (g) => whole(g.promoted)],
      ["τ of the rung", (g) => number(g.rung_tau)]);
  if (screened) shown.push(["τ of the model", (g) => number(g.model_tau)]);
  byId("rungs-table").replaceChildren(
    element("thead", {}, element("tr", {}, shown.map(([head]) => element("th", { class: "number" }, head)))),
    element("tbody", {}, report.generations.map((g, i) =>
      element("tr", {}, shown.map(([, cell]) => element("td", { class: "number" }, cell(g, i)))))));
  byId("rungs-warning").hidden = !report.rungs.low;
  byId("rungs-warning").textContent =
    `τ is ${number(report.rungs.tau)} in the mean: the loss at step ${rungs.at(-1)} tells little of the quality.`;
  byId("rungs-note").textContent = "τ is Kendall's rank correlation: " + [
    ...(rungs.length > 0 ? ["of the loss at the last rung with the quality, among those that went on"] : []),
    ...(screened ? ["of what the model expected with what came, before it was fitted to that"] : []),
  ].join("; ") + ".";
}
