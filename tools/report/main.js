// Puts the page together.
"use strict";

restoreListing();
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
if (!restoreView() && lastGeneration >= 0) change({ selected: byFirstObjective(frontOf(lastGeneration))[0] ?? null });
startLive();
