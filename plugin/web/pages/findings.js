// SPDX-License-Identifier: AGPL-3.0-or-later
// The list of findings: which heat map is shown, and which others over the same picture.

import { el, percent, PRIORITIES, probabilityBar } from "./dom.js";
import { ask } from "./orthanc.js";
import { Pane } from "./pane.js";
import { swatch } from "./viewer.js";

export class FindingList {
  constructor(on) {
    this.on = on;
    this.element = el("section", { class: "findings", "aria-label": "Findings" });
    this.thumbs = new Map();
    this.remediations = [];
  }

  say(...content) {
    this.built = null;
    this.element.replaceChildren(el("h2", {}, "Findings"), ...content);
  }

  // shown: the heat maps of the index that pass the subset threshold; keys: chosen, then others.
  draw(maps, shown, keys) {
    const { index } = maps;
    const wanted = [index, ...shown.map((item) => item.key)];
    if (this.built?.length === wanted.length && this.built.every((part, at) => part === wanted[at])) {
      for (const item of shown) this.mark(item, keys);
      return;
    }
    this.built = wanted;
    this.drawnThumbs = null;
    this.rows = new Map();
    const present = index.heatmaps.filter((item) => item.present).length;
    const hidden = index.heatmaps.length - shown.length;
    this.thumbs.clear();
    const items = shown.map((item, at) => this.row(item, at, keys));
    const summary = present
      ? `${present} of ${index.heatmaps.length} above threshold`
      : "None above threshold";
    this.element.replaceChildren(
      el("h2", {}, "Findings ", el("span", { class: "muted" }, summary)),
      el("div", { class: "finding-list", role: "radiogroup", "aria-label": "Heat map" }, items),
      ...(hidden ? [el("p", { class: "muted small" }, `${hidden} more below the subset threshold`)] : []),
      el("p", { class: "muted small" }, `${index.model.title}. ${index.model.name} ${index.model.version}`),
      ...this.warnings(index),
    );
  }

  // Readers have corrected a class so often that its model must be mended.
  warnings({ model, heatmaps }) {
    const open = this.remediations.filter(
      (one) => one.state === "open" && one.model === model.name && one.version === model.version,
    );
    return open.map((one) => {
      const name = heatmaps.find((item) => item.key === one.finding)?.name ?? one.finding;
      return el("p", { class: "warning", role: "note" },
        `${name}: remediation open, ${one.wrong} of ${one.reviewed} reviewed images were wrong`);
    });
  }

  async loadRemediations() {
    const { content } = await ask("/sidelight/remediations");
    this.remediations = content.remediations;
  }

  row(item, at, keys) {
    const over = el("button", {
      type: "button",
      class: "over",
      "aria-label": `${item.name} over the same picture`,
      title: "Show over the same picture (c)",
      onclick: () => this.on.toggle(item.key),
    });
    const button = this.button(item, at);
    this.rows.set(item.key, { button, over });
    this.mark(item, keys);
    return el("div", { class: "finding-row" }, button, over);
  }

  // Which one is chosen, and which others lie over the same picture.
  mark(item, keys) {
    const { button, over } = this.rows.get(item.key);
    const chosen = item.key === keys[0];
    const shown = keys.includes(item.key);
    button.setAttribute("aria-checked", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
    over.setAttribute("aria-pressed", String(shown));
    over.disabled = chosen;
    over.replaceChildren(keys.length > 1 && shown ? swatch(item.distinct_colour) : "+");
  }

  button(item, at) {
    const threshold = `threshold ${percent(item.threshold)}`;
    const verdict = item.present
      ? [el("span", {}, PRIORITIES[item.severity]), el("span", {}, threshold)]
      : [el("span", {}, `Below ${threshold}`)];
    const thumb = new Pane("");
    this.thumbs.set(item.key, thumb);
    return el(
      "button",
      {
        type: "button",
        role: "radio",
        class: `finding ${item.present ? `present s${item.severity}` : "absent"}`,
        "data-key": item.key,
        onclick: () => this.on.choose(item.key),
      },
      el("kbd", {}, at < 9 ? String(at + 1) : ""),
      el("span", { class: "thumb", "aria-hidden": "true" }, thumb.frame),
      el(
        "span",
        { class: "finding-text" },
        el("span", { class: "finding-name" }, item.name),
        el("span", { class: "finding-value" }, percent(item.probability)),
        probabilityBar(item),
        el("span", { class: "second verdict" }, verdict),
      ),
    );
  }

  // The thumbnails show the same picture, so they wait for it and for the matrices.
  drawThumbs(maps, source, look) {
    const wanted = [maps, source.pixels ?? source.picture, source.table, look.level, look.smooth, look.strength, look.style];
    if (this.drawnThumbs?.every((part, at) => part === wanted[at])) return;
    const complete = maps.index.heatmaps.every((finding) => maps.matrix(finding, look.level));
    this.drawnThumbs = complete ? wanted : null;
    const view = { left: 0, top: 0, width: maps.index.columns, height: maps.index.rows };
    for (const [key, pane] of this.thumbs) {
      pane.fit(maps.index.rows, maps.index.columns);
      pane.drawScan(source, view);
      const layer = maps.layer(key, { ...look, masked: false }, false, () => {});
      pane.drawMap(layer ? [layer] : [], view, maps.imageSize, { shown: true, opacity: 0.75 });
    }
  }
}
