// The card beside the pointer: the genome that is under it.
"use strict";

function showCard(genome, x, y) {
  const card = byId("card");
  const { failure, status } = report.genomes[genome];
  const values = element("dl", {}, objectives.map((name) =>
    [element("dt", {}, quantity(name).title), element("dd", {}, valueText(genome, name))]));
  card.replaceChildren(strip(genome), element("code", {}, nameOf(genome)), values,
    status === "failed" ? element("p", { class: "failure" }, failure) : "",
    element("p", { class: "quiet" }, bornText(genome)));
  card.hidden = false;
  const gap = 14;
  const { width, height } = card.getBoundingClientRect();
  const left = x + gap + width < innerWidth ? x + gap : Math.max(4, x - gap - width);
  const top = y + gap + height < innerHeight ? y + gap : Math.max(4, y - gap - height);
  card.style.transform = `translate(${left}px, ${top}px)`;
}

function hideCard() { byId("card").hidden = true; }

// "mutation, generation 3"
function bornText(genome) {
  const candidate = candidateOf.get(genome);
  return candidate ? `${candidate.origin}, generation ${candidate.generation + 1}` : "baseline";
}
