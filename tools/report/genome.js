// The genome selected: its text, its figures, its backbone.
"use strict";

function startGenome() {
  watch((changed) => { if ("selected" in changed) showGenome(); });
  showGenome();
}

function showGenome() {
  const genome = state.selected;
  if (genome === null) {
    byId("genome-body").replaceChildren(element("p", { class: "quiet" },
      "Select a point, a curve or a row: the genome is drawn here and marked everywhere."));
    return;
  }
  const { genome: text, metrics, status, failure, seconds } = report.genomes[genome];
  const names = [...objectives, ...Object.keys(metrics).filter((name) => !objectives.includes(name))];
  const figures = names.map((name) =>
    [element("dt", {}, quantity(name).title), element("dd", {}, valueText(genome, name))]);
  if (typeof seconds === "number")
    figures.push([element("dt", {}, "Evaluated in"), element("dd", {}, `${fixed(1)(seconds)} s`)]);
  const broken = brokenBounds(genome);
  byId("genome-body").replaceChildren(
    element("p", {}, baselineName.has(genome) ? element("strong", {}, baselineName.get(genome)) : "",
      element("code", { class: "text" }, text)),
    element("p", { class: "quiet" }, bornText(genome), placeText(genome)),
    ...(status === "failed" ? [element("p", { class: "failure" }, `Failed: ${failure}`)] : []),
    ...(broken.length > 0 ? [element("p", { class: "failure" }, `Breaks the bounds: ${broken.join(", ")}.`)] : []),
    ...(status === "waiting" ? [element("p", { class: "quiet" }, "Not evaluated yet.")] : []),
    backbone(genome),
    element("dl", { class: "figures" }, figures),
    element("p", { class: "quiet" }, "For PyTorch, with fresh weights:"),
    element("code", { class: "command" }, exportCommand(text)));
}

// As a shell takes it, in the folder of the run file: of a pool that has no name, the run has the text.
function exportCommand(text) {
  const { width, heads, seq, vocab, window, pool } = report.settings;
  const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;
  const named = pool === "paper" || pool === "extended";
  return `star export ${quoted(text)} --width ${width} --heads ${heads} --seq ${seq} --vocab ${vocab} ` +
    `--window ${window} --pool ${named ? pool : quoted("./" + report.run)} --out model`;
}

// Where it stands at the end.
function placeText(genome) {
  if (frontOf(lastGeneration).includes(genome)) return " · in the final front";
  return populationOf(lastGeneration).includes(genome) ? " · in the final population" : "";
}
