// SPDX-License-Identifier: AGPL-3.0-or-later
// One study in three portions: the original, the heat maps beside it, and what to show of them.

import { announce, chip, el, judged, notice, percent } from "./dom.js";
import { FindingList } from "./findings.js";
import { HeatMaps } from "./heatmaps.js";
import { Options } from "./options.js";
import { ask } from "./orthanc.js";
import { anatomyCard, handedOverCard, objectsCard, patientCard, provenanceCard, scanList, studyHead } from "./panels.js";
import { Review } from "./review.js";
import { sayingOf } from "./sayings.js";
import { shortcut } from "./shortcuts.js";
import { Viewer } from "./viewer.js";

export class StudyView {
  constructor(root, study, scan) {
    this.root = root;
    this.study = study;
    this.chosenScan = scan;
    this.image = 0;
    this.keys = [];
    this.order = null;
    this.subset = 0;
    this.presentOnly = false;
    this.version = "latest";
    this.viewer = new Viewer({
      choose: (key) => this.choose(key),
      patch: (patch) => this.markPatch(patch),
      warn: () => this.drawOptions(),
    });
    this.review = new Review({ changed: () => this.drawMarks(), saved: () => this.onReviewed() });
  }

  async start() {
    document.title = "Sidelight \u00b7 study";
    const { content } = await ask(`/studies/${this.study}`);
    this.patient = content;
    this.build();
    await this.refresh();
    this.root.focus();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.viewer.close();
  }

  build() {
    this.left = el("aside", { class: "rail left", "aria-label": "Study" });
    this.banner = el("p", { class: "disclaimer", role: "note", hidden: true });
    this.findings = new FindingList({ choose: (key) => this.choose(key), toggle: (key) => this.toggleOver(key) });
    this.options = new Options(this.viewer.look, {
      look: (change) => this.set(change),
      order: (order) => this.reorder(order),
      subset: (threshold) => this.showSubset({ subset: threshold }),
      present: (only) => this.showSubset({ presentOnly: only }),
      version: (version) => this.showVersion(version),
    });
    this.right = el(
      "aside", { class: "rail right", "aria-label": "Findings and options" },
      this.findings.element, this.options.element, this.review.element,
    );
    this.images = el("span", { class: "stepper" });
    this.controls = el("div", { class: "controls", role: "toolbar", "aria-label": "Image" },
      this.images,
      tool("Window as stored", "i", () => this.viewer.resetWindow()),
      tool("Whole image", "z", () => this.viewer.resetView()),
      el("span", { class: "muted hint" }, "Drag: window \u00b7 wheel: zoom \u00b7 Shift-drag: move \u00b7 click: patch"),
      el("span", { class: "spring" }),
      this.reviewButton = tool("Review", "r", () => this.toggleReview()));
    const centre = el("div", { class: "centre" }, this.banner, this.viewer.element, this.controls);
    this.view = el("div", { class: "study" }, this.left, centre, this.right);
    this.root.replaceChildren(this.view);
  }

  // -- what there is to show ---------------------------------------------------------------------

  async refresh() {
    const { content, pending } = await ask(`/studies/${this.study}/sidelight`);
    if (this.closed) return;
    const text = JSON.stringify(content);
    if (text !== this.received) {
      this.received = text;
      this.content = content;
      await this.showScan();
    }
    this.follow(pending);
  }

  follow(seconds) {
    clearTimeout(this.timer);
    if (!seconds || this.closed) return;
    this.timer = setTimeout(() => {
      // An answer that fails to come once is asked for again.
      this.refresh().catch(() => this.follow(2 * seconds));
    }, seconds * 1000);
  }

  get scan() {
    const { scans } = this.content;
    return scans.find((scan) => this.concerns(scan)) ?? scans[0];
  }

  // Orthanc Explorer may have sent a series or an instance of the scan.
  concerns(scan) {
    return scan.resource === this.chosenScan || scan.images.includes(this.chosenScan);
  }

  async showScan() {
    const { scan } = this;
    this.maps = null;
    this.drawLeft();
    if (!scan) {
      this.banner.hidden = true;
      const waiting = this.content.status === "in-progress";
      const title = waiting ? "In progress" : "Not analysed";
      const text = waiting ? "The page follows by itself." : "Sidelight has not seen this study yet.";
      this.say(title, text, waiting ? "in-progress" : "not-analysed");
      return;
    }
    this.disclaim(scan.disclaimer);
    await this.showImage();
  }

  disclaim(text) {
    this.banner.hidden = !text;
    this.banner.textContent = text;
  }

