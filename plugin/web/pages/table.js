// SPDX-License-Identifier: AGPL-3.0-or-later
// All heat maps of an image as a table of thumbnails, each over the image itself.

import { el, percent } from "./dom.js";
import { Pane } from "./pane.js";

const GAP = 8;
const CAPTION = 26;

export class HeatMapTable {
  constructor(choose) {
    this.choose = choose;
    this.cells = new Map();
    this.element = el("div", { class: "heat-table", role: "group", "aria-label": "All heat maps" });
  }

  fit(rows, columns) {
    this.aspect = rows / columns;
  }

  draw(maps, source, chosen, look, arrived) {
    const findings = maps.index.heatmaps;
    this.build(findings);
    this.size(findings.length);
    const view = { left: 0, top: 0, width: maps.index.columns, height: maps.index.rows };
    for (const finding of findings) {
      const { button, pane } = this.cells.get(finding.key);
      button.setAttribute("aria-pressed", String(chosen.includes(finding.key)));
      pane.fit(maps.index.rows, maps.index.columns);
      pane.drawScan(source, view);
      const layer = maps.layer(finding.key, look, false, arrived);
      pane.drawMap(layer ? [layer] : [], view, maps.imageSize, { shown: look.overlay, opacity: look.opacity });
    }
  }

  build(findings) {
    const wanted = findings.map((finding) => `${finding.key} ${finding.probability}`).join();
    if (this.built === wanted) return;
    this.built = wanted;
    this.cells.clear();
    this.element.replaceChildren(...findings.map((finding) => {
      const pane = new Pane(finding.name);
      const button = el(
        "button",
        { type: "button", class: "heat-cell", "data-key": finding.key, onclick: () => this.choose(finding.key) },
        pane.frame,
        el("span", { class: finding.present ? "cell-name present" : "cell-name" },
          finding.name, el("span", {}, percent(finding.probability))),
      );
      this.cells.set(finding.key, { button, pane });
      return button;
    }));
  }

  // As many columns as make the pictures largest.
  size(count) {
    const { clientWidth: width, clientHeight: height } = this.element;
    let best = { side: 0, columns: 1 };
    for (let columns = 1; columns <= count; columns += 1) {
      const lines = Math.ceil(count / columns);
      const across = width / columns - GAP;
      const down = (height / lines - GAP - CAPTION) / this.aspect;
      const side = Math.floor(Math.min(across, down));
      if (side > best.side) best = { side, columns };
    }
    this.element.style.setProperty("--columns", best.columns);
    this.element.style.setProperty("--side", `${Math.max(48, best.side)}px`);
    this.element.style.setProperty("--height", `${Math.round(Math.max(48, best.side) * this.aspect)}px`);
  }
}
