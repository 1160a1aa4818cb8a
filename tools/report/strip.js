// A genome at a glance: a cell for each LIV with the id of its class, coloured by how it mixes
// tokens; differential classes are hatched, LIVs that read in parallel are joined.
"use strict";

const mixingColours = {
  "attention": "attention", "linear attention": "linear-attention", "convolution": "convolution",
  "recurrence": "recurrence", "memoryless": "memoryless",
};

function strip(genome) {
  const layers = report.genomes[genome].layers;
  const cells = layers.map(([index, parallel]) => {
    const kind = report.kinds[index];
    const classes = ["cell", `mix-${mixingColours[kind.mixing]}`];
    if (kind.differential) classes.push("differential");
    if (parallel) classes.push("parallel");
    return element("span", { class: classes.join(" ") }, kind.id);
  });
  return element("span", { class: "strip", "aria-hidden": "true" }, cells);
}

const nameOf = (genome) => baselineName.get(genome) ?? report.genomes[genome].genome;
