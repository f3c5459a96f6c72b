// SPDX-License-Identifier: AGPL-3.0-or-later
// A reader's review of an image: patches too high or too low, findings present or absent, why.

import { announce, el, moment } from "./dom.js";
import { ask } from "./orthanc.js";

const TOOLS = [["too-high", "Too high", "h"], ["too-low", "Too low", "u"], ["as-model", "Erase", "e"]];
const VERDICTS = [["present", "Present", "y"], ["absent", "Absent", "x"], ["as-model", "As the model", "d"]];
const FILLS = { "too-high": "#4aa8ff55", "too-low": "#ff5a5a55" };
const STROKES = { "too-high": "#8cc8ff", "too-low": "#ff9d9d" };
export const NAME_KEPT = "sidelight.reader";

export class Review {
  // on.changed() when marks are to be drawn anew, on.saved(answer) when a review is kept
  constructor(on) {
    this.on = on;
    this.active = false;
    this.tool = "too-high";
    this.element = el("section", { class: "card review", "aria-label": "Review", hidden: true });
    this.clear();
  }

  clear() {
    this.marks = new Map(); // "finding level" -> Map("row column" -> tool)
    this.verdicts = new Map();
    this.error = "";
  }

  get dirty() {
    return this.marks.size > 0 || this.verdicts.size > 0;
  }

  // What is known of an image, with the finding that is chosen now.
  async load(instance) {
    if (this.instance !== instance) this.clear();
    this.instance = instance;
    this.known = null;
    const { content } = await ask(`/instances/${instance}/sidelight/reviews`);
    if (this.instance === instance) this.known = content;
  }

  get versions() {
    const made = (this.known?.reviews ?? []).filter((one) => one.current && (one.marks.length || one.verdicts.length));
    return [
      ["original", "The model's own"],
      ...made.map((one) => [String(one.number), `Corrected, review ${one.number}`]),
    ];
  }

  turn(active) {
    this.active = active;
    this.element.hidden = !active;
    announce(active ? "Review" : "Review closed");
  }

  choose(finding, level) {
    this.finding = finding;
    this.level = level;
    this.draw();
  }

  // True when the click was a mark.
  mark({ row, column }) {
    if (!this.active || !this.finding) return false;
    const key = `${this.finding.key} ${this.level}`;
    const cells = this.marks.get(key) ?? new Map();
    const cell = `${row} ${column}`;
    if (cells.get(cell) === this.tool || this.tool === "as-model") cells.delete(cell);
    else cells.set(cell, this.tool);
    if (cells.size) this.marks.set(key, cells);
    else this.marks.delete(key);
    this.draw();
    this.on.changed();
    return true;
  }

  judge(verdict) {
    if (!this.active || !this.finding) return;
    if (verdict === "as-model" && !this.correctedBefore()) this.verdicts.delete(this.finding.key);
    else this.verdicts.set(this.finding.key, verdict);
    this.draw();
  }

  correctedBefore() {
    return (this.known?.reviews ?? []).some((one) => one.verdicts.some((v) => v.finding === this.finding.key));
  }

  setTool(tool) {
    this.tool = tool;
    this.draw();
  }

  // Boxes to draw over the heat map; boxOf gives a patch's place.
  shapes(boxOf) {
    if (!this.active || !this.finding) return [];
    const cells = this.marks.get(`${this.finding.key} ${this.level}`) ?? new Map();
    return [...cells].map(([cell, tool]) => {
      const [row, column] = cell.split(" ").map(Number);
      return { box: boxOf({ row, column }), fill: FILLS[tool], colour: STROKES[tool] };
    });
  }

  body() {
    const marks = [];
    for (const [key, cells] of this.marks) {
      const [finding, level] = key.split(" ");
      for (const verdict of ["too-high", "too-low"]) {
        const chosen = [...cells].filter(([, tool]) => tool === verdict);
        const places = chosen.map(([cell]) => cell.split(" ").map(Number));
        if (places.length) marks.push({ finding, level: Number(level), cells: places, verdict });
      }
    }
    const verdicts = [...this.verdicts].map(([finding, verdict]) => ({ finding, verdict }));
    return {
      user: this.fields.user.value.trim(),
      reason: this.fields.reason.value.trim(),
      comment: this.fields.comment.value.trim(),
      complete: this.fields.complete.checked,
      based_on: this.known?.last ?? null,
      marks,
      verdicts,
    };
  }

