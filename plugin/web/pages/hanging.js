// SPDX-License-Identifier: AGPL-3.0-or-later
// A study in the boxes of its hanging: current and prior side by side, scrolled together by where
// the slices lie in the patient.

import { el, place } from "./dom.js";
import { address, ask } from "./orthanc.js";
import { NOTHING, stackOf, stackOfInstance } from "./slices.js";

class Box {
  constructor(box) {
    this.box = box;
    this.stack = NOTHING;
    this.index = 0;
    // By how much this series was moved alone: in millimetres, and in slices where it has none.
    this.moved = 0;
    this.skipped = 0;
    this.matched = false;
    this.picture = el("img", { alt: box.shows });
    this.slice = el("p", { class: "slice small" });
    const when = box.prior ? `, ${box.days_before} days before` : "";
    const alike = box.alike.map((trait) => trait.replaceAll("-", " ")).join(", ");
    this.element = el(
      "figure",
      { class: box.prior ? "box prior" : "box" },
      this.picture,
      el("figcaption", { class: "small", title: alike && `Like the current one in ${alike}` }, box.shows, when),
      this.slice,
    );
    at(this.element, box);
  }

  async load() {
    const { instance, series } = this.box;
    this.stack = instance ? await stackOfInstance(instance) : await stackOf(series);
    this.index = Math.floor((this.count - 1) / 2);
  }

  get count() {
    return this.stack.images.length;
  }

  // Where in the patient the slice is, once this series is moved to match the others.
  get height() {
    return this.stack.heights[this.index] - this.moved;
  }

  get extent() {
    const { heights } = this.stack;
    return [heights[0] - this.moved, heights.at(-1) - this.moved];
  }

  get depth() {
    return this.count > 1 ? clamp(this.index - this.skipped, this.count) / (this.count - 1) : 0.5;
  }

  step(by) {
    this.index = clamp(this.index + by, this.count);
  }

  // Moves this series alone: what is shown beside the other one now counts as the same height.
  match(other, by) {
    this.step(by);
    this.skipped = this.index - Math.round(other.depth * (this.count - 1));
    if (!this.stack.parallel(other.stack)) return;
    this.moved = this.stack.heights[this.index] - other.height;
    this.matched = true;
  }

  // Another series of this study was moved: they lie in one space.
  matchWith(other) {
    if (!this.stack.parallel(other.stack)) return;
    this.moved = other.moved;
    this.matched = true;
  }

  follow(leader) {
    if (this === leader || !this.count) return;
    if (this.beside(leader)) this.index = nearest(this.stack.heights, leader.height + this.moved);
    else this.index = clamp(Math.round(leader.depth * (this.count - 1)) + this.skipped, this.count);
  }

  // Whether positions can be compared. Each study has a Frame of Reference of its own: there they
  // are near enough as a rule, and not at all where the series hardly overlap, unless a reader
  // moved them to match.
  beside(leader) {
    if (!this.stack.parallel(leader.stack)) return false;
    if (this.stack.space && this.stack.space === leader.stack.space) return true;
    return this.matched || leader.matched || overlap(this.extent, leader.extent) >= 0.5;
  }

  show(leader) {
    if (!this.count) return;
    this.picture.src = address(this.stack.images[this.index]);
    const number = this.count > 1 ? `${this.index + 1} / ${this.count}` : "";
    const ends = this !== leader && this.beside(leader) && !this.reaches(leader.height);
    this.slice.textContent = ends ? `${number}, has no slice at this height` : number;
  }

  reaches(height) {
    const [from, to] = this.extent;
    const gap = this.count > 1 ? (to - from) / (this.count - 1) : 0;
    return height > from - gap && height < to + gap;
  }
}

const isCurrent = ({ box }) => !box.prior;

const longest = (boxes) => boxes.toSorted((a, b) => b.count - a.count)[0];

const clamp = (index, count) => Math.max(0, Math.min(count - 1, index));

const nearest = (heights, height) =>
  heights.reduce((best, one, at) => (Math.abs(one - height) < Math.abs(heights[best] - height) ? at : best), 0);

// The part of the shorter one that both have.
function overlap([a, b], [c, d]) {
  const shorter = Math.min(b - a, d - c);
  return shorter > 0 ? (Math.min(b, d) - Math.max(a, c)) / shorter : 0;
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
const MOVES = { "]": 1, "[": -1 };

export class HangingView {
  constructor(main, study) {
    this.main = main;
    this.study = study;
    this.boxes = [];
    this.leader = null;
    this.grid = el("div", { class: "boxes", onwheel: (event) => this.onWheel(event) });
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
      el(
        "span",
        { class: "muted" },
        "Wheel or arrow keys: current and prior together. Wheel with Shift, or [ and ]: the prior alone",
      ),
      el("a", { href: `#study=${encodeURIComponent(this.study)}` }, "Findings"),
    );
    this.main.replaceChildren(el("section", { class: "hanging" }, head, this.grid));
    await Promise.all(this.boxes.map((box) => box.load()));
    const stacks = this.boxes.filter((box) => box.count > 1);
    this.leader = longest(stacks.filter(isCurrent)) ?? longest(stacks) ?? this.boxes[0];
    this.draw();
  }

  draw() {
    if (!this.leader) return;
    for (const box of this.boxes) {
      box.follow(this.leader);
      box.show(this.leader);
    }
  }

  scroll(step) {
    this.leader?.step(step);
    this.draw();
  }

  // One box against the one that leads, and with it its study.
  move(box, step) {
    const others = this.boxes.filter((one) => one !== box && one.count > 1);
    const other = this.leader === box ? longest(others.filter(isCurrent)) ?? longest(others) : this.leader;
    if (!box || !other) return;
    this.leader = other;
    box.match(other, step);
    if (box.box.study !== other.box.study) {
      for (const one of others) if (one.box.study === box.box.study) one.matchWith(box);
    }
    this.draw();
  }

  onWheel(event) {
    const box = this.boxes.find((one) => one.element.contains(event.target) && one.count > 1);
    // With Shift browsers scroll sideways.
    const step = Math.sign(event.deltaY || event.deltaX);
    if (event.shiftKey) {
      this.move(box, step);
      return;
    }
    this.leader = box ?? this.leader;
    this.scroll(step);
  }

  onKey(key) {
    if (key === "Escape") location.hash = `#study=${encodeURIComponent(this.study)}`;
    else if (key in STEPS) this.scroll(STEPS[key]);
    else if (key in MOVES) this.move(longest(this.boxes.filter((box) => !isCurrent(box))), MOVES[key]);
    else return false;
    return true;
  }

  close() {}
}