  async showImage() {
    const { scan } = this;
    this.drawImages(scan);
    const instance = scan.images[this.image] ?? (await middleOf(scan));
    if (instance) this.viewer.showImage(instance);
    try {
      // A model that abstained may have left maps; without its opinion they would mislead.
      if (!instance || !judged(scan.status)) throw new Error("no model has judged this scan");
      await this.showHeatMaps(scan, instance);
    } catch {
      if (this.closed || scan !== this.scan) return;
      const [title, text, reason] = sayingOf(scan, this.content.handed_over);
      this.say(title, text, scan.status, reason);
    }
  }

  async showHeatMaps(scan, instance) {
    const query = new URLSearchParams({ version: this.version });
    if (this.order) query.set("order", this.order);
    const [{ content }] = await Promise.all([
      ask(`/instances/${instance}/sidelight/heatmaps?${query}`),
      // The heat maps are shown also where nothing of reviews can be had.
      this.review.load(instance).catch(() => {}),
      this.findings.loadRemediations().catch(() => {}),
    ]);
    if (this.closed || scan !== this.scan || !content.heatmaps) return;
    this.order = content.order;
    this.maps = new HeatMaps(content);
    this.disclaim(content.disclaimer);
    this.view.classList.remove("idle");
    const [chosen, ...others] = this.keys.filter((key) => this.maps.finding(key));
    this.show(chosen ?? this.shown()[0]?.key ?? content.heatmaps[0].key, others);
    await this.loadMatrices();
  }

  async loadMatrices() {
    const { maps } = this;
    await maps.load(this.viewer.look.level, this.keys[0]);
    if (maps !== this.maps) return;
    this.viewer.draw();
    this.drawThumbs();
  }

  drawThumbs() {
    if (!this.maps) return;
    if (this.viewer.source) this.findings.drawThumbs(this.maps, this.viewer.source, this.viewer.look);
    // The pixels come after the heat maps; the thumbnails follow them once.
    if (!this.viewer.source?.pixels && !this.waiting) {
      this.waiting = setTimeout(() => { this.waiting = 0; this.drawThumbs(); }, 250);
    }
  }

  say(title, text, status, reason = "") {
    const said = reason ? reason.charAt(0).toUpperCase() + reason.slice(1) : "";
    const lines = said.toLowerCase().startsWith(title.toLowerCase()) ? [said] : [said, text];
    this.viewer.showMessage(
      el("div", { class: `saying ${status}` }, el("h2", {}, title),
        ...lines.filter(Boolean).map((line) => el("p", {}, line)),
        ...(status === "not-analysed" ? [this.analyseButton()] : [])),
    );
    this.view.classList.add("idle");
    this.findings.say(el("p", { class: "muted" }, chip(status)));
    announce(`${title}. ${said}`);
  }

  analyseButton() {
    return el("button", { type: "button", class: "primary", onclick: () => this.analyse() }, "Analyse now");
  }

  drawLeft() {
    const { scan, content } = this;
    const pending = content.status === "in-progress"
      ? el("p", { class: "following", role: "status" }, `${content.pending || 1} still to come\u2026`)
      : null;
    const cards = [
      studyHead(this.patient, content),
      pending,
      patientCard(this.patient),
      content.scans.length ? scanList(content.scans, scan.resource, (id) => this.chooseScan(id)) : null,
      handedOverCard(content.handed_over),
      scan ? anatomyCard(scan.anatomy) : null,
      scan ? objectsCard(scan) : null,
      scan ? provenanceCard(scan, () => this.analyse()) : null,
    ];
    this.left.replaceChildren(...cards.filter(Boolean));
  }

  drawImages(scan) {
    if (scan.images.length < 2) return this.images.replaceChildren();
    this.images.replaceChildren(
      el("button", { type: "button", "aria-label": "Previous image", onclick: () => this.step(-1) }, "\u2039"),
      ` Image ${this.image + 1} of ${scan.images.length} `,
      el("button", { type: "button", "aria-label": "Next image", onclick: () => this.step(1) }, "\u203a"),
    );
  }

  // -- what the reader chooses -------------------------------------------------------------------

  shown() {
    return (this.maps?.index.heatmaps ?? []).filter(
      (item) => item.probability >= this.subset && (item.present || !this.presentOnly),
    );
  }

  choose(key) {
    if (!this.maps) return;
    const started = performance.now();
    this.show(key, []);
    whenPainted(() => performance.measure("sidelight-switch", { start: started }));
    this.findings.element.querySelector(`[data-key="${key}"]`)?.focus({ preventScroll: false });
    const { name, probability, present } = this.maps.finding(key);
    announce(`${name}, ${percent(probability)}, ${present ? "present" : "below threshold"}`);
  }

