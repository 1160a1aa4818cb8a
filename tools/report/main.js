// Puts the page together.
"use strict";

startTheme();
startSummary();
startTimeline();
startFronts();
startHypervolume();
startCurves();
startRungs();
startPopulations();
startGenome();
startGenomes();
startTree();
startMotifs();
startFailures();
startSettings();
startPrinting();
addEventListener("keydown", (event) => { if (event.key === "Escape") change({ selected: null }); });
addEventListener("scroll", hideCard, { passive: true });
// The best of the front is what most readers want to see first.
if (lastGeneration >= 0) change({ selected: byFirstObjective(frontOf(lastGeneration))[0] ?? null });
