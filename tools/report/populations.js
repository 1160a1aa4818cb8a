// Populations by generation: their scores, which classes they are made of, and who shares with whom.
"use strict";

const sharingRows = 12;

function startPopulations() {
  byId("populations").hidden = report.generations.length === 0;
  if (byId("populations").hidden) return;
  byId("populations-table").replaceChildren(
    element("thead", {}, element("tr", {}, element("th", { class: "number" }, "Generation"),
      element("th", {}, "Classes"), element("th", { class: "number" }, "Genomes that share"),
      element("th", { class: "number" }, "Parallel LIVs"),
      objectives.map((name) => element("th", { class: "number" }, `${quantity(name).title}, best and median`)))),
    element("tbody", {}, report.generations.map((_, g) => populationRow(g))));
  watch((changed) => { if ("generation" in changed) showPopulation(); });
  showPopulation();
}

function showPopulation() {
  for (const [g, row] of [...byId("populations-table").tBodies[0].rows].entries())
    row.classList.toggle("selected", g === state.generation);
  byId("sharing").replaceChildren(...sharingTable(populationOf(state.generation)));
}

function populationRow(g) {
  const population = populationOf(g);
  const layers = population.flatMap((genome) => report.genomes[genome].layers);
  const sharing = population.filter((genome) => report.genomes[genome].links.length > 0).length;
  const number = (text) => element("td", { class: "number" }, text);
  const row = element("tr", {}, number(`${g + 1}`), element("td", { class: "classes" }, classBar(layers)),
    number(`${sharing} of ${population.length}`), number(whole(layers.filter(([, parallel]) => parallel).length)),
    objectives.map((name) => number(scores(population, name))));
  row.addEventListener("click", () => change({ generation: g }));
  return row;
}

// The least and the median of those that have a value.
function scores(population, name) {
  const values = population.map((genome) => metric(genome, name)).filter((v) => v !== null).sort((a, b) => a - b);
  if (values.length === 0) return missing;
  const middle = (values[Math.floor((values.length - 1) / 2)] + values[Math.floor(values.length / 2)]) / 2;
  return `${quantity(name).text(values[0])}  ${quantity(name).text(middle)}`;
}

// A stripe for each class, as long as the class is frequent.
function classBar(layers) {
  const counts = new Map();
  for (const [kind] of layers) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const frequent = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const said = frequent.map(([kind, n]) => `${report.kinds[kind].name} ${n}`).join(", ");
  return element("span", { class: "stripes", role: "img", "aria-label": said, title: said },
    frequent.map(([kind, n]) => {
      const { id, mixing, differential } = report.kinds[kind];
      return element("i", { class: `mix-${mixingColours[mixing]}${differential ? " differential" : ""}`,
        style: `flex-grow: ${n}` }, n / layers.length > 0.04 ? id : "");
    }));
}

// [class, what, distance, times] of what LIVs of a population take from earlier ones; each pair of LIVs once for
// weights and once for features, however many groups it shares.
function sharingOf(population) {
  const found = new Map();
  for (const genome of population) {
    const { layers, links } = report.genomes[genome];
    for (const pair of new Set(links.map(([what, from, to]) => `${what} ${from} ${to}`))) {
      const [what, from, to] = pair.split(" ");
      const key = `${report.kinds[layers[to][0]].name}|${what}|${to - from}`;
      found.set(key, (found.get(key) ?? 0) + 1);
    }
  }
  return [...found].map(([key, n]) => [...key.split("|"), n]).sort((a, b) => b[3] - a[3] || (a.join() < b.join() ? -1 : 1));
}

function sharingTable(population) {
  const rows = sharingOf(population);
  if (rows.length === 0) return [element("p", { class: "quiet" }, "No LIV of this population takes anything from another.")];
  return [element("table", {},
    element("thead", {}, element("tr", {}, element("th", {}, "Class"), element("th", {}, "takes from an earlier LIV"),
      element("th", { class: "number" }, "LIVs apart"), element("th", { class: "number" }, "times"))),
    element("tbody", {}, rows.slice(0, sharingRows).map(([name, what, distance, n]) =>
      element("tr", {}, element("td", {}, name), element("td", {}, what), element("td", { class: "number" }, distance),
        element("td", { class: "number" }, whole(n)))))),
    rows.length > sharingRows ? element("p", { class: "quiet" }, `and ${count(rows.length - sharingRows, "rarer kind")}`) : null]
    .filter((node) => node !== null);
}
