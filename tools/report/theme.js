// Light, dark, or as the system has it. Colours are named in page.css.
"use strict";

const themes = ["auto", "light", "dark"];
const themeWatchers = [];
const probe = document.body.appendChild(element("span", { hidden: true }));

// What a canvas needs: the colour that a name stands for now.
function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = { auto: "Auto", light: "Light", dark: "Dark" }[theme];
  byId("theme").setAttribute("aria-label", `Colours: ${theme}`);
  for (const redraw of themeWatchers) redraw();
}

function startTheme() {
  byId("theme").addEventListener("click", () => {
    const at = themes.indexOf(document.documentElement.dataset.theme);
    setTheme(themes[(at + 1) % themes.length]);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const redraw of themeWatchers) redraw();
  });
  setTheme("auto");
}
