// SPDX-License-Identifier: AGPL-3.0-or-later
// The heat maps of one image: matrices, masks and regions, each asked for once.

import { address, ask } from "./orthanc.js";
import { readMask } from "./painter.js";

const NPY = "application/x-npy";

export class HeatMaps {
  constructor(index) {
    this.index = index;
    this.version = index.version;
    this.matrices = new Map();
    this.masks = new Map();
    this.warnings = new Map();
  }

  get instance() {
    return this.index.instance;
  }

  get imageSize() {
    return { rows: this.index.rows, columns: this.index.columns };
  }

  finding(key) {
    return this.index.heatmaps.find((item) => item.key === key);
  }

  levelOf(finding, level) {
    return finding.levels.includes(level) ? level : finding.levels[0];
  }

  // The matrix if it is here already.
  matrix(finding, level) {
    const kept = this.matrices.get(`${finding.key} ${this.levelOf(finding, level)}`);
    return kept?.values ? kept : null;
  }

  // Asks for the matrices of all findings at a level; the wanted one comes first.
  async load(level, wanted) {
    const order = [...this.index.heatmaps].sort((a, b) => (b.key === wanted) - (a.key === wanted));
    await Promise.all(order.map((finding) => this.loadMatrix(finding, level)));
  }

  loadMatrix(finding, level) {
    const size = this.levelOf(finding, level);
    const key = `${finding.key} ${size}`;
    if (!this.matrices.has(key)) {
      const path = `${finding.links.matrix}?level=${size}&version=${this.version || "original"}`;
      const asked = fetchMatrix(path).then(
        (matrix) => this.matrices.set(key, matrix),
        () => this.matrices.delete(key),
      );
      this.matrices.set(key, asked);
    }
    return this.matrices.get(key);
  }

  // Asks for the mask of a region once; null where there is none or it is not here yet.
  mask(region, arrived) {
    if (region === "none") return null;
    if (!this.masks.has(region)) {
      this.masks.set(region, null);
      ask(`/instances/${this.instance}/sidelight/masks/${region}`).then(
        ({ content }) => {
          this.masks.set(region, readMask(content));
          if (content.warning) this.warnings.set(region, content.warning);
          arrived();
        },
        (error) => {
          this.warnings.set(region, `no mask of the ${region}: ${error.message}`);
          arrived();
        },
      );
    }
    return this.masks.get(region);
  }

  async regions() {
    if (!this.asked) {
      const version = this.version || "original";
      this.asked = ask(`/instances/${this.instance}/sidelight/regions?version=${version}`);
      this.asked.catch(() => { this.asked = null; });
    }
    return (await this.asked).content.regions;
  }

  // What the painter needs to draw a finding; null while its matrix is not here.
  layer(key, look, several, arrived) {
    const finding = this.finding(key);
    const matrix = finding && this.matrix(finding, look.level);
    if (!matrix) return null;
    const saliency = look.style === "saliency";
    return {
      matrix,
      extent: this.index.extent,
      smoothing: look.smooth ? look.strength ?? finding.smoothing : 0,
      style: look.style,
      threshold: saliency ? finding.patch_threshold : 0,
      colour: several || saliency ? finding.distinct_colour : null,
      mask: this.mask(look.masked ? finding.region : "none", arrived),
    };
  }
}

// NumPy's format, version 1: magic, lengths, a header in ASCII, then float32 row by row.
async function fetchMatrix(path) {
  const response = await fetch(address(path), {
    credentials: "same-origin", headers: { Accept: NPY },
  });
  if (!response.ok) throw new Error(`Orthanc answered ${response.status}.`);
  const buffer = await response.arrayBuffer();
  const length = new DataView(buffer).getUint16(8, true);
  const head = new TextDecoder("ascii").decode(new Uint8Array(buffer, 10, length));
  const [, rows, columns] = /'shape': \((\d+), (\d+)\)/.exec(head).map(Number);
  return { rows, columns, values: new Float32Array(buffer.slice(10 + length)) };
}
