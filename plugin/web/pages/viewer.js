// SPDX-License-Identifier: AGPL-3.0-or-later
// The original and the heat map side by side: same size, same place, one crosshair over both.

import { el, percent } from "./dom.js";
import { HeatMapTable } from "./table.js";
import { patchAt, patchBox } from "./painter.js";
import { Pane } from "./pane.js";
import { greyOf, loadPixels } from "./pixels.js";
import { address, ask } from "./orthanc.js";
import { Gestures } from "./gestures.js";

const CLOSE_UP = 8;
const PATCH_COLOUR = "#9fe0ff";
const FIRST_WIDTH = 512;

export class Viewer {
  // on: changed() after the look changed here, patch(patch, event) when one is clicked in a review,
  // choose(key) when a thumbnail of the table is.
  constructor(on) {
    this.on = on;
    this.look = {
      overlay: true, opacity: 0.6, smooth: true, strength: null, level: 0,
      style: "probability", masked: false, contours: false, table: false,
    };
    this.original = new Pane("Original");
    this.found = new Pane("Heat map", "found");
    this.panes = [this.original, this.found];
    this.table = new HeatMapTable((key) => on.choose(key));
    this.readout = el("output", { class: "readout" });
    this.value = el("output", { class: "value" });
    this.original.caption.append(this.value);
    this.element = el("div", { class: "panes" }, this.original.figure, this.found.figure);
    this.found.frame.append(this.table.element);
    this.observer = new ResizeObserver(() => this.fit());
    for (const pane of this.panes) {
      this.observer.observe(pane.frame);
      new Gestures(pane, {
        point: (at) => this.point(at, pane),
        window: (by) => this.changeWindow(by),
        pan: (by) => this.pan(by),
        zoom: (factor, at) => this.zoom(factor, at),
        click: (at) => this.click(at, pane),
        reset: () => this.resetView(),
      });
    }
    this.keys = [];
    this.marks = [];
  }

  close() {
    this.observer.disconnect();
    this.loading?.abort();
  }

  // -- the image ---------------------------------------------------------------------------------

  async showImage(instance) {
    if (this.instance === instance) return;
    this.loading?.abort();
    this.loading = new AbortController();
    const { signal } = this.loading;
    Object.assign(this, { instance, maps: null, source: null, window: null, picked: null, closeUp: null });
    this.original.scan.setAttribute("aria-label", "The scan as it is");
    this.value.textContent = "";
    this.firstPicture(instance);
    try {
      const { content: display } = await ask(`/instances/${instance}/sidelight/display`, { signal });
      const pixels = await loadPixels(display, signal);
      if (this.instance !== instance) return;
      if (pixels) this.showPixels(pixels);
      else this.lastPicture(instance);
    } catch (error) {
      if (error.name !== "AbortError" && this.instance === instance) this.lastPicture(instance);
    }
  }

  showPixels(pixels) {
    this.source = { pixels, rows: pixels.rows, columns: pixels.columns };
    this.setWindow(pixels.defaultWindow());
    this.fit(true);
  }

  // Small and at once; the pixel values themselves follow.
  firstPicture(instance) {
    this.loadPicture(instance, `?width=${FIRST_WIDTH}`, () => !this.source);
  }

  // Colour, or what Orthanc can't give the values of: as Orthanc renders it.
  lastPicture(instance) {
    this.loadPicture(instance, "", () => !this.source?.pixels);
  }

  loadPicture(instance, query, still) {
    const picture = new Image();
    picture.onload = () => {
      if (this.instance !== instance || !still()) return;
      const { rows, columns } = this.maps?.imageSize
        ?? { rows: picture.naturalHeight, columns: picture.naturalWidth };
      this.source = { picture, rows, columns };
      this.fit(true);
    };
    picture.src = address(`/instances/${instance}/rendered${query}`);
  }

  get size() {
    const { rows, columns } = this.maps?.imageSize ?? this.source ?? { rows: 0, columns: 0 };
    return { rows, columns };
  }

