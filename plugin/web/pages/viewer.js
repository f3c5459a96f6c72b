// SPDX-License-Identifier: AGPL-3.0-or-later
// The original and the heat map side by side, with one crosshair over both.

import { el, percent, place } from "./dom.js";
import { address, ask } from "./orthanc.js";

const WIDTH_STEP = 256;

export class Viewer {
  constructor() {
    this.look = { overlay: true, opacity: 0.6, smooth: true, level: 0 };
    this.original = pane("Original");
    this.found = pane("Heat map");
    this.map = el("img", { class: "map", alt: "" });
    this.found.stack.append(this.map);
    this.panes = [this.original, this.found];
    this.readout = el("output", { class: "readout" });
    this.element = el("div", { class: "panes" }, this.original.figure, this.found.figure);
    this.observer = new ResizeObserver(() => this.fit());
    for (const { frame, stack } of this.panes) {
      this.observer.observe(frame);
      stack.addEventListener("pointermove", (event) => this.point(event, stack));
      stack.addEventListener("pointerleave", () => this.point(null));
    }
    this.original.image.addEventListener("load", () => this.fit());
  }

  close() {
    this.observer.disconnect();
  }

  showImage(instance) {
    if (this.instance === instance) return;
    this.instance = instance;
    this.index = null;
    for (const { image } of this.panes) image.src = address(`/instances/${instance}/rendered`);
    this.original.image.alt = "The scan, windowed as Orthanc shows it";
  }

  // The second pane says in words why there is no heat map.
  showMessage(element) {
    this.index = this.finding = this.matrix = null;
    this.map.hidden = true;
    this.found.caption.textContent = "Result";
    this.found.message.replaceChildren(element);
    this.found.frame.classList.add("says");
  }

  showFinding(index, finding) {
    this.found.frame.classList.remove("says");
    this.found.message.replaceChildren();
    if (!finding.levels.includes(this.look.level)) this.look.level = finding.levels[0];
    this.index = index;
    this.finding = finding;
    this.found.caption.replaceChildren(
      el("strong", {}, finding.name),
      percent(finding.probability),
      this.readout,
    );
    this.found.image.alt = `The scan with the heat map of ${finding.name}`;
    this.fit();
    this.draw();
  }

  draw() {
    const { overlay, opacity, smooth, level } = this.look;
    this.map.hidden = !overlay || !this.finding;
    place(this.map, { opacity: String(opacity) });
    if (!this.finding) return;
    const query = new URLSearchParams({ opacity: 1, smooth, level, width: this.width() });
    const source = address(`${this.finding.links.image}?${query}`);
    if (this.map.getAttribute("src") !== source) this.map.src = source;
    this.loadMatrix(`${this.finding.links.matrix}?level=${level}`);
  }

  // As wide as it is shown, in steps, so that resizing the window does not ask each time.
  width() {
    const shown = this.found.stack.clientWidth * window.devicePixelRatio;
    const stepped = Math.ceil(Math.max(shown, 1) / WIDTH_STEP) * WIDTH_STEP;
    return Math.max(16, Math.min(stepped, this.index.columns));
  }

  async loadMatrix(path) {
    if (this.matrixPath === path) return;
    this.matrixPath = path;
    this.matrix = null;
    try {
      const { content } = await ask(path);
      if (this.matrixPath === path) this.matrix = content;
    } catch {
      // The picture is there all the same; only the number under the pointer is missing.
      this.matrixPath = "";
    }
  }

  fit() {
    const { naturalWidth, naturalHeight } = this.original.image;
    const columns = this.index?.columns ?? naturalWidth;
    const rows = this.index?.rows ?? naturalHeight;
    if (!columns || !rows) return;
    for (const { frame, stack } of this.panes) {
      const scale = Math.min(frame.clientWidth / columns, frame.clientHeight / rows);
      place(stack, {
        width: `${Math.floor(columns * scale)}px`,
        height: `${Math.floor(rows * scale)}px`,
      });
    }
  }

  point(event, stack) {
    if (!event) {
      for (const { cross } of this.panes) cross.hidden = true;
      this.readout.textContent = "";
      return;
    }
    const box = stack.getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width;
    const down = (event.clientY - box.top) / box.height;
    for (const { cross } of this.panes) {
      cross.hidden = false;
      place(cross, { "--x": `${across * 100}%`, "--y": `${down * 100}%` });
    }
    const value = this.probabilityAt(across, down);
    this.readout.textContent = value === null ? "" : `Patch ${percent(value)}`;
  }

  probabilityAt(across, down) {
    if (!this.matrix || !this.index) return null;
    const { extent, rows, columns, values } = this.matrix;
    const x = (across * this.index.columns - extent.left) / (extent.right - extent.left);
    const y = (down * this.index.rows - extent.top) / (extent.bottom - extent.top);
    return values[Math.floor(y * rows)]?.[Math.floor(x * columns)] ?? null;
  }
}

function pane(title) {
  const image = el("img", { class: "scan", alt: "", draggable: "false" });
  const cross = el("span", { class: "cross", "aria-hidden": "true", hidden: true });
  const stack = el("div", { class: "stack" }, image, cross);
  const message = el("div", { class: "message" });
  const frame = el("div", { class: "frame" }, stack, message);
  const caption = el("figcaption", {}, title);
  return { image, cross, stack, message, frame, caption, figure: el("figure", {}, caption, frame) };
}
