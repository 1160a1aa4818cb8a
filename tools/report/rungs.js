// Who stopped at a rung, generation by generation, and whether the rungs foretold the end.
"use strict";

function startRungs() {
  byId("rungs").hidden = report.settings.rungs === undefined || report.settings.rungs.length === 0;
  if (byId("rungs").hidden) return;
  const number = (value, digits) => value === null ? missing : fixed(digits)(value);
  const rows = report.generations.map((g, i) => element("tr", {}, [`${i + 1}`, whole(g.stopped.length), whole(g.promoted),
    number(g.rung_tau, 2)].map((text) => element("td", { class: "number" }, text))));
  const heads = ["Generation", "Stopped", "Went on", "τ of the rung"];
  byId("rungs-table").replaceChildren(
    element("thead", {}, element("tr", {}, heads.map((text) => element("th", { class: "number" }, text)))),
    element("tbody", {}, rows));
  byId("rungs-warning").hidden = !report.rungs.low;
  byId("rungs-warning").textContent =
    `τ is ${number(report.rungs.tau, 2)} in the mean: the loss at step ${report.settings.rungs.at(-1)} tells little of the quality.`;
  byId("rungs-note").textContent =
    "τ is Kendall's rank correlation of the loss at the last rung with the quality, among those that went on.";
}
