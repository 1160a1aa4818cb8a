// A genome drawn as its backbone: the residual stream from top to bottom, a row for each LIV, and
// brackets from what gives weights (solid) and features (dashed) to what takes them.
"use strict";

const rowHeight = 28, laneWidth = 14;

// Links by giver: {what, from, takers: Map of LIV to names, first, last}
function bundles(links) {
  const found = new Map();
  for (const [what, from, to, name] of links) {
    const key = `${what} ${from}`;
    if (!found.has(key)) found.set(key, { what, from, takers: new Map() });
    const takers = found.get(key).takers;
    takers.set(to, [...(takers.get(to) ?? []), name]);
  }
  for (const bundle of found.values()) {
    bundle.first = Math.min(bundle.from, ...bundle.takers.keys());
    bundle.last = Math.max(bundle.from, ...bundle.takers.keys());
  }
  return [...found.values()].sort((a, b) => a.first - b.first);
}

// Puts bundles into as few lanes as keep them apart; their number.
function assignLanes(all) {
  const free = [];
  for (const bundle of all) {
    let lane = free.findIndex((last) => last < bundle.first);
    if (lane < 0) lane = free.length;
    free[lane] = bundle.last;
    bundle.lane = lane;
  }
  return free.length;
}

function backbone(genome) {
  const { layers, links } = report.genomes[genome];
  if (layers.length === 0) return element("p", { class: "quiet" }, "This text does not compile under the settings of the run.");
  const all = bundles(links);
  const lanes = assignLanes(all);
  const x = { number: 20, stream: 36, box: 48, lanes: 172 };
  x.names = x.lanes + lanes * laneWidth + (lanes ? 4 : 0);
  const notes = takenTexts(layers, links);
  const longest = Math.max(...notes.map((text) => text.length));
  x.parameters = x.names + longest * 6.6 + 62;
  x.cache = x.parameters + 74;
  const height = layers.length * rowHeight + 44;
  const picture = drawing("svg", { class: "backbone", role: "img", viewBox: `0 0 ${x.cache + 4} ${height}`,
    width: x.cache + 4, height, "aria-label": `Backbone of ${layers.length} LIVs` });
  const top = 34;
  picture.append(head("parameters", x.parameters), head("cache", x.cache));
  picture.append(drawing("line", { class: "stream", x1: x.stream, x2: x.stream, y1: 20, y2: height - 4 }));
  for (const [l, layer] of layers.entries())
    picture.append(row(l, layer, top + l * rowHeight, x, notes[l]));
  for (const bundle of all) picture.append(bracket(bundle, top, x));
  return element("div", { class: "scroll" }, picture);
}

const head = (text, x) => drawing("text", { class: "head", x, y: 12, "text-anchor": "end" }, text);

function row(l, [index, parallel, parameters, cache], y, x, note) {
  const kind = report.kinds[index];
  const text = (at, content, name = "", anchor = "end") =>
    drawing("text", { class: name, x: at, y: y + 4.5, "text-anchor": anchor }, content);
  return drawing("g", {},
    text(x.number, `${l + 1}`, "head"),
    drawing("line", { class: "stream", x1: x.stream, x2: x.box, y1: y, y2: y }),
    drawing("circle", { class: "tap", cx: x.stream, cy: y, r: 3 }),
    parallel ? drawing("line", { class: "beside", x1: x.stream, x2: x.stream, y1: y - rowHeight, y2: y }) : null,
    drawing("rect", { class: `mix-${mixingColours[kind.mixing]}`, x: x.box, y: y - 11, width: x.lanes - x.box - 8,
      height: 22, rx: 4 }),
    drawing("text", { class: "name", x: x.box + 8, y: y + 4.5 }, `${kind.id}  ${kind.name}`),
    text(x.names, note, "note", "start"),
    text(x.parameters, whole(parameters)), text(x.cache, bytes(cache)));
}

// For each LIV what it takes: "k v of 1".
function takenTexts(layers, links) {
  return layers.map((_, l) => {
    const taken = new Map();
    for (const [, from, to, name] of links)
      if (to === l) taken.set(from, [...(taken.get(from) ?? []), name]);
    return [...taken].map(([from, names]) => `${names.join(" ")} of ${from + 1}`).join(", ");
  });
}

function bracket({ what, from, takers, first, last, lane }, top, x) {
  const at = x.lanes + lane * laneWidth + 4;
  const y = (l) => top + l * rowHeight;
  const start = x.lanes - 8;
  let path = `M${at} ${y(first)}V${y(last)}M${start} ${y(from)}H${at}`;
  for (const to of takers.keys()) path += `M${start} ${y(to)}H${at}`;
  return drawing("g", { class: `share ${what}` }, drawing("path", { d: path }),
    drawing("circle", { cx: at, cy: y(from), r: 3 }),
    drawing("title", {}, `${what} of LIV ${from + 1}`));
}