  // The chosen finding, and others over the same picture.
  show(key, others) {
    this.keys = [key, ...others];
    this.viewer.pick(null);
    this.viewer.showFindings(this.maps, this.keys);
    this.findings.draw(this.maps, this.shown(), this.keys);
    this.drawThumbs();
    this.drawOptions();
    this.review.choose(this.maps.finding(key), this.viewer.look.level);
    this.drawMarks();
  }

  toggleOver(key) {
    const [chosen, ...others] = this.keys;
    if (!this.maps || key === chosen) return;
    const now = others.includes(key) ? others.filter((one) => one !== key) : [...others, key];
    this.show(chosen, now);
  }

  // All present findings over one picture, or the chosen one alone again.
  toggleAll() {
    if (!this.maps) return;
    const [chosen, ...others] = this.keys;
    const present = this.maps.index.heatmaps.filter((item) => item.present && item.key !== chosen);
    this.show(chosen, others.length ? [] : present.map((item) => item.key));
  }

  set(change) {
    this.viewer.change(change);
    this.drawOptions();
    if ("level" in change) {
      this.loadMatrices();
      this.viewer.pick(null);
      this.review.choose(this.maps?.finding(this.keys[0]), this.viewer.look.level);
      this.drawMarks();
    }
  }

  drawOptions() {
    this.options.draw({
      look: this.viewer.look,
      finding: this.maps?.finding(this.keys[0]),
      order: this.order ?? "probability",
      subset: this.subset,
      present: this.presentOnly,
      versions: this.review.versions,
      version: this.maps?.version ? String(this.maps.version) : "original",
      warnings: [...this.maps?.warnings.values() ?? []],
    });
  }

  async reorder(order) {
    this.order = order;
    await this.showHeatMaps(this.scan, this.maps.instance);
  }

  showSubset(change) {
    Object.assign(this, change);
    if (!this.maps) return;
    const keys = this.shown().map((item) => item.key);
    const [chosen] = this.keys;
    this.show(keys.includes(chosen) || !keys.length ? chosen : keys[0], []);
  }

  async showVersion(version) {
    this.version = version;
    await this.showHeatMaps(this.scan, this.maps.instance);
  }

  chooseScan(resource) {
    if (this.scan?.resource === resource) return;
    this.chosenScan = resource;
    this.image = 0;
    this.keys = [];
    history.replaceState(null, "", `#study=${this.study}&scan=${resource}`);
    this.showScan();
  }

  step(by) {
    const next = this.image + by;
    if (next < 0 || next >= (this.scan?.images.length ?? 0)) return;
    this.image = next;
    this.showImage();
  }

  // -- review ------------------------------------------------------------------------------------

  toggleReview() {
    if (!this.maps) return;
    this.review.turn(!this.review.active);
    this.reviewButton.setAttribute("aria-pressed", String(this.review.active));
    this.review.choose(this.maps.finding(this.keys[0]), this.viewer.look.level);
    if (this.review.active) {
      this.viewer.pick(null);
      this.review.element.scrollIntoView({ block: "nearest" });
    }
    this.drawMarks();
  }

  markPatch(patch) {
    return this.review.mark(patch);
  }

  drawMarks() {
    this.viewer.marks = this.maps ? this.review.shapes((patch) => this.viewer.boxOf(patch)) : [];
    this.viewer.drawLines();
  }

  async onReviewed() {
    this.version = "latest";
    await this.showHeatMaps(this.scan, this.maps.instance);
  }

  async analyse() {
    try {
      await ask(`/studies/${this.study}/sidelight/analyse`, { method: "POST" });
      announce("The study is queued");
      await this.refresh();
      this.follow(1);
    } catch (error) {
      this.left.prepend(notice("error", "Not queued", error.message));
    }
  }

  onKey(key) {
    return shortcut(this, key);
  }
}

// The image to show for a volume that has no findings of its own.
async function middleOf(scan) {
  if (scan.level !== "series") return scan.resource;
  const { content } = await ask(`/series/${scan.resource}`);
  return content.Instances[Math.floor(content.Instances.length / 2)];
}

// After the next frame is on its way to the screen.
function whenPainted(act) {
  requestAnimationFrame(() => setTimeout(act, 0));
}

function tool(label, key, act) {
  return el("button", { type: "button", class: "tool", onclick: act }, label, el("kbd", {}, key));
}
