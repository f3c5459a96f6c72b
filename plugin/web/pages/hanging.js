// SPDX-License-Identifier: AGPL-3.0-or-later
// A study in the boxes of its hanging: current and prior side by side, scrolled together.

import { el, notice, place } from "./dom.js";
import { address, ask } from "./orthanc.js";

const main = document.getElementById("main");

// Where in a series one is, from 0 to 1: series of different lengths stay at the same height.
let depth = 0.5;
let boxes = [];

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

  async load() {
    if (this.box.instance) {
      this.images = [`/instances/${this.box.instance}/rendered`];
    } else {
      this.images = await slicesOf(this.box.series);
    }
    this.show();
  }

  show() {
    if (!this.images.length) return;
    const number = Math.round(depth * (this.images.length - 1));
    this.picture.src = address(this.images[number]);
    this.slice.textContent = this.images.length > 1 ? `${number + 1} / ${this.images.length}` : "";
  }
}

// Orthanc's order along the normal of the planes; a series without one keeps its own.
async function slicesOf(series) {
  try {
    const { content } = await ask(`/series/${series}/ordered-slices`);
    return content.Slices.map((frame) => `${frame}/rendered`);
  } catch {
    const { content } = await ask(`/series/${series}`);
    return content.Instances.map((instance) => `/instances/${instance}/rendered`);
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

function scroll(step) {
  const longest = Math.max(2, ...boxes.map((box) => box.images.length));
  depth = Math.min(1, Math.max(0, depth + step / (longest - 1)));
  for (const box of boxes) box.show();
}

async function start() {
  const study = new URLSearchParams(location.hash.slice(1)).get("study") ?? "";
  document.getElementById("back").href = `index.html#study=${encodeURIComponent(study)}`;
  main.replaceChildren(el("p", { class: "loading" }, "Loading\u2026"));
  try {
    const { content } = await ask(`/studies/${encodeURIComponent(study)}/sidelight/hanging`);
    document.getElementById("title").textContent = content.description;
    const filled = content.boxes.filter((box) => box.series);
    boxes = filled.map((box) => new Box(box));
    const grid = el("div", { class: "boxes" });
    place(grid, {
      "grid-template-columns": `repeat(${content.columns}, minmax(0, 1fr))`,
      "grid-template-rows": `repeat(${content.rows}, minmax(0, 1fr))`,
    });
    grid.append(...boxes.map((box) => box.element));
    grid.append(...content.boxes.filter((box) => !box.series).map(empty));
    main.replaceChildren(grid);
    await Promise.all(boxes.map((box) => box.load()));
  } catch (error) {
    main.replaceChildren(notice("error", "This study can't be hung", error.message));
  }
}

main.addEventListener("wheel", (event) => scroll(Math.sign(event.deltaY)), { passive: true });
document.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "PageDown") scroll(event.key === "PageDown" ? 10 : 1);
  if (event.key === "ArrowUp" || event.key === "PageUp") scroll(event.key === "PageUp" ? -10 : -1);
});
window.addEventListener("hashchange", start);
start();