  fit(anew = false) {
    const { rows, columns } = this.size;
    if (!rows) return;
    const sizeOfImage = `${rows} ${columns}`;
    if (!this.view || this.viewOf !== sizeOfImage) this.view = wholeOf(this.size);
    this.viewOf = sizeOfImage;
    // Both have the room of the smaller one, so that they are the same to the pixel.
    const rooms = this.panes.map((pane) => pane.room());
    const room = {
      width: Math.min(...rooms.map((one) => one.width)),
      height: Math.min(...rooms.map((one) => one.height)),
    };
    const changed = this.panes.map((pane) => pane.fit(rows, columns, room));
    this.table.fit(rows, columns);
    if (anew || changed.some(Boolean)) this.draw();
  }

  // -- the heat map ------------------------------------------------------------------------------

  // The second pane says in words why there is no heat map.
  showMessage(element) {
    this.maps = null;
    this.keys = [];
    this.found.caption.textContent = "Result";
    this.found.say(element);
    this.draw();
  }

  // keys: the chosen finding first, others over the same picture behind it.
  showFindings(maps, keys) {
    this.found.say(null);
    this.maps = maps;
    this.keys = keys;
    const finding = maps.finding(keys[0]);
    this.look.level = maps.levelOf(finding, this.look.level);
    this.found.caption.replaceChildren(...this.captionOf(keys), this.readout);
    this.found.map.setAttribute("data-keys", keys.join(" "));
    this.fit();
    this.draw();
    if (!maps.matrix(finding, this.look.level)) this.loadAndDraw();
  }

  captionOf(keys) {
    const items = keys.map((key) => this.maps.finding(key)).filter(Boolean);
    return items.flatMap((finding) => [
      items.length > 1 ? swatch(finding.distinct_colour) : null,
      el("strong", {}, finding.name),
      percent(finding.probability),
    ]).concat(this.maps.version ? [el("span", { class: "chip corrected" }, `Corrected, review ${this.maps.version}`)] : [])
      .filter(Boolean);
  }

  async loadAndDraw() {
    const { maps } = this;
    await maps.load(this.look.level, this.keys[0]);
    if (this.maps === maps) this.draw();
  }

  change(look) {
    Object.assign(this.look, look);
    if (this.maps && !this.keys.every((key) => this.maps.matrix(this.maps.finding(key), this.look.level))) {
      this.loadAndDraw();
    }
    this.draw();
  }

  draw() {
    const { look, maps } = this;
    if (!this.view) return;
    this.found.frame.classList.toggle("tabled", Boolean(look.table && maps));
    this.original.drawScan(this.source, this.closeUp ?? this.view);
    if (look.table && maps) this.table.draw(maps, this.source, this.keys, look, () => this.draw());
    else this.drawLarge(look);
    this.drawLines();
  }

  drawLarge(look) {
    this.found.drawScan(this.source, this.view);
    const layers = this.maps ? this.layers() : [];
    this.found.drawMap(layers, this.view, this.size, { shown: look.overlay, opacity: look.opacity });
  }

  layers() {
    const several = this.keys.length > 1;
    return this.keys
      .map((key) => this.maps.layer(key, this.look, several, () => this.warn()))
      .filter(Boolean);
  }

  warn() {
    this.on.warn([...this.maps?.warnings.values() ?? []]);
    this.draw();
  }

  async drawLines() {
    const shapes = [...this.marks];
    if (this.picked) shapes.push({ box: this.picked.box, colour: PATCH_COLOUR });
    const { maps } = this;
    if (this.look.contours && maps) shapes.push(...await this.contours(maps));
    if (maps !== this.maps || !this.view) return;
    this.found.drawLines(this.look.table ? [] : shapes, this.view);
    this.original.drawLines(shapes.filter((shape) => !shape.fill), this.closeUp ?? this.view);
  }

  async contours(maps) {
    const regions = await maps.regions().catch(() => []);
    return regions.filter((region) => this.keys.includes(region.finding)).map((region) => ({
      outline: region.contour,
      colour: `rgb(${maps.finding(region.finding).distinct_colour.join(" ")})`,
    }));
  }

  // -- what the pointer does ---------------------------------------------------------------------

  point(at, over) {
    for (const pane of this.panes) pane.showCross(at && !this.closeUp ? at[0] : null, at?.[1]);
    const place = at && this.view && this.imagePoint(at, over);
    const patch = place && this.patchUnder(place);
    this.readout.textContent = patch ? `Patch ${percent(patch.value)}` : "";
    this.value.textContent = place && this.source?.pixels ? this.valueText(place) : this.windowText();
  }

