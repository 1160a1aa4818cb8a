// What failed and why.
"use strict";

function startFailures() {
  const failed = [...candidateOf.keys()].filter((genome) => report.genomes[genome].status === "failed");
  const place = byId("failures-table");
  if (failed.length === 0) {
    place.replaceChildren(element("p", { class: "quiet" }, "No candidate failed."));
    return;
  }
  const rows = failed.map((genome) => standsFor(element("tr", {},
    element("td", {}, report.genomes[genome].failure),
    element("td", { class: "number" }, `${candidateOf.get(genome).generation + 1}`),
    element("td", { class: "number" }, secondsText(report.genomes[genome].seconds)),
    element("td", {}, element("span", { class: "named" }, strip(genome), element("code", {}, nameOf(genome))))), genome));
  const heads = [["Reason"], ["Bred", "number"], ["After", "number"], ["Genome"]];
  place.replaceChildren(element("table", {}, element("thead", {}, element("tr", {},
    heads.map(([text, kind = null]) => element("th", { class: kind }, text)))), element("tbody", {}, rows)));
  watch((changed) => { if ("selected" in changed) markSelected(place); });
}

const secondsText = (seconds) => typeof seconds === "number" ? `${fixed(1)(seconds)} s` : missing;
