// The head of the page: what was searched, how far it came, what it found.
"use strict";

const dataName = (s) => s.task || s.data_path.split("/").filter(Boolean).at(-1) || "text";

function depthText(s) {
  return s.min_depth === s.max_depth ? `${s.max_depth} LIVs` : `${s.min_depth} to ${s.max_depth} LIVs`;
}

function startSummary() {
  const s = report.settings;
  const title = report.run;
  document.title = `${title} · star`;
  byId("title").textContent = title;
  byId("subtitle").textContent = [`${s.algorithm} on ${dataName(s)}`, depthText(s), `width ${s.width}`,
    count(s.steps, "training step"), `seed ${s.seed}`].join(" · ");
  const front = frontOf(lastGeneration);
  byId("warning").hidden = front.length === 0 || front.some((genome) => brokenBounds(genome).length === 0);
  byId("warning").textContent = "No candidate keeps the bounds of this search: its front is of those that come nearest.";
  byId("summary").replaceChildren(...tiles().map(([label, value, note]) =>
    element("div", {}, element("span", { class: "quiet" }, label), element("strong", {}, value),
      element("span", { class: "quiet" }, note))));
}

function tiles() {
  const wanted = report.settings.generations, done = report.generations.length;
  const status = (name) => [...candidateOf.keys()].filter((g) => report.genomes[g].status === name).length;
  const ok = status("ok"), failed = status("failed"), stopped = status("stopped");
  const volumes = report.generations.map((g) => g.hypervolume).filter((v) => v !== null);
  const best = byFirstObjective(lastGeneration >= 0 ? frontOf(lastGeneration) : evaluatedBy(0))[0];
  return [
    ["Generations", `${done} of ${wanted}`, done < wanted ? "running or stopped" : "complete"],
    ["Evaluated", whole(ok + failed), (failed ? count(failed, "failed", "failed") : "none failed") +
      (stopped ? `, ${whole(stopped)} more stopped at a rung` : "")],
    ["Front", whole(frontOf(lastGeneration).length), "genomes"],
    ["Hypervolume", volumes.length ? fixed(4)(volumes.at(-1)) : missing,
      volumes.length ? `${fixed(4)(volumes[0])} at first` : "no generation yet"],
    [`Best ${quantity(objectives[0]).title.toLowerCase()}`,
      best === undefined ? missing : valueText(best, objectives[0]), quantity(objectives[0]).unit],
  ];
}
