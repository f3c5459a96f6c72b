// SPDX-License-Identifier: AGPL-3.0-or-later
// How heat maps are drawn and ordered: every option in reach of the pointer and of a key.

import { el, percent, place } from "./dom.js";

const ORDERS = [["probability", "Probability"], ["severity", "Severity"], ["preference", "Site preference"]];

export class Options {
  // on.look(change), on.order(order), on.subset(threshold), on.present(only), on.version(version)
  constructor(look, on) {
    this.overlay = toggle("Overlay", "o", (value) => on.look({ overlay: value }));
    this.smooth = toggle("Smooth", "s", (value) => on.look({ smooth: value }));
    this.saliency = toggle("Binary", "f", (value) => on.look({ style: value ? "saliency" : "probability" }));
    this.masked = toggle("Mask", "m", (value) => on.look({ masked: value }));
    this.contours = toggle("Contours", "g", (value) => on.look({ contours: value }));
    this.table = toggle("Table", "t", (value) => on.look({ table: value }));
    this.opacity = slider("opacity", "Opacity", (value) => on.look({ opacity: value / 100 }));
    this.strength = slider("strength", "Smoothing", (value) => on.look({ smooth: value > 0, strength: value / 100 }));
    this.subset = slider("subset", "From", (value) => on.subset(value / 100));
    this.present = toggle("Present only", "b", (value) => on.present(value));
    this.level = el("select", { id: "level", onchange: (event) => on.look({ level: Number(event.target.value) }) });
    this.order = el(
      "select", { id: "order", onchange: (event) => on.order(event.target.value) },
      ORDERS.map(([value, name]) => el("option", { value }, name)),
    );
    this.version = el("select", { id: "version", onchange: (event) => on.version(event.target.value) });
    this.versionRow = el("label", { for: "version", hidden: true }, "Version ", this.version);
    this.warning = el("p", { class: "warning", role: "status", hidden: true });
    this.element = el(
      "section",
      { class: "card options", "aria-label": "Options" },
      el("h2", {}, "Options"),
      this.versionRow,
      el("div", { class: "toggles" }, ...[this.overlay, this.smooth, this.saliency, this.masked, this.contours, this.table].map((one) => one.element)),
      this.opacity.element,
      this.strength.element,
      el("label", { for: "level" }, el("span", {}, "Level ", el("kbd", {}, "l")), this.level),
      el("label", { for: "order" }, el("span", {}, "Order ", el("kbd", {}, "a")), this.order),
      this.subset.element,
      el("div", { class: "toggles" }, this.present.element),
      this.warning,
      legend(),
    );
  }

  // finding: the chosen one; versions: [value, name]; warnings: masks that could not be found.
  draw({ look, finding, order, subset, present, versions, version, warnings }) {
    this.overlay.set(look.overlay);
    this.smooth.set(look.smooth);
    this.saliency.set(look.style === "saliency");
    this.masked.set(look.masked);
    this.masked.element.title = finding ? `Colour only in the region: ${finding.region}` : "";
    this.contours.set(look.contours);
    this.table.set(look.table);
    this.opacity.set(look.opacity);
    this.strength.set(look.smooth ? look.strength ?? finding?.smoothing ?? 1 : 0);
    this.subset.set(subset);
    this.present.set(present);
    this.order.value = order;
    this.warning.hidden = !(look.masked && warnings.length);
    this.warning.textContent = warnings.join("; ");
    this.versionRow.hidden = versions.length < 2;
    choices(this.version, versions, version);
    if (finding) choices(this.level, finding.levels.map((size) => [size, `${size} \u00d7 ${size}`]), look.level);
  }
}

function choices(select, values, chosen) {
  select.replaceChildren(...values.map(([value, name]) => el("option", { value }, name)));
  select.value = String(chosen);
}

function toggle(label, key, change) {
  const element = el(
    "button",
    {
      type: "button",
      class: "toggle",
      "aria-pressed": "false",
      onclick: () => change(element.getAttribute("aria-pressed") !== "true"),
    },
    label,
    el("kbd", {}, key),
  );
  return { element, set: (now) => element.setAttribute("aria-pressed", String(now)) };
}

function slider(id, name, change) {
  const input = el("input", {
    type: "range", min: 0, max: 100, step: 5, id, oninput: (event) => change(Number(event.target.value)),
  });
  const shown = el("output", { for: id });
  const element = el("label", { class: "slider", for: id }, el("span", {}, name), input, shown);
  const set = (share) => {
    input.value = Math.round(share * 100);
    shown.textContent = percent(share);
  };
  return { element, set };
}

function legend() {
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((at) =>
    place(el("span", { class: "legend-tick" }, String(at)), { left: `${at * 100}%` }));
  return el(
    "div", { class: "legend", role: "img", "aria-label": "Colours from probability 0 to 1" },
    el("span", { class: "ramp" }), el("span", { class: "legend-ticks" }, ticks),
  );
}
