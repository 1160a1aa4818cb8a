// The document of star/report.h, and the questions that several views ask of it.
"use strict";

const report = JSON.parse(document.getElementById("report").textContent);
const objectives = report.settings.objectives;
const lastGeneration = report.generations.length - 1;

// The candidate that brought a genome into the search; baselines have none.
const candidateOf = new Map();
for (const candidate of report.candidates)
  if (!candidateOf.has(candidate.genome)) candidateOf.set(candidate.genome, candidate);

const baselineName = new Map(report.baselines.map((b) => [b.genome, b.name]));

// A number, or null where it was not measured.
function metric(genome, name) {
  const value = report.genomes[genome].metrics[name];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

// The genomes that a search had results of when generation `g` was complete; at the end, all.
function evaluatedBy(g) {
  const found = [];
  for (const [genome, candidate] of candidateOf)
    if (report.genomes[genome].status === "ok" && (g >= lastGeneration || candidate.generation <= g))
      found.push(genome);
  return found;
}

// What a genome breaks of the bounds of the search: "params at most 10,000".
function brokenBounds(genome) {
  return Object.entries(report.settings.bounds)
    .filter(([name, most]) => (metric(genome, name) ?? -Infinity) > most)
    .map(([name, most]) => `${quantity(name).title.toLowerCase()} at most ${quantity(name).text(most)}`);
}

const frontOf = (g) => report.generations[g]?.front ?? [];
const populationOf = (g) => report.generations[g]?.population ?? [];

// Genomes by the first objective, those without it last.
function byFirstObjective(genomes) {
  const value = (genome) => metric(genome, objectives[0]) ?? Infinity;
  return [...genomes].sort((a, b) => value(a) - value(b) || a - b);
}
