// The table of genomes: the front, the population, the baselines or all. A click on a head sorts.
"use strict";

const listing = { of: "front", by: objectives[0], descending: false };

function startGenomes() {
  choice(byId("genomes-choice"), [["front", "Front"], ["population", "Population"], ["all", "All evaluated"],
    ["baselines", "Baselines"]], listing.of, (of) => {
    listing.of = of;
    drawGenomes();
  });
  watch((changed) => {
    if ("generation" in changed && listing.of !== "baselines") drawGenomes();
    else if ("selected" in changed) markSelected(byId("genomes-table"));
  });
  drawGenomes();
}

const listed = {
  front: () => frontOf(state.generation),
  population: () => populationOf(state.generation),
  all: () => evaluatedBy(state.generation),
  baselines: () => report.baselines.map((b) => b.genome),
};

const extraColumns = ["params", "cache"].filter((name) => !objectives.includes(name));

// Head, value to sort by, cell.
const columns = [
  ...[...objectives, ...extraColumns].map((name) => ({
    name, head: quantity(name).title, number: true,
    value: (genome) => metric(genome, name), cell: (genome) => valueText(genome, name),
  })),
  { name: "generation", head: "Bred", number: true,
    value: (genome) => candidateOf.get(genome)?.generation ?? -1,
    cell: (genome) => candidateOf.has(genome) ? `${candidateOf.get(genome).generation + 1}` : missing },
  { name: "origin", head: "By", value: (genome) => candidateOf.get(genome)?.origin ?? "",
    cell: (genome) => candidateOf.get(genome)?.origin ?? "baseline" },
  { name: "genome", head: "Genome", value: nameOf,
    cell: (genome) => element("span", { class: "named" }, strip(genome), element("code", {}, nameOf(genome)),
      brokenBounds(genome).length > 0 ? element("span", { class: "failure" }, "breaks the bounds") : "") },
];

function drawGenomes() {
  const genomes = sorted(listed[listing.of]());
  const rows = genomes.map((genome) => standsFor(element("tr", {}, columns.map((column) =>
    element("td", { class: column.number ? "number" : null }, column.cell(genome)))), genome));
  const body = rows.length > 0 ? rows : [element("tr", {}, element("td", { colspan: columns.length, class: "quiet" },
    listing.of === "baselines" ? "No baseline fits the sizes of this run." : "Nothing yet."))];
  byId("genomes-table").replaceChildren(
    element("thead", {}, element("tr", {}, columns.map(headCell))), element("tbody", {}, body));
  markSelected(byId("genomes-table"));
}

function headCell({ name, head: text, number }) {
  const direction = listing.descending ? "descending" : "ascending";
  return element("th", { class: number ? "number" : null, "aria-sort": listing.by === name ? direction : "none" },
    element("button", { type: "button", onclick() {
      listing.descending = listing.by === name && !listing.descending;
      listing.by = name;
      drawGenomes();
    } }, text));
}

function sorted(genomes) {
  const { value } = columns.find((column) => column.name === listing.by);
  const sign = listing.descending ? -1 : 1;
  return [...genomes].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return (x === null) - (y === null);  // missing ones last
    return sign * (x < y ? -1 : x > y ? 1 : 0);
  });
}
