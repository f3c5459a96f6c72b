// SPDX-License-Identifier: AGPL-3.0-or-later
// One study: the chosen scan's image beside its heat maps, ranked by probability.

import { announce, chip, el, judged, notice, percent } from "./dom.js";
import { address, ask } from "./orthanc.js";
import {
  anatomyCard, findingsPanel, objectsCard, patientCard, provenanceCard, scanList, studyHead,
} from "./panels.js";
import { Viewer } from "./viewer.js";

const OPACITY_STEP = 0.1;

const SAYINGS = {
  queued: ["In progress", "This scan waits for its analysis. The page follows by itself."],
  running: ["In progress", "This scan is being analysed. The page follows by itself."],
  abstained: ["The model abstained", "It gives no opinion on this scan."],
  refused: ["Refused", "The scan was not given to a model."],
  failed: ["The analysis failed", "The scan itself is unharmed. Analyse it again, or ask your admin."],
  "no-application": ["No application", "No model is made for this kind of scan."],
  "not-an-image": ["Not an image", "There are no pixels to analyse."],
  "no-findings": ["No findings", "The model kept no heat maps for this image."],
  findings: ["Findings", "The model kept no heat maps for this image."],
};

export class StudyView {
  constructor(root, study, scan) {
    this.root = root;
    this.study = study;
    this.chosenScan = scan;
    this.viewer = new Viewer();
    this.image = 0;
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
    this.right = el("aside", { class: "rail right", "aria-label": "Findings" });
    this.banner = el("p", { class: "disclaimer", role: "note", hidden: true });
    this.controls = this.buildControls();
    const centre = el(
      "div", { class: "centre" }, this.banner, this.viewer.element, this.controls.element,
    );
    this.root.replaceChildren(el("div", { class: "study" }, this.left, centre, this.right));
  }

  buildControls() {
    const { look } = this.viewer;
    const overlay = toggle("Overlay", "o", look.overlay, (on) => this.set({ overlay: on }));
    const smooth = toggle("Smooth", "s", look.smooth, (on) => this.set({ smooth: on }));
    const opacity = el("input", {
      type: "range", min: 0, max: 100, step: 5, value: look.opacity * 100, id: "opacity",
      oninput: (event) => this.set({ opacity: Number(event.target.value) / 100 }),
    });
    const shown = el("output", { for: "opacity" });
    const level = el("select", {
      id: "level", onchange: (event) => this.set({ level: Number(event.target.value) }),
    });
    const images = el("span", { class: "stepper" });
    const element = el(
      "div",
      { class: "controls", role: "toolbar", "aria-label": "Heat map" },
      overlay.element,
      el("label", { class: "slider", for: "opacity" }, "Opacity ", opacity, shown),
      smooth.element,
      el("label", { for: "level" }, "Level ", level),
      images,
      el("span", { class: "spring" }),
      el("span", { class: "legend", role: "img", "aria-label": "Colours from 0 to 1" },
        el("span", {}, "0"), el("span", { class: "ramp" }), el("span", {}, "1")),
    );
    return { element, overlay, smooth, opacity, shown, level, images };
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
    this.index = null;
    this.drawLeft();
    if (!scan) {
      this.banner.hidden = true;
      const waiting = this.content.status === "in-progress";
      const title = waiting ? "In progress" : "Not analysed";
      const text = waiting ? "The page follows by itself." : "Sidelight has not seen this study yet.";
      this.say(title, text, waiting ? "in-progress" : "not-analysed");
      return;
    }
    this.banner.hidden = !scan.disclaimer;
    this.banner.textContent = scan.disclaimer;
    await this.showImage();
  }

  async showImage() {
    const { scan } = this;
    this.drawImages(scan);
    const instance = scan.images[this.image] ?? (await middleOf(scan));
    if (instance) this.viewer.showImage(instance);
    try {
      // A model that abstained may have left maps; without its opinion they would mislead.
      if (!instance || !judged(scan.status)) throw new Error("no model has judged this scan");
      const { content } = await ask(`/instances/${instance}/sidelight/heatmaps`);
      if (this.closed || scan !== this.scan || !content.heatmaps) return;
      this.index = content;
      this.banner.textContent = content.disclaimer;
      this.banner.hidden = false;
      const known = content.heatmaps.some((item) => item.key === this.finding);
      this.choose(known ? this.finding : content.heatmaps[0].key, false);
    } catch {
      if (this.closed || scan !== this.scan) return;
      const [title, text] = SAYINGS[scan.status] ?? [scan.status, ""];
      this.say(title, text, scan.status, scan.reason);
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
    this.controls.element.classList.add("idle");
    this.right.replaceChildren(
      el("section", { class: "findings" }, el("h2", {}, "Findings"),
        el("p", { class: "muted" }, chip(status))),
    );
    announce(`${title}. ${said}`);
  }

  analyseButton() {
    return el(
      "button", { type: "button", class: "primary", onclick: () => this.analyse() }, "Analyse now",
    );
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
      scan ? anatomyCard(scan.anatomy) : null,
      scan ? objectsCard(scan) : null,
      scan ? provenanceCard(scan, () => this.analyse()) : null,
    ];
    this.left.replaceChildren(...cards.filter(Boolean));
  }

