// SPDX-License-Identifier: AGPL-3.0-or-later
// One picture of the image: grey values below, a heat map over them, lines on top.

import { el, place } from "./dom.js";
import { paint } from "./painter.js";
import { paintGrey } from "./pixels.js";

const COARSE = 4;
const ENOUGH_PER_PATCH = 12;
const LEAST_SMOOTHING = 0.5;

export class Pane {
  constructor(title, className = "") {
    this.scan = el("canvas", { class: "scan", role: "img", "aria-label": title });
    this.map = el("canvas", { class: "map", "aria-hidden": "true", hidden: true });
    this.lines = el("canvas", { class: "lines", "aria-hidden": "true" });
    this.cross = el("span", { class: "cross", "aria-hidden": "true", hidden: true });
    this.stack = el("div", { class: "stack" }, this.scan, this.map, this.lines, this.cross);
    this.message = el("div", { class: "message" });
    this.frame = el("div", { class: "frame" }, this.stack, this.message);
    this.caption = el("figcaption", {}, title);
    this.figure = el("figure", { class: className }, this.caption, this.frame);
    this.buffer = document.createElement("canvas");
  }

  // Fits the whole image into the frame; true when the size in device pixels has changed.
  fit(rows, columns, room = this.room()) {
    const scale = Math.min(room.width / columns, room.height / rows);
    const [width, height] = [columns * scale, rows * scale].map(Math.floor);
    if (width < 1 || height < 1) return false;
    place(this.stack, { width: `${width}px`, height: `${height}px` });
    const ratio = window.devicePixelRatio;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.scan.width === across && this.scan.height === down) return false;
    for (const canvas of [this.scan, this.lines]) {
      canvas.width = across;
      canvas.height = down;
    }
    return true;
  }

  room() {
    return { width: this.frame.clientWidth, height: this.frame.clientHeight };
  }

  // Only what has changed is drawn: another heat map leaves the image below as it is.
  drawScan(source, view) {
    if (!source || !this.scan.width || this.isDrawn(source, view)) return;
    const context = this.scan.getContext("2d", { alpha: false });
    if (source.pixels) this.drawGrey(context, source, view);
    else if (source.picture) this.drawPicture(context, source, view);
  }

  isDrawn(source, view) {
    const now = [
      source.pixels ?? source.picture, source.table, this.scan.width, this.scan.height,
      view.left, view.top, view.width,
    ];
    const same = this.drawn?.every((part, at) => part === now[at]) ?? false;
    this.drawn = now;
    return same;
  }

  drawGrey(context, { pixels, table }, view) {
    const level = pixels.levelFor(view.width, this.scan.width);
    const [across, down] = [level.columns / pixels.columns, level.rows / pixels.rows];
    const left = Math.max(0, Math.floor(view.left * across) - 1);
    const top = Math.max(0, Math.floor(view.top * down) - 1);
    const right = Math.min(level.columns, Math.ceil((view.left + view.width) * across) + 1);
    const bottom = Math.min(level.rows, Math.ceil((view.top + view.height) * down) + 1);
    const [width, height] = [right - left, bottom - top];
    if (width < 1 || height < 1) return;
    if (this.buffer.width !== width || this.buffer.height !== height) {
      this.buffer.width = width;
      this.buffer.height = height;
    }
    const inner = this.buffer.getContext("2d", { alpha: false });
    const image = inner.createImageData(width, height);
    paintGrey(level, table, { left, top, width, height }, image);
    inner.putImageData(image, 0, 0);
    const from = [view.left * across - left, view.top * down - top, view.width * across, view.height * down];
    this.copy(context, this.buffer, from);
  }

  drawPicture(context, { picture, rows, columns }, view) {
    const [across, down] = [picture.naturalWidth / columns, picture.naturalHeight / rows];
    this.copy(context, picture, [view.left * across, view.top * down, view.width * across, view.height * down]);
  }

  copy(context, source, from) {
    // Large pixels are shown as what they are; small ones are averaged.
    context.imageSmoothingEnabled = this.scan.width / from[2] < COARSE;
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.scan.width, this.scan.height);
    context.drawImage(source, ...from, 0, 0, this.scan.width, this.scan.height);
  }

  drawMap(layers, view, imageSize, { shown, opacity }) {
    this.map.hidden = !shown || !layers.length;
    place(this.map, { opacity: String(opacity) });
    if (this.map.hidden || !this.scan.width) return;
    const coarser = this.coarserBy(layers, view);
    const [width, height] = [this.scan.width, this.scan.height].map((full) => Math.ceil(full / coarser));
    if (this.map.width !== width || this.map.height !== height) Object.assign(this.map, { width, height });
    const context = this.map.getContext("2d");
    if (this.image?.width !== this.map.width || this.image?.height !== this.map.height) {
      this.image = context.createImageData(this.map.width, this.map.height);
    }
    paint(this.image, view, imageSize, layers);
    context.putImageData(this.image, 0, 0);
  }

  // A smooth map varies little within a patch: some pixels for each are enough, and the browser
  // interpolates between them. Patches as they are keep their sharp borders.
  coarserBy(layers, view) {
    const perPatch = layers.map(({ extent, matrix, smoothing }) => {
      const patch = (extent.right - extent.left) / matrix.columns;
      return smoothing < LEAST_SMOOTHING ? 0 : (this.scan.width / view.width) * patch;
    });
    return Math.max(1, Math.floor(Math.min(...perPatch) / ENOUGH_PER_PATCH));
  }

  // Boxes and polylines in image pixels: { box | outline, colour, dash, fill }.
  drawLines(shapes, view) {
    const context = this.lines.getContext("2d");
    const { width, height } = this.lines;
    context.clearRect(0, 0, width, height);
    const scale = width / view.width;
    const at = ([x, y]) => [(x - view.left) * scale, (y - view.top) * scale];
    for (const shape of shapes) {
      context.beginPath();
      const points = shape.outline ?? corners(shape.box);
      points.forEach((point, number) => context[number ? "lineTo" : "moveTo"](...at(point)));
      context.closePath();
      if (shape.fill) {
        context.fillStyle = shape.fill;
        context.fill();
      }
      context.setLineDash(shape.dash ?? []);
      for (const [colour, thickness] of [["#000c", 3], [shape.colour, 1.5]]) {
        context.strokeStyle = colour;
        context.lineWidth = thickness * window.devicePixelRatio;
        context.stroke();
      }
    }
  }

  say(element) {
    this.message.replaceChildren(...(element ? [element] : []));
    this.frame.classList.toggle("says", Boolean(element));
  }

  // Shares of width and height under a pointer.
  under(event) {
    const box = this.stack.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  showCross(across, down) {
    this.cross.hidden = across === null;
    if (across !== null) place(this.cross, { "--x": `${across * 100}%`, "--y": `${down * 100}%` });
  }
}

function corners({ left, top, width, height }) {
  return [[left, top], [left + width, top], [left + width, top + height], [left, top + height]];
}
