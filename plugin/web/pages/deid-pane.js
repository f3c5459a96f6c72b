// SPDX-License-Identifier: AGPL-3.0-or-later
// One picture of a pair with boxes over it, in pixels of the stored image.

import { el, place } from "./dom.js";

export class BoxPane {
  // on: choose(index or -1), draw(box), move(index, box); the last one may be called many times.
  constructor(title, className, on) {
    this.on = on;
    this.canvas = el("canvas", { "aria-label": title });
    this.boxes = el("div", { class: "boxes", onpointerdown: (event) => this.down(event) });
    this.stack = el("div", { class: "stack" }, this.canvas, this.boxes);
    this.frame = el("div", { class: "frame" }, this.stack);
    this.note = el("span", { class: "muted" });
    this.figure = el("figure", { class: className }, el("figcaption", {}, title, " ", this.note), this.frame);
    this.size = { rows: 1, columns: 1 };
  }

  show(bitmap, size) {
    this.size = size;
    this.canvas.width = bitmap?.width ?? 1;
    this.canvas.height = bitmap?.height ?? 1;
    if (bitmap) this.canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
    this.fit();
  }

  fit() {
    const { rows, columns } = this.size;
    const scale = Math.min(this.frame.clientWidth / columns, this.frame.clientHeight / rows);
    place(this.stack, { width: `${columns * scale}px`, height: `${rows * scale}px` });
  }

  // kinds: per box "mask" or "detection"; chosen: index of the one that keys move.
  drawBoxes(boxes, chosen) {
    const { rows, columns } = this.size;
    this.boxes.replaceChildren(
      ...boxes.map(({ left, top, width, height, kind }, at) =>
        place(el("div", { class: `box ${kind}${at === chosen ? " chosen" : ""}`, "data-at": String(at) }), {
          left: `${(100 * left) / columns}%`, top: `${(100 * top) / rows}%`,
          width: `${(100 * width) / columns}%`, height: `${(100 * height) / rows}%`,
        }),
      ),
    );
  }

  at(event) {
    const area = this.stack.getBoundingClientRect();
    const clamp = (share) => Math.max(0, Math.min(1, share));
    return [
      Math.round(clamp((event.clientX - area.left) / area.width) * this.size.columns),
      Math.round(clamp((event.clientY - area.top) / area.height) * this.size.rows),
    ];
  }

  down(event) {
    if (event.button) return;
    event.preventDefault();
    const hit = event.target.closest(".box.mask");
    const start = this.at(event);
    const index = hit ? Number(hit.dataset.at) : -1;
    this.on.choose(index);
    const drag = (moved) => {
      const [x, y] = this.at(moved);
      if (hit) this.on.move(index, [x - start[0], y - start[1]]);
      else this.on.draw(between(start, [x, y]));
    };
    const end = () => {
      window.removeEventListener("pointermove", drag);
      this.on.end();
    };
    window.addEventListener("pointermove", drag);
    window.addEventListener("pointerup", end, { once: true });
  }
}

function between([x, y], [u, v]) {
  return {
    left: Math.min(x, u), top: Math.min(y, v),
    width: Math.max(1, Math.abs(u - x)), height: Math.max(1, Math.abs(v - y)),
  };
}