  imagePoint([across, down], pane = this.found) {
    const view = pane === this.original ? this.closeUp ?? this.view : this.view;
    return [view.left + across * view.width, view.top + down * view.height];
  }

  valueText([x, y]) {
    const { rows, columns } = this.size;
    const column = Math.min(columns - 1, Math.max(0, Math.floor(x)));
    const row = Math.min(rows - 1, Math.max(0, Math.floor(y)));
    return `${column}, ${row}: ${Math.round(this.source.pixels.valueAt(column, row))} \u00b7 ${this.windowText()}`;
  }

  windowText() {
    if (!this.window) return this.source && !this.source.pixels ? "8 bit, as rendered" : "";
    return `C ${Math.round(this.window.centre)} W ${Math.round(this.window.width)}`;
  }

  patchUnder([x, y]) {
    const layer = this.maps && this.layerOf(this.keys[0]);
    return layer && patchAt(layer, x, y);
  }

  layerOf(key) {
    const matrix = this.maps.matrix(this.maps.finding(key), this.look.level);
    return matrix && { matrix, extent: this.maps.index.extent };
  }

  boxOf(patch) {
    return patchBox(this.layerOf(this.keys[0]), patch);
  }

  click(at, pane) {
    const patch = this.patchUnder(this.imagePoint(at, pane));
    if (!patch || this.look.table || this.on.patch(patch)) return;
    this.pick(this.picked && this.picked.row === patch.row && this.picked.column === patch.column ? null : patch);
  }

  // Outlines a patch and shows the same pixels of the original close up; null for none.
  pick(patch) {
    this.picked = patch && { ...patch, box: this.boxOf(patch) };
    this.closeUp = patch && around(this.picked.box, this.size);
    this.original.frame.classList.toggle("close", Boolean(patch));
    this.draw();
  }

  setWindow(window_) {
    this.window = window_;
    this.source.table = greyOf(this.source.pixels.display, window_);
    this.value.textContent = this.windowText();
  }

  // By a share of the width of the header's window per share of the picture.
  changeWindow([across, down]) {
    if (!this.source?.pixels) return;
    const { width } = this.source.pixels.defaultWindow();
    this.setWindow({
      centre: this.window.centre - down * width,
      width: Math.max(1, this.window.width + across * width * 2),
    });
    this.soon();
  }

  resetWindow() {
    if (!this.source?.pixels) return;
    this.setWindow(this.source.pixels.defaultWindow());
    this.draw();
  }

  pan([across, down]) {
    const { width, height } = this.view;
    this.setView({ ...this.view, left: this.view.left - across * width, top: this.view.top - down * height });
  }

  zoom(factor, at) {
    const whole = wholeOf(this.size);
    const width = Math.min(whole.width, Math.max(16, this.view.width / factor));
    const share = width / this.view.width;
    const [x, y] = this.imagePoint(at);
    this.setView({
      left: x - (x - this.view.left) * share, top: y - (y - this.view.top) * share,
      width, height: this.view.height * share,
    });
  }

  setView(view) {
    const { rows, columns } = this.size;
    this.view = {
      ...view,
      left: Math.max(0, Math.min(columns - view.width, view.left)),
      top: Math.max(0, Math.min(rows - view.height, view.top)),
    };
    this.soon();
  }

  resetView() {
    this.view = wholeOf(this.size);
    this.pick(null);
  }

  // Once per frame, however often the pointer reports.
  soon() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.draw();
    });
  }
}

function wholeOf({ rows, columns }) {
  return { left: 0, top: 0, width: columns, height: rows };
}

function around(box, { rows, columns }) {
  const aspect = rows / columns;
  const width = Math.min(columns, CLOSE_UP * Math.max(box.width, box.height / aspect));
  const height = width * aspect;
  const left = Math.max(0, Math.min(columns - width, box.left + box.width / 2 - width / 2));
  const top = Math.max(0, Math.min(rows - height, box.top + box.height / 2 - height / 2));
  return { left, top, width, height };
}

export function swatch(colour) {
  const mark = el("span", { class: "swatch", "aria-hidden": "true" });
  mark.style.setProperty("--swatch", `rgb(${colour.join(" ")})`);
  return mark;
}
