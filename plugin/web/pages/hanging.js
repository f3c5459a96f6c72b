// SPDX-License-Identifier: AGPL-3.0-or-later
// A study in the boxes of its hanging: current and prior side by side, scrolled together.

import { el, place } from "./dom.js";
import { address, ask } from "./orthanc.js";
import { stackOf, stackOfInstance } from "./slices.js";

class Box {
  constructor(box) {
    this.box = box;
    this.images = [];
    this.picture = el("img", { alt: box.shows });
    this.slice = el("p", { class: "slice small" });
    const when = box.prior ? `, ${box.days_before} days before` : "";
    this.element = el(
      "figure",
      { class: box.prior ? "box prior" : "box" },
      this.picture,
      el("figcaption", { class: "small" }, box.shows, when),
      this.slice,
    );
    at(this.element, box);
  }

  async load(depth) {
    const { instance, series } = this.box;
    this.images = (instance ? await stackOfInstance(instance) : await stackOf(series)).images;
    this.show(depth);
  }

  // Series of different lengths stay at the same height: `depth` goes from 0 to 1.
  show(depth) {
    if (!this.images.length) return;
    const number = Math.round(depth * (this.images.length - 1));
    this.picture.src = address(this.images[number]);
    this.slice.textContent = this.images.length > 1 ? `${number + 1} / ${this.images.length}` : "";
  }
}

function at(element, { row, column }) {
  place(element, { "grid-row": String(row), "grid-column": String(column) });
}

function empty(box) {
  const why = box.prior ? "No prior of this kind" : "Nothing of this kind";
  const element = el("div", { class: "box empty" }, `${why}: ${box.shows}`);
  at(element, box);
  return element;
}

const STEPS = { ArrowDown: 1, j: 1, PageDown: 10, ArrowUp: -1, k: -1, PageUp: -10 };

export class HangingView {
  constructor(main, study) {
    this.main = main;
    this.study = study;
    this.depth = 0.5;
    this.boxes = [];
    this.grid = el("div", { class: "boxes", onwheel: (event) => this.scroll(Math.sign(event.deltaY)) });
  }

  async start() {
    const { content } = await ask(`/studies/${encodeURIComponent(this.study)}/sidelight/hanging`);
    this.boxes = content.boxes.filter((box) => box.series).map((box) => new Box(box));
    place(this.grid, {
      "grid-template-columns": `repeat(${content.columns}, minmax(0, 1fr))`,
      "grid-template-rows": `repeat(${content.rows}, minmax(0, 1fr))`,
    });
    this.grid.append(...this.boxes.map((box) => box.element));
    this.grid.append(...content.boxes.filter((box) => !box.series).map(empty));
    const head = el(
      "p",
      { class: "hanging-head small" },
      el("span", { role: "status" }, content.description),
      el("span", { class: "spring" }),
      el("span", { class: "muted" }, "Wheel or arrow keys: through the slices of current and prior together"),
      el("a", { href: `#study=${encodeURIComponent(this.study)}` }, "Findings"),
    );
    this.main.replaceChildren(el("section", { class: "hanging" }, head, this.grid));
    await Promise.all(this.boxes.map((box) => box.load(this.depth)));
  }

  scroll(step) {
    const longest = Math.max(2, ...this.boxes.map((box) => box.images.length));
    this.depth = Math.min(1, Math.max(0, this.depth + step / (longest - 1)));
    for (const box of this.boxes) box.show(this.depth);
  }

  onKey(key) {
    if (key === "Escape") location.hash = `#study=${encodeURIComponent(this.study)}`;
    else if (key in STEPS) this.scroll(STEPS[key]);
    else return false;
    return true;
  }

  close() {}
}
