// T as pictures: red is positive, blue negative, on a logarithmic scale; grey is exactly 0. As
// tools/picture.cpp draws them.
"use strict";

const decades = 3;
const absent = [226, 226, 222];
const stops = {
  positive: [[255, 255, 255], [250, 175, 130], [214, 60, 50], [140, 0, 30]],
  negative: [[255, 255, 255], [150, 200, 230], [45, 115, 185], [10, 55, 135]],
};

function shade(value, scale) {
  if (value === 0) return absent;
  const strength = Math.min(1, Math.max(0, 1 + Math.log10(Math.abs(value) / scale) / decades));
  const along = value < 0 ? stops.negative : stops.positive;
  const at = strength * (along.length - 1), low = Math.min(Math.floor(at), along.length - 2);
  return along[low].map((from, c) => Math.round(from + (at - low) * (along[low + 1][c] - from)));
}

// Exceeded by a hundredth of the entries off the diagonal, of all maps of a row; so neither a few large
// ones nor a skip on the diagonal bleach the others. The difference is drawn on the scale of T.
function scaleOf(maps, at) {
  const off = [], on = [];
  for (const { values } of maps)
    for (let i = 0, place = 0; i < page.length; ++i)
      for (let j = 0; j <= i; ++j, ++place) {
        const size = Math.abs(values[at][place]);
        if (size > 0) (i === j ? on : off).push(size);
      }
  const sizes = (off.length ? off : on).sort((a, b) => a - b);
  return sizes.length ? sizes[Math.floor((sizes.length - 1) * 0.99)] : 1;
}

function paint(canvas, map, at, scale) {
  const picture = new ImageData(page.length, page.length);
  for (let i = 0, pixel = 0; i < page.length; ++i)
    for (let j = 0; j < page.length; ++j, pixel += 4) {
      const [r, g, b] = shade(entry(map, at, i, j), scale);
      picture.data.set([r, g, b, 255], pixel);
    }
  canvas.width = canvas.height = page.length;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

const digits = (value) => value === 0 ? "0" : `${+value.toPrecision(3)}`.replace("-", "−");

function pointTo(i, j) {
  if (i >= 0 && i < page.length && j >= 0 && j <= i) change({ cell: [i, j] });
}

function followPointer(matrix, event) {
  const box = matrix.getBoundingClientRect();
  const along = (at, from, size) => Math.floor((at - from) / size * page.length);
  pointTo(along(event.clientY, box.top, box.height), along(event.clientX, box.left, box.width));
}

const arrows = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function followKeys(event) {
  const step = arrows[event.key];
  if (!step) return;
  event.preventDefault();
  const [i, j] = state.cell ?? [page.length - 1, 0];
  pointTo(i + step[0], j + step[1]);
}

function mapFigure(map, at, scale) {
  const { row, shown } = operatorNow();
  const name = `${map.name}, ${row} ${shown[at] + 1}`;
  const canvas = element("canvas", { role: "img", "aria-label": name });
  const matrix = element("div", { class: "matrix", tabindex: 0, onkeydown: followKeys,
    onpointermove: (event) => followPointer(matrix, event),
    onpointerdown: (event) => followPointer(matrix, event) },
  canvas, ["block", "reads", "wrote"].map((part) => element("i", { class: part })));
  paint(canvas, map, at, scale);
  return element("figure", {}, element("figcaption", {}, name), matrix);
}

function drawMaps() {
  const { maps, shown } = operatorNow();
  const rows = shown.map((_, at) => {
    const scale = scaleOf(maps, at);
    return maps.map((map) => mapFigure(map, at, scale));
  });
  const panels = maps.length > 1 ? rows : [rows.flat()];
  byId("maps").replaceChildren(...panels.map((figures) => element("div", { class: "panel" }, figures)));
}

function drawPlaces() {
  const { style, classList } = byId("maps");
  style.setProperty("--length", page.length);
  style.setProperty("--cut", state.cut);
  style.setProperty("--row", state.cell?.[0] ?? 0);
  style.setProperty("--column", state.cell?.[1] ?? 0);
  classList.toggle("pointed", state.cell !== null);
  byId("reading").replaceChildren(...readingText());
}

function readingText() {
  if (!state.cell) return ["Point at an entry, or go from one to the next with the arrow keys."];
  const [i, j] = state.cell, { maps, shown, row } = operatorNow();
  const verb = state.input === "difference" ? "changes by" : "has";
  const values = shown.map((r, at) => `${row} ${r + 1}: ${maps.map((map) =>
    `${map.name} ${verb} ${digits(entry(map, at, i, j))}`).join(", ")}`);
  const token = (place) => `token ${place + 1}${page.trained ? ` (${words()[place]})` : ""}`;
  return [`${token(i)} reads ${i === j ? "itself" : token(j)} – ${values.join("; ")}`];
}

function startMaps() {
  const gradient = (along) => `linear-gradient(to right, ${along.map((c) => `rgb(${c})`).join(", ")})`;
  byId("scale").replaceChildren(
    ...[["positive", stops.positive], ["negative", stops.negative]].map(([meaning, along]) =>
      element("span", {}, element("i", { class: "swatch", style: `background: ${gradient(along)}` }), meaning)),
    element("span", {}, element("i", { class: "swatch zero" }), "exactly 0"));
  watchers.push((what) => {
    if ("operator" in what || "input" in what) drawMaps();
    drawPlaces();
  });
}
