// Every setting of the run, as its file has it.
"use strict";

function settingText(value) {
  if (value === "" || value === null || (typeof value === "object" && Object.keys(value).length === 0)) return missing;
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value === "object") return Object.entries(value).map(([name, v]) => `${name} = ${v}`).join(", ");
  return `${value}`;
}

function startSettings() {
  const entries = Object.entries(report.settings).map(([name, value]) => [name.replaceAll("_", " "), value]);
  for (const [name, value] of Object.entries(report.reference))
    entries.push([`reference ${name}`, value]);
  byId("settings-list").replaceChildren(...entries.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, settingText(value)))));
}
