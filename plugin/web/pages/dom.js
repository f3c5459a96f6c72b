// SPDX-License-Identifier: AGPL-3.0-or-later
// Building the page from data. Text only ever becomes text nodes, never markup.

export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key === "value" || key === "checked") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// Widths and positions are data; the page's policy allows them through the object model only.
export function place(element, properties) {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
  return element;
}

export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

export const OUTCOMES = {
  "in-progress": "In progress",
  queued: "Queued",
  running: "Running",
  findings: "Findings",
  "no-findings": "No findings",
  abstained: "Abstained",
  refused: "Refused",
  failed: "Failed",
  "no-application": "No application",
  "own-object": "Own object",
  "not-an-image": "Not an image",
};

export const PRIORITIES = ["Low", "Routine", "Urgent", "Time-critical"];

export function chip(outcome, count = 1) {
  const label = OUTCOMES[outcome] ?? outcome;
  return el("span", { class: `chip ${outcome}` }, count > 1 ? `${label} \u00d7${count}` : label);
}

// A study that no model has judged is not of low priority: nobody knows yet.
export function priorityMark({ priority, judged }) {
  if (!judged) return el("span", { class: "priority unrated" }, "Not rated");
  return el("span", { class: `priority p${priority}` }, PRIORITIES[priority]);
}

export const judged = (outcome) => outcome === "findings" || outcome === "no-findings";

export function percent(probability) {
  // Never a certainty that the model did not give.
  if (probability > 0.995 && probability < 1) return "> 99 %";
  if (probability < 0.005 && probability > 0) return "< 1 %";
  return `${Math.round(probability * 100)} %`;
}

// PS3.5 section 6.2, value representations PN, DA.
export function personName(value) {
  const [family = "", given = "", middle = "", prefix = "", suffix = ""] = (value ?? "")
    .split("=")[0]
    .split("^")
    .map((part) => part.trim());
  const first = [prefix, given, middle].filter(Boolean).join(" ");
  return [family, first, suffix].filter(Boolean).join(", ") || "\u2014";
}

export function dicomDate(value) {
  const parts = /^(\d{4})(\d{2})(\d{2})$/.exec(value ?? "");
  return parts ? `${parts[1]}-${parts[2]}-${parts[3]}` : (value ?? "");
}

export function moment(value) {
  const time = new Date(value);
  if (!value || Number.isNaN(time.getTime())) return "";
  const two = (number) => String(number).padStart(2, "0");
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

export function words(value) {
  const text = String(value ?? "").replaceAll("-", " ").replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// A bar for a probability with a tick where the finding starts to count as present.
export function probabilityBar(item) {
  const fill = place(el("span", { class: "fill" }), { width: `${item.probability * 100}%` });
  const tick = place(el("span", { class: "tick" }), { left: `${item.threshold * 100}%` });
  const state = item.present ? `present s${item.severity}` : "absent";
  return el("span", { class: `meter ${state}`, "aria-hidden": "true" }, fill, tick);
}

export function notice(kind, title, ...text) {
  return el(
    "div",
    { class: `notice ${kind}`, role: kind === "error" ? "alert" : "status" },
    el("h2", {}, title),
    ...text.map((line) => el("p", {}, line)),
  );
}
