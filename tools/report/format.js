// Numbers as people read them, and what they are numbers of.
"use strict";

const missing = "–";

const fixed = (digits) => (value) => value.toLocaleString("en-US",
  { minimumFractionDigits: digits, maximumFractionDigits: digits });
const whole = fixed(0);

function bytes(value) {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]])
    if (value >= size) return `${fixed(value / size < 10 ? 2 : 1)(value / size)} ${unit}`;
  return `${whole(value)} B`;
}

function short(value) {
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]])
    if (Math.abs(value) >= size) return `${+(value / size).toPrecision(4)} ${unit}`;
  return `${+value.toPrecision(4)}`;
}

// For axes: no more digits than tell two ticks apart.
const plain = (value) => `${+value.toPrecision(6)}`;

// Of the objectives the program says what they are.
const figures = {
  real: { text: fixed(4), tick: plain },
  count: { text: whole, tick: short },
  bytes: { text: bytes, tick: bytes },
  milliseconds: { text: fixed(3), tick: plain },
};

const quantities = {
  ...Object.fromEntries(Object.entries(report.quantities).map(([name, { title, unit, figure }]) =>
    [name, { title, unit, ...figures[figure] }])),
  bpb: { title: "Bits a byte", unit: "", text: fixed(4), tick: plain },
  perplexity: { title: "Perplexity", unit: "", text: fixed(2), tick: plain },
  accuracy: { title: "Accuracy", unit: "", text: fixed(4), tick: plain },
  macro_accuracy: { title: "Macro accuracy", unit: "", text: fixed(4), tick: plain },
  standard_error: { title: "Standard error of the quality", unit: "nats a target", text: fixed(4), tick: plain },
  targets: { title: "Targets judged", unit: "", text: whole, tick: short },
  train_standard_error: { title: "Standard error of the training loss", unit: "nats a target", text: fixed(4), tick: plain },
  train_targets: { title: "Targets of the training loss", unit: "", text: whole, tick: short },
  train_loss: { title: "Training loss", unit: "nats a target", text: fixed(4), tick: plain },
  body_params: { title: "Body parameters", unit: "", text: whole, tick: short },
};

// An objective or metric by its name, as on the command line: "latency:decode@4096" is a latency.
function quantity(name) {
  const [kind, variant] = name.split(/:(.*)/s);
  const known = Object.hasOwn(quantities, kind) ? quantities[kind]
    : { title: kind.replaceAll("_", " "), unit: "", text: plain, tick: plain };
  const title = variant ? `${known.title} ${variant}` : known.title;
  return { ...known, title, axis: known.unit ? `${title}, ${known.unit}` : title };
}

const valueText = (genome, name) => {
  const value = metric(genome, name), deviation = report.genomes[genome].deviation[name];
  if (value === null) return missing;
  return quantity(name).text(value) + (deviation > 0 ? ` ± ${quantity(name).text(deviation)}` : "");
};

const count = (n, one, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;