  drawImages(scan) {
    const { images } = this.controls;
    if (scan.images.length < 2) return images.replaceChildren();
    images.replaceChildren(
      el("button", { type: "button", "aria-label": "Previous image", onclick: () => this.step(-1) }, "\u2039"),
      ` Image ${this.image + 1} of ${scan.images.length} `,
      el("button", { type: "button", "aria-label": "Next image", onclick: () => this.step(1) }, "\u203a"),
    );
  }

  // -- what the reader chooses -------------------------------------------------------------------

  choose(key, focus = true) {
    if (!this.index) return;
    this.finding = key;
    const finding = this.index.heatmaps.find((item) => item.key === key);
    this.right.replaceChildren(
      findingsPanel(this.index, this.index.instance, key, (chosen) => this.choose(chosen)),
    );
    this.controls.element.classList.remove("idle");
    this.viewer.showFinding(this.index, finding);
    this.drawControls(finding);
    if (focus) this.right.querySelector(`[data-key="${key}"]`)?.focus();
    const verdict = finding.present ? "present" : "below threshold";
    announce(`${finding.name}, ${percent(finding.probability)}, ${verdict}`);
  }

  chooseScan(resource) {
    if (this.scan?.resource === resource) return;
    this.chosenScan = resource;
    this.image = 0;
    this.finding = null;
    history.replaceState(null, "", `#study=${this.study}&scan=${resource}`);
    this.showScan();
  }

  step(by) {
    const next = this.image + by;
    if (next < 0 || next >= (this.scan?.images.length ?? 0)) return;
    this.image = next;
    this.showImage();
  }

  set(change) {
    Object.assign(this.viewer.look, change);
    this.viewer.draw();
    this.drawControls(this.viewer.finding);
  }

  drawControls(finding) {
    const { overlay, smooth, opacity, shown, level } = this.controls;
    const { look } = this.viewer;
    overlay.set(look.overlay);
    smooth.set(look.smooth);
    opacity.value = Math.round(look.opacity * 100);
    shown.textContent = percent(look.opacity);
    if (!finding) return;
    const levels = finding.levels.map((size) => el("option", { value: size }, `${size} \u00d7 ${size}`));
    level.replaceChildren(...levels);
    level.value = look.level;
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
    const { look } = this.viewer;
    const louder = Math.round((look.opacity + OPACITY_STEP) * 10) / 10;
    const softer = Math.round((look.opacity - OPACITY_STEP) * 10) / 10;
    const keys = {
      Escape: () => { location.hash = ""; },
      o: () => this.set({ overlay: !look.overlay }),
      s: () => this.set({ smooth: !look.smooth }),
      l: () => this.nextLevel(),
      "+": () => this.set({ opacity: Math.min(1, louder) }),
      "=": () => this.set({ opacity: Math.min(1, louder) }),
      "-": () => this.set({ opacity: Math.max(0, softer) }),
      j: () => this.move(1),
      k: () => this.move(-1),
      ArrowDown: () => this.move(1),
      ArrowUp: () => this.move(-1),
      n: () => this.moveScan(1),
      p: () => this.moveScan(-1),
      "]": () => this.step(1),
      "[": () => this.step(-1),
    };
    if (/^[1-9]$/.test(key)) {
      const finding = this.index?.heatmaps[Number(key) - 1];
      if (finding) this.choose(finding.key);
    } else if (key in keys) {
      keys[key]();
    } else {
      return false;
    }
    return true;
  }

  nextLevel() {
    const levels = this.viewer.finding?.levels ?? [];
    const at = levels.indexOf(this.viewer.look.level);
    if (levels.length) this.set({ level: levels[(at + 1) % levels.length] });
  }

  move(by) {
    const keys = this.index?.heatmaps.map((item) => item.key) ?? [];
    const at = keys.indexOf(this.finding) + by;
    if (keys[at]) this.choose(keys[at]);
  }

  moveScan(by) {
    const scans = this.content.scans.map((scan) => scan.resource);
    const at = scans.indexOf(this.scan?.resource) + by;
    if (scans[at]) this.chooseScan(scans[at]);
  }
}

// The image to show for a volume that has no findings of its own.
async function middleOf(scan) {
  if (scan.level !== "series") return scan.resource;
  const { content } = await ask(`/series/${scan.resource}`);
  return content.Instances[Math.floor(content.Instances.length / 2)];
}

function toggle(label, key, on, change) {
  const element = el(
    "button",
    {
      type: "button",
      class: "toggle",
      "aria-pressed": String(on),
      onclick: () => change(element.getAttribute("aria-pressed") !== "true"),
    },
    label,
    el("kbd", {}, key),
  );
  return { element, set: (now) => element.setAttribute("aria-pressed", String(now)) };
}
