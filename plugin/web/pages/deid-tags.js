// SPDX-License-Identifier: AGPL-3.0-or-later
// The tags of one image: what became of each, both values, and what a reviewer decides of them.

import { el } from "./dom.js";

const WORD = /[\p{L}]{2,40}/gu;
const MOST_WORDS = 12;

export class TagList {
  constructor(changed) {
    this.changed = changed;
    this.at = -1;
    this.all = false;
    this.body = el("div", { class: "tag-rows" });
    this.element = el("section", { class: "deid-tags", "aria-label": "Tags" }, el("h2", {}, "Tags"), this.body);
  }

  show(draft) {
    this.draft = draft;
    this.at = -1;
    this.draw();
  }

  // Those a reviewer may decide about come first; what only links objects comes last.
  rows() {
    const weight = (tag) => (tag.may_keep ? 0 : tag.may_redact ? 1 : tag.action === "added" ? 3 : 2);
    return this.draft.detail.tags
      .filter((tag) => tag.changed || tag.may_redact)
      .toSorted((one, other) => weight(one) - weight(other) || one.path.localeCompare(other.path));
  }

  draw() {
    this.listed = this.rows();
    this.body.replaceChildren(...this.listed.map((tag, at) => this.row(tag, at)));
    this.body.children[this.at]?.scrollIntoView({ block: "nearest" });
  }

  row(tag, at) {
    const { draft } = this;
    const decided = draft.redact.has(tag.path) ? "redact" : draft.keep.has(tag.path) ? "keep" : "";
    const word = { redact: "redact", keep: "keep original" }[decided] ?? tag.action;
    const name = tag.keyword || tag.shown_path;
    return el(
      "article",
      { class: `tag ${decided}${at === this.at ? " current" : ""}`, "data-path": tag.path, onclick: () => this.go(at) },
      tag.within ? el("p", { class: "tag-within" }, `${tag.within} \u203a`) : null,
      el("header", {}, el("strong", {}, name), el("span", { class: "chip" }, word)),
      el("p", { class: "values" }, el("del", {}, tag.original || "\u2014"), el("ins", {}, tag.result || "\u2014")),
      el("p", { class: "second" }, `${tag.shown_path} \u00b7 ${tag.rule}`),
      at === this.at ? this.choices(tag, decided) : null,
    );
  }

  choices(tag, decided) {
    const button = (kind, label, may) =>
      may
        ? el("button", { type: "button", "aria-pressed": String(decided === kind), onclick: (event) => this.choose(event, kind, tag) }, label)
        : null;
    const list = { redact: "graylist", keep: "whitelist" }[decided];
    const words = list ? [...new Set(tag.original.match(WORD) ?? [])].slice(0, MOST_WORDS) : [];
    return el(
      "div",
      { class: "choices" },
      button("redact", "Redact (r)", this.may("redact", tag)),
      button("keep", "Keep original (f)", this.may("keep", tag)),
      words.length ? el("p", { class: "small muted" }, `Propose for the ${list}:`) : null,
      words.map((word) =>
        el("button", {
          type: "button", class: "word", "aria-pressed": String(this.draft.hasTerm(word, list)),
          onclick: (event) => {
            event.stopPropagation();
            this.draft.toggleTerm(word, list);
            this.draw();
            this.changed();
          },
        }, word),
      ),
    );
  }

  // What was decided can be undone, also after it was carried out.
  may(kind, tag) {
    const may = kind === "redact" ? tag.may_redact : tag.may_keep;
    return may || this.draft.detail.draft[kind].includes(tag.path);
  }

  choose(event, kind, tag) {
    event?.stopPropagation();
    this.draft.toggle(kind, tag.path);
    this.draw();
    this.changed();
  }

  go(at) {
    this.at = Math.max(0, Math.min(this.listed.length - 1, at));
    this.draw();
  }

  step(by) {
    this.go(this.at + by);
  }

  decide(kind) {
    const tag = this.listed?.[this.at];
    if (tag && this.may(kind, tag)) this.choose(null, kind, tag);
  }
}