  async save() {
    if (!this.active || this.saving) return;
    const body = this.body();
    localStorage.setItem(NAME_KEPT, body.user);
    this.saving = true;
    this.error = "";
    this.draw();
    try {
      const { content } = await ask(`/instances/${this.instance}/sidelight/reviews`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      this.known = content;
      this.clear();
      this.fields.reason.value = this.fields.comment.value = "";
      announce(`Review ${content.review.number} is kept`);
      this.on.saved(content);
    } catch (error) {
      this.error = error.message;
      announce(error.message);
    } finally {
      this.saving = false;
      this.draw();
    }
  }

  draw() {
    if (!this.active || !this.finding) return;
    this.fields ??= this.buildFields();
    const verdict = this.verdicts.get(this.finding.key) ?? "as-model";
    const parts = [
      el("h2", {}, "Review ", el("span", { class: "muted" }, this.finding.name)),
      el("p", { class: "muted small" }, "Click patches of the heat map to mark them. The model's own result stays as it is."),
      choice("Patches are", TOOLS, this.tool, (tool) => this.setTool(tool)),
      choice("The finding is", VERDICTS, verdict, (said) => this.judge(said)),
      el("p", { class: "small said", role: "status" }, this.summary()),
      el("label", {}, "Reason", this.fields.reason),
      el("label", {}, "Comment", this.fields.comment),
      el("label", {}, "Reader", this.fields.user),
      el("label", { class: "check" }, this.fields.complete, "All other findings are right"),
      this.error ? el("p", { class: "bad", role: "alert" }, this.error) : null,
      el(
        "p", { class: "actions" },
        el("button", { type: "button", class: "primary", disabled: this.saving, onclick: () => this.save() },
          this.saving ? "Saving\u2026" : "Save the review"),
        el("button", { type: "button", disabled: !this.dirty, onclick: () => this.discard() }, "Discard"),
      ),
      this.history(),
    ];
    this.element.replaceChildren(...parts.filter(Boolean));
  }

  discard() {
    this.clear();
    this.draw();
    this.on.changed();
  }

  summary() {
    let patches = 0;
    for (const cells of this.marks.values()) patches += cells.size;
    const parts = [];
    if (patches) parts.push(`${patches} ${patches === 1 ? "patch" : "patches"} marked`);
    for (const [finding, verdict] of this.verdicts) parts.push(`${finding}: ${verdict.replace("-", " ")}`);
    return parts.join(" \u00b7 ") || "Nothing marked yet";
  }

  history() {
    const made = [...this.known?.reviews ?? []].reverse();
    if (!made.length) return null;
    const items = made.map((one) => {
      const objects = one.objects.map((object) => object.kind).join(", ");
      const said = [
        ...one.verdicts.map((v) => `${v.finding} ${v.verdict.replace("-", " ")}`),
        ...one.marks.map((m) => `${m.cells.length} of ${m.finding} ${m.verdict.replace("-", " ")}`),
        one.complete ? "all others right" : "",
      ].filter(Boolean).join("; ");
      return el("li", {}, el("span", {}, `${one.number}. ${one.reader}`),
        el("span", { class: "second" }, `${moment(one.made_at)}  ${said || one.comment}`),
        objects ? el("span", { class: "second" }, `Stored: ${objects}`) : null);
    });
    return el("div", { class: "history" }, el("h2", {}, "Reviews"), el("ul", { class: "plain" }, items));
  }

  buildFields() {
    return {
      reason: el("input", { type: "text", maxlength: 400, placeholder: "Why the model is wrong" }),
      comment: el("textarea", { rows: 2, maxlength: 2000 }),
      user: el("input", { type: "text", maxlength: 64, value: localStorage.getItem(NAME_KEPT) ?? "", placeholder: "Your name, where you share an account" }),
      complete: el("input", { type: "checkbox" }),
    };
  }
}

function choice(label, values, chosen, change) {
  const buttons = values.map(([value, name, key]) => el(
    "button",
    { type: "button", class: `choice ${value}`, "aria-pressed": String(value === chosen), onclick: () => change(value) },
    name, el("kbd", {}, key),
  ));
  return el("div", { class: "choices", role: "group", "aria-label": label }, el("span", { class: "muted" }, label), ...buttons);
}
