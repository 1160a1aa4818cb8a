// Elements with attributes and children. Strings become text, never markup: what the report quotes
// may come from anywhere.
"use strict";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null));
  return node;
}

const element = (name, attributes = {}, ...children) =>
  fill(document.createElement(name), attributes, children);

const drawing = (name, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

const byId = (id) => document.getElementById(id);

// A row of buttons of which one is pressed; `choose` is told its value.
function choice(place, options, chosen, choose) {
  const buttons = options.map(([value, label]) => element("button", {
    type: "button",
    onclick() {
      for (const button of buttons) button.setAttribute("aria-pressed", button === this);
      choose(value);
    },
  }, label));
  for (const [i, button] of buttons.entries())
    button.setAttribute("aria-pressed", options[i][0] === chosen);
  place.replaceChildren(...buttons);
}

// Marks of a legend: a shape of page.css with its meaning.
function legend(place, entries) {
  place.replaceChildren(...entries.map(([shape, meaning]) =>
    element("span", {}, element("i", { class: `mark ${shape}` }), meaning)));
}
