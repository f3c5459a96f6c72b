// SPDX-License-Identifier: AGPL-3.0-or-later
// De-identified images beside their originals: accepted, corrected or kept out from the keyboard.

import { isConflict, stillWaits } from "./deid-conflicts.js";
import { Draft } from "./deid-draft.js";
import { BoxPane } from "./deid-pane.js";
import { REASONS, WHY } from "./deid-reasons.js";
import { TagList } from "./deid-tags.js";
import { WordList } from "./deid-words.js";
import { announce, el, moment, notice, words } from "./dom.js";
import { ask, bitmap } from "./orthanc.js";

const PAGE = 200;
const AHEAD = 3;
const REFRESH_SECONDS = 10;
const FULL_SIZE = 8192;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class DeidReviewView {
  constructor(main) {
    this.main = main;
    this.items = [];
    this.more = 0;
    this.loaded = new Map();
    this.overlay = true;
    this.full = false;
    this.accepted = [];
  }

  async start() {
    document.title = "Sidelight \u00b7 de-identification";
    const { content } = await ask(`/sidelight/deid/reviews?state=waiting&limit=${PAGE}`);
    if (!content.may_review) return this.refuse(content);
    this.build();
    this.take(content);
    this.go(0);
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH_SECONDS * 1000);
  }

  refuse({ counts }) {
    this.main.replaceChildren(
      notice("empty", "Originals are not shown to this account",
        "An administrator names who reviews in Sidelight.DeidentificationReview.Reviewers.",
        `Waiting for a reviewer: ${counts.waiting}.`),
    );
  }

  build() {
    const on = {
      choose: (at) => this.edited((draft) => (draft.chosen = at)),
      draw: (box) => this.drawing(box),
      move: (at, by) => this.moving(at, by),
      end: () => (this.origin = null),
    };
    this.original = new BoxPane("Original", "original", on);
    this.result = new BoxPane("De-identified", "result", on);
    this.tags = new TagList(() => this.say());
    this.wordList = new WordList();
    this.count = el("span", { class: "muted", role: "status" });
    this.why = el("span", { class: "chip" });
    this.state = el("span", { class: "deid-state" });
    this.history = el("section", { class: "deid-history", "aria-label": "Decisions" });
    this.reject = this.rejectForm();
    const button = (label, act, primary) =>
      el("button", { type: "button", class: primary ? "primary" : "", onclick: act }, label);
    this.actions = el("div", { class: "deid-actions" },
      button("Accept (a)", () => this.accept(), true),
      button("Run again (s)", () => this.save()),
      button("Keep out (x)", () => this.openReject()),
      this.state, this.reject,
    );
    this.tab = button("Words (w)", () => this.toggleWords());
    const bar = el("div", { class: "deid-bar" },
      el("h1", {}, "De-identification"), this.count, this.why, el("span", { class: "spring" }), this.tab);
    this.images = el("div", { class: "deid-images" },
      el("div", { class: "deid-panes" }, this.original.figure, this.result.figure),
      el("aside", {}, this.tags.element, this.history), this.actions);
    this.empty = el("div", { hidden: true });
    this.wordList.element.hidden = true;
    this.section = el("section", { class: "deid" }, bar, this.images, this.empty, this.wordList.element);
    this.main.replaceChildren(this.section);
    this.watcher = new ResizeObserver(() => [this.original, this.result].forEach((pane) => pane.fit()));
    this.watcher.observe(this.original.frame);
  }

  rejectForm() {
    const input = el("input", { type: "text", maxlength: "400", placeholder: "Why is it kept out?", "aria-label": "Reason",
      onkeydown: (event) => event.key === "Enter" && this.keepOut(input.value) });
    const presets = REASONS.map((text, at) =>
      el("button", { type: "button", onclick: () => this.keepOut(text) }, `${at + 1} ${words(text)}`));
    return el("div", { class: "deid-reject", hidden: true }, presets, input);
  }

  take({ items, counts }) {
    const known = new Set(this.items.map((item) => item.id));
    // What was decided here comes back only when it was opened anew.
    const decided = new Map(this.accepted.map((item) => [item.id, item.revision]));
    this.items.push(
      ...items.filter((item) => !known.has(item.id) && !(item.revision <= decided.get(item.id))),
    );
    this.more = Math.max(0, counts.waiting - this.items.length); // what is not listed here yet
  }

  async refresh() {
    const last = this.items.at(-1)?.id ?? 0;
    const after = this.items.length ? `&after=${last}` : "";
    try {
      const { content } = await ask(`/sidelight/deid/reviews?state=waiting&limit=${PAGE}${after}`);
      if (this.closed) return;
      const none = !this.items.length;
      this.take(content);
      if (none && this.items.length) this.go(0);
      this.say();
    } catch (error) {
      this.state.textContent = error.message;
    }
  }

  // -- loading ---------------------------------------------------------------------------------

  load(item, frame = 1) {
    const key = `${item.id} ${item.revision} ${frame} ${this.full}`;
    if (!this.loaded.has(key)) {
      const loading = this.fetched(item, frame);
      loading.catch(() => this.loaded.delete(key));
      this.loaded.set(key, loading);
      // Originals are kept in memory only as long as they may be looked at next.
      while (this.loaded.size > 2 * AHEAD + 2) this.loaded.delete(this.loaded.keys().next().value);
    }
    return this.loaded.get(key);
  }

  async fetched(item, frame) {
    const size = this.full ? `&size=${FULL_SIZE}` : "";
    const [{ content }, original, result] = await Promise.all([
      ask(`${item.links.item}?frame=${frame}`),
      bitmap(`${item.links.original}?frame=${frame}${size}`),
      bitmap(`${item.links.result}?frame=${frame}${size}`),
    ]);
    return { detail: content, original, result };
  }

  async go(index, frame = 1) {
    const asked = performance.now();
    this.index = Math.max(0, Math.min(this.items.length - 1, index));
    const item = this.items[this.index];
    this.closeReject();
    this.frame = frame;
    this.item = item;
    this.draft = null;
    this.images.hidden = !item;
    this.empty.hidden = Boolean(item);
    this.section.dataset.shown = "";
    this.say();
    if (!item) return this.empty.replaceChildren(notice("empty", "Nothing waits", "What de-identification refuses appears here."));
    try {
      const loaded = await this.load(item, frame);
      if (this.item !== item || this.frame !== frame) return;
      this.draw(loaded);
      this.section.dataset.shown = `${item.id} ${loaded.detail.revision} ${frame}`;
      this.section.dataset.milliseconds = String(performance.now() - asked);
    } catch (error) {
      if (this.item === item) this.fail(error);
    }
    for (const next of this.items.slice(this.index + 1, this.index + 1 + AHEAD)) this.load(next).catch(() => {});
  }

  fail(error) {
    for (const pane of [this.original, this.result]) pane.show(null, { rows: 1, columns: 1 });
    this.state.textContent = error.message;
    this.section.dataset.failed = error.code ?? "error";
  }

  draw({ detail, original, result }) {
    this.draft = new Draft(detail);
    const size = { rows: detail.rows, columns: detail.columns };
    this.original.show(original, size);
    this.result.show(result, size);
    this.tags.show(this.draft);
    this.history.replaceChildren(
      ...(detail.decisions.length ? [el("h2", {}, "Decisions")] : []),
      ...detail.decisions.map((one) =>
        el("p", { class: "small" }, `${words(one.action)} by ${one.by}, ${moment(one.at)}`, one.reason ? `: ${one.reason}` : "")),
    );
    delete this.section.dataset.failed;
    this.edited(() => {});
  }

  edited(change) {
    if (!this.draft) return;
    change(this.draft);
    const shown = this.overlay ? this.draft.shown() : [];
    this.original.drawBoxes(shown, this.draft.chosen);
    this.result.drawBoxes(shown, this.draft.chosen);
    this.say();
  }

  say() {
    const all = this.items.length + this.more;
    this.count.textContent = this.items.length ? `${this.index + 1} of ${all} waiting` : "";
    this.why.textContent = this.item ? WHY[this.item.reason] : "";
    this.why.hidden = !this.item;
    const { draft } = this;
    if (!draft) return (this.state.textContent = this.item ? "Loading\u2026" : "");
    const frames = draft.detail.frames > 1 ? `, image ${this.frame} of ${draft.detail.frames}` : "";
    const boxes = draft.boxes === null ? "pixels as the policy has them" : `${draft.boxes.length} masks`;
    this.result.note.textContent = draft.dirty ? "before your changes: run again (s)" : boxes + frames;
    this.result.figure.classList.toggle("stale", draft.dirty);
    this.state.textContent = draft.dirty ? "Changed: run again, look, then accept." : "";
  }

  // -- boxes -----------------------------------------------------------------------------------

  drawing(box) {
    this.edited((draft) => {
      if (this.origin === "new") draft.set(draft.chosen, box);
      else draft.add(box);
      this.origin = "new";
    });
  }

  moving(at, [x, y]) {
    this.edited((draft) => {
      this.origin ??= { ...draft.boxes[at] };
      draft.set(at, { ...this.origin, left: this.origin.left + x, top: this.origin.top + y });
    });
  }

  // -- decisions -------------------------------------------------------------------------------

  async post(item, action, more = {}) {
    const body = JSON.stringify({ action, based_on: item.revision, ...more });
    const headers = { "Content-Type": "application/json" };
    const { content } = await ask(item.links.item, { method: "POST", headers, body });
    return content;
  }

  async accept() {
    const { item, draft } = this;
    if (!item || !draft) return;
    if (draft.dirty) return this.save();
    await this.leave(item, () => this.post(item, "accept"), "Accepted");
  }

  async keepOut(reason) {
    const { item } = this;
    if (!item || !reason.trim()) return;
    await this.leave(item, () => this.post(item, "reject", { reason: reason.trim() }), "Kept out");
  }

  // The next image is shown at once; a decision that fails brings its image back.
  async leave(item, decide, said) {
    const at = this.index;
    this.items.splice(at, 1);
    this.accepted.push(item);
    const shown = this.go(at);
    const decided = decide().then((content) => Object.assign(item, content));
    // What is taken back is the last decision, also while its answer is on the way.
    this.deciding = Promise.allSettled([this.deciding, decided]);
    try {
      await decided;
      announce(said);
    } catch (error) {
      this.accepted = this.accepted.filter((one) => one !== item);
      if (await stillWaits(item, error)) this.items.splice(Math.min(at, this.items.length), 0, item);
      await this.go(at);
      this.state.textContent = error.message;
    }
    await shown;
  }

  async save() {
    const { item, draft } = this;
    if (!item || !draft?.dirty) return;
    this.state.textContent = "De-identifying again\u2026";
    try {
      Object.assign(item, await this.post(item, "edit", draft.body()));
      if (this.item === item) await this.go(this.index, this.frame);
      announce("De-identified again: look at the result");
    } catch (error) {
      if (this.item === item && isConflict(error)) {
        if (!(await stillWaits(item, error))) this.items = this.items.filter((one) => one !== item);
        await this.go(this.index);
      }
      this.state.textContent = error.message;
    }
  }

  async takeBack() {
    await this.deciding;
    const item = this.accepted.findLast((one) => one.state === "accepted");
    if (!item) return;
    try {
      Object.assign(item, await this.post(item, "take-back"));
      this.accepted = this.accepted.filter((one) => one !== item);
      this.items.splice(this.index, 0, item);
      await this.go(this.index);
      announce("Taken back");
    } catch (error) {
      this.state.textContent = error.message;
    }
  }

  openReject() {
    if (!this.item) return;
    this.reject.hidden = false;
  }

  closeReject() {
    this.reject.hidden = true;
    this.reject.querySelector("input").value = "";
  }

  toggleWords() {
    const open = this.wordList.element.hidden;
    this.wordList.element.hidden = !open;
    this.images.hidden = open || !this.item;
    this.empty.hidden = open || Boolean(this.item);
    this.tab.textContent = open ? "Images (w)" : "Words (w)";
    if (open) this.wordList.show();
    else this.go(this.index, this.frame);
  }

  // -- keys ------------------------------------------------------------------------------------

  onKey(key, event) {
    if (!this.section) return false;
    if (key === "w") return this.done(() => this.toggleWords());
    if (!this.wordList.element.hidden) return false;
    if (!this.reject.hidden) return this.rejectKey(key);
    if (key in ARROWS) return this.arrow(key, event?.shiftKey);
    const act = this.keys()[key];
    return act ? this.done(act) : false;
  }

  done(act) {
    act();
    return true;
  }

  keys() {
    return {
      a: () => this.accept(),
      s: () => this.save(),
      x: () => this.openReject(),
      u: () => this.takeBack(),
      n: () => this.go(this.index + 1),
      j: () => this.go(this.index + 1),
      p: () => this.go(this.index - 1),
      k: () => this.go(this.index - 1),
      b: () => this.edited((draft) => draft.add()),
      d: () => this.edited((draft) => draft.takeDetections()),
      ".": () => this.edited((draft) => draft.choose(1)),
      ",": () => this.edited((draft) => draft.choose(-1)),
      Delete: () => this.edited((draft) => draft.remove()),
      Backspace: () => this.edited((draft) => draft.remove()),
      Escape: () => this.edited((draft) => (draft.chosen = -1)),
      o: () => this.edited(() => (this.overlay = !this.overlay)),
      r: () => this.tags.decide("redact"),
      f: () => this.tags.decide("keep"),
      z: () => this.resize(),
      "]": () => this.turn(1),
      "[": () => this.turn(-1),
    };
  }

  rejectKey(key) {
    if (key === "Escape") this.closeReject();
    else if (REASONS[Number(key) - 1]) this.keepOut(REASONS[Number(key) - 1]);
    else return false;
    return true;
  }

  arrow(key, larger) {
    if (!this.draft) return false;
    if (this.draft.chosen >= 0) return this.done(() => this.edited((draft) => draft.nudge(ARROWS[key], larger)));
    if (ARROWS[key][1]) return this.done(() => this.tags.step(ARROWS[key][1]));
    return false;
  }

  turn(by) {
    const frames = this.draft?.detail.frames ?? 1;
    const frame = Math.max(1, Math.min(frames, this.frame + by));
    if (frame !== this.frame && !this.draft.dirty) this.go(this.index, frame);
  }

  resize() {
    if (this.draft?.dirty) return;
    this.full = !this.full;
    this.loaded.clear();
    this.go(this.index, this.frame);
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    this.watcher?.disconnect();
    this.loaded.clear();
  }
}
