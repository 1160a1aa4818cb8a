// The rank of T[i:, :i] for every i: how much of the past the future can tell apart.
"use strict";

const plot = { width: 360, height: 170, left: 30, right: 8, top: 10, bottom: 24 };

function drawRanks() {
  const { ranks, row, shown } = operatorNow();
  const most = Math.max(1, ...ranks.flat()), last = Math.max(1, page.length - 1);
  const x = (cut) => plot.left + (plot.width - plot.left - plot.right) * (cut - 1) / Math.max(1, last - 1);
  const y = (rank) => plot.height - plot.bottom - (plot.height - plot.top - plot.bottom) * rank / most;
  const line = (class_, x1, y1, x2, y2) => drawing("line", { class: class_, x1, y1, x2, y2 });
  const label = (text, at, anchor) => drawing("text", { class: "note", x: at[0], y: at[1], "text-anchor": anchor }, text);
  byId("ranks").replaceChildren(drawing("svg", { class: "ranks", viewBox: `0 0 ${plot.width} ${plot.height}`, role: "img",
    "aria-label": `Rank of the block at every cut, up to ${most}` },
  line("axis", plot.left, y(0), plot.width - plot.right, y(0)),
  line("axis", plot.left, y(0), plot.left, y(most)),
  label(most, [plot.left - 5, y(most) + 4], "end"), label(0, [plot.left - 5, y(0) + 4], "end"),
  label(2, [x(1), plot.height - 8], "middle"), label(page.length, [x(last), plot.height - 8], "end"),
  ranks.map((of) => drawing("polyline", { points: of.map((rank, i) => `${x(i + 1)},${y(rank)}`).join(" ") })),
  line("now", x(state.cut), y(0), x(state.cut), y(most))));
  const now = shown.map((r, at) => `${ranks[at][state.cut - 1]} in ${row} ${r + 1}`).join(", ");
  const kept = operatorNow().kept[state.cut].toLocaleString("en-US");
  byId("rank-text").textContent = `Rank before token ${state.cut + 1}: ${now}. `
    + `Decoding keeps ${kept} numbers after ${state.cut} tokens, of all heads and channels.`;
}

function startRanks() {
  const slider = byId("cut");
  slider.max = page.length;
  slider.value = state.cut + 1;
  slider.addEventListener("input", () => change({ cut: +slider.value - 1 }));
  watchers.push((what) => {
    if (!("operator" in what) && !("cut" in what)) return;
    byId("cut-value").textContent = state.cut + 1;
    drawRanks();
  });
}
