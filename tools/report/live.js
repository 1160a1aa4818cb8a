// A page that is still being written (star report --follow): it reads itself again every few
// seconds, unless the reader is busy with it, and keeps what the reader looks at.
"use strict";

const liveSeconds = report.reload_seconds ?? 0;

// What stays over a reload: the last generation stays the last, a genome is known by its text.
const looksAt = () => ({
  generation: state.generation < lastGeneration ? state.generation : null,
  selected: state.selected === null ? null : report.genomes[state.selected].genome,
  theme: document.documentElement.dataset.theme,
  listing,
});

function readerIsBusy() {
  return document.hidden || state.hovered !== null || byId("play").textContent === "Pause" ||
    byId("slider").matches(":active") || String(getSelection()) !== "";
}

// Before the views draw themselves.
function restoreListing() {
  if (history.state?.listing) Object.assign(listing, history.state.listing);
}

// After they have. False: there is nothing to go back to.
function restoreView() {
  const kept = history.state;
  if (!kept?.theme) return false;
  setTheme(kept.theme);
  const selected = report.genomes.findIndex((g) => g.genome === kept.selected);
  change({ generation: kept.generation ?? Math.max(0, lastGeneration), selected: selected < 0 ? null : selected });
  return true;
}

function startLive() {
  if (!liveSeconds) return;
  byId("live").hidden = false;
  setInterval(() => {
    if (readerIsBusy()) return;
    history.replaceState(looksAt(), "");
    location.reload();
  }, 1000 * liveSeconds);
}
