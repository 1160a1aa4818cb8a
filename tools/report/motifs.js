// Which classes and which neighbours occur in the front, against the initial population: in how many
// genomes of each. `star motifs` says what of that is more than chance.
"use strict";

const motifRows = 12;

function startMotifs() {
  watch((changed) => { if ("generation" in changed) drawMotifs(); });
  byId("motifs-note").textContent = report.generations.length === 0 ? "No generation is complete yet."
    : "Share of the genomes that have it, in the front that is shown and in the initial population. star motifs tests what is more than chance.";
  drawMotifs();
}

function drawMotifs() {
  if (report.generations.length === 0) return;
  byId("motifs-tables").replaceChildren(
    motifTable("Class", (names) => names),
    motifTable("Neighbours", (names) => names.slice(1).map((name, i) => `${names[i]} → ${name}`)));
}

// In how many of the genomes each motif occurs.
function occurrences(genomes, motifsOf) {
  const found = new Map();
  for (const genome of genomes) {
    const names = report.genomes[genome].layers.map(([index]) => report.kinds[index].name);
    for (const motif of new Set(motifsOf(names))) found.set(motif, (found.get(motif) ?? 0) + 1);
  }
  return found;
}

function motifTable(title, motifsOf) {
  const front = frontOf(state.generation), initial = populationOf(0);
  const now = occurrences(front, motifsOf), then = occurrences(initial, motifsOf);
  const share = (found, motif, of) => of.length > 0 ? (found.get(motif) ?? 0) / of.length : 0;
  const rows = [...new Set([...now.keys(), ...then.keys()])]
    .map((motif) => ({ motif, now: share(now, motif, front), then: share(then, motif, initial) }))
    .sort((a, b) => (b.now - b.then) - (a.now - a.then) || (a.motif < b.motif ? -1 : 1));
  const cell = (kind, value) => element("td", { class: "bar" },
    element("i", { class: `fill ${kind}`, style: `width: ${Math.round(value * 100)}%` }),
    element("span", {}, `${Math.round(value * 100)} %`));
  return element("table", { class: "motifs" },
    element("thead", {}, element("tr", {}, element("th", {}, title), element("th", {}, `Front of ${front.length}`),
      element("th", {}, `Initial ${initial.length}`))),
    element("tbody", {}, rows.slice(0, motifRows).map(({ motif, now: n, then: t }) =>
      element("tr", {}, element("td", {}, motif), cell("front", n), cell("initial", t)))));
}
