// What all charts have in common: fonts and colours of the page, genomes under the pointer, paper.
"use strict";

const charts = [];

// Bytes are round at powers of two.
function binaryBounds({ min, max }) {
  const step = 2 ** Math.ceil(Math.log2((max - min) / 6));
  return { step, min: Math.floor(min / step) * step, max: Math.ceil(max / step) * step };
}

function axis(title, tick, more = {}) {
  const { step, ...bounds } = tick === bytes && more.max > more.min ? binaryBounds(more) : {};
  return {
    type: "linear",
    title: { display: true, text: title, font: { size: 12 } },
    ticks: { callback: tick, maxTicksLimit: 7, maxRotation: 0, includeBounds: false, stepSize: step },
    ...more, ...bounds,
  };
}

// `options` as Chart.js takes them. `redraw(chart)` fills in the data, at first and when colours
// change; `chosen(point)` is told of a click on a point that is no genome's.
function makeChart(canvas, options, redraw, chosen = null) {
  dress();
  const chart = new Chart(canvas, {
    type: "scatter",
    data: { datasets: [] },
    options: {
      animation: false, responsive: true, maintainAspectRatio: false,
      layout: { padding: { top: 6, right: 6 } },
      interaction: { mode: "nearest", intersect: true },
      onHover: (event, items) => pointAt(chart, event, items),
      onClick: (event, items) => clickAt(chart, items),
      plugins: { legend: { display: false }, tooltip: { enabled: false } },
      ...options,
    },
  });
  chart.chosen = chosen;
  chart.redraw = () => {
    dress();
    redraw(chart);
    chart.update("none");
  };
  canvas.addEventListener("mouseleave", leave);
  charts.push(chart);
  themeWatchers.push(chart.redraw);
  chart.redraw();
  return chart;
}

function dress() {
  Chart.defaults.color = colour("quiet");
  Chart.defaults.borderColor = colour("grid");
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
}

const itemOf = (chart, item) => chart.data.datasets[item.datasetIndex].data[item.index];

function genomeAt(chart, items) {
  for (const item of items) {
    const { datasetIndex, index } = item;
    const dataset = chart.data.datasets[datasetIndex];
    const genome = dataset.genome ?? dataset.data[index].genome;
    if (genome !== undefined) return genome;
  }
  return null;
}

function pointAt(chart, event, items) {
  if (event.type === "touchstart" || event.type === "touchmove") return;
  const genome = genomeAt(chart, items);
  chart.canvas.style.cursor = genome !== null || (chart.chosen && items.length) ? "pointer" : "";
  change({ hovered: genome });
  if (genome !== null) showCard(genome, event.native.clientX, event.native.clientY);
  else hideCard();
}

function clickAt(chart, items) {
  const genome = genomeAt(chart, items);
  if (genome !== null) change({ selected: genome });
  else if (items.length > 0) chart.chosen?.(itemOf(chart, items[0]));
}

function leave() {
  change({ hovered: null });
  hideCard();
}

// On paper: light, and as wide as the paper rather than as the window.
function startPrinting() {
  let before = "auto";
  addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme;
    setTheme("light");
    for (const chart of charts) chart.resize(330, 260);
  });
  addEventListener("afterprint", () => {
    setTheme(before);
    for (const chart of charts) chart.resize();
  });
}
