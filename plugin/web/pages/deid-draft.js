// SPDX-License-Identifier: AGPL-3.0-or-later
// What a reviewer changes of one image before it is de-identified again.

const STEP = 1 / 100;
const NEW_BOX = 1 / 5;

export class Draft {
  constructor(detail) {
    this.detail = detail;
    this.boxes = detail.draft.boxes && detail.draft.boxes.map((box) => ({ ...box }));
    this.redact = new Set(detail.draft.redact);
    this.keep = new Set(detail.draft.keep);
    this.terms = new Map();
    this.chosen = -1;
    this.saved = this.words();
  }

  words() {
    return JSON.stringify(this.body());
  }

  get dirty() {
    return this.words() !== this.saved;
  }

  body() {
    const list = (set) => [...set].sort();
    return {
      boxes: this.boxes, redact: list(this.redact), keep: list(this.keep),
      terms: [...this.terms.values()],
    };
  }

  // Masks first, so that their places are those of the draft.
  shown() {
    const masks = (this.boxes ?? []).map((box) => ({ ...box, kind: "mask" }));
    const found = this.detail.detections.filter(
      (box) => !masks.some((mask) => mask.left === box.left && mask.top === box.top && mask.width === box.width),
    );
    return [...masks, ...found.map((box) => ({ ...box, kind: "detection" }))];
  }

  add(box) {
    const { rows, columns } = this.detail;
    const middle = {
      left: Math.round((columns * (1 - NEW_BOX)) / 2), top: Math.round((rows * (1 - NEW_BOX)) / 2),
      width: Math.max(1, Math.round(columns * NEW_BOX)), height: Math.max(1, Math.round((rows * NEW_BOX) / 2)),
    };
    this.boxes = [...(this.boxes ?? []), this.fitted(box ?? middle)];
    this.chosen = this.boxes.length - 1;
  }

  set(at, box) {
    this.boxes[at] = this.fitted(box);
  }

  remove() {
    if (this.chosen < 0) return;
    this.boxes.splice(this.chosen, 1);
    this.chosen = Math.min(this.chosen, this.boxes.length - 1);
  }

  takeDetections() {
    this.boxes = this.detail.detections.map((box) => ({ ...box }));
    this.chosen = -1;
  }

  choose(step) {
    const count = this.boxes?.length ?? 0;
    if (count) this.chosen = (this.chosen + step + count) % count;
  }

  // By a hundredth of the picture: moved, or with `larger` resized.
  nudge([across, down], larger) {
    const { rows, columns } = this.detail;
    const [x, y] = [across * Math.max(1, Math.round(columns * STEP)), down * Math.max(1, Math.round(rows * STEP))];
    const box = { ...this.boxes[this.chosen] };
    if (larger) Object.assign(box, { width: Math.max(1, box.width + x), height: Math.max(1, box.height + y) });
    else Object.assign(box, { left: box.left + x, top: box.top + y });
    this.set(this.chosen, box);
  }

  fitted(box) {
    const { rows, columns } = this.detail;
    const within = (value, least, most) => Math.max(least, Math.min(most, Math.round(value)));
    const width = within(box.width, 1, columns);
    const height = within(box.height, 1, rows);
    return { left: within(box.left, 0, columns - width), top: within(box.top, 0, rows - height), width, height };
  }

  // Redacts or keeps an element; each undoes the other.
  toggle(kind, path) {
    const [set, other] = kind === "redact" ? [this.redact, this.keep] : [this.keep, this.redact];
    other.delete(path);
    if (!set.delete(path)) set.add(path);
  }

  toggleTerm(term, list) {
    const key = `${list} ${term.toLowerCase()}`;
    if (!this.terms.delete(key)) this.terms.set(key, { term, list });
  }

  hasTerm(term, list) {
    return this.terms.has(`${list} ${term.toLowerCase()}`);
  }
}
