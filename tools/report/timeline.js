// The generation that is shown, chosen by a slider or played from the first to the last.
"use strict";

const playMs = 700;

function startTimeline() {
  const slider = byId("slider"), play = byId("play");
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  };
  const step = () => {
    if (state.generation >= lastGeneration) stop();
    else change({ generation: state.generation + 1 });
  };
  slider.max = Math.max(0, lastGeneration);
  slider.disabled = play.disabled = lastGeneration < 1;
  slider.addEventListener("input", () => {
    stop();
    change({ generation: Number(slider.value) });
  });
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (state.generation >= lastGeneration) change({ generation: 0 });
    play.textContent = "Pause";
    timer = setInterval(step, playMs);
  });
  watch((changed) => { if ("generation" in changed) showMoment(); });
  showMoment();
}

function showMoment() {
  byId("slider").value = state.generation;
  const generation = report.generations[state.generation];
  byId("moment").textContent = generation === undefined ? "No generation is complete yet"
    : `Generation ${state.generation + 1} of ${report.settings.generations} · ` +
      `${whole(generation.evaluated)} evaluated · hypervolume ${generation.hypervolume === null ? missing
        : fixed(4)(generation.hypervolume)}` +
      (generation.scaled === null ? "" : `, scaled ${fixed(3)(generation.scaled)}`);
}
