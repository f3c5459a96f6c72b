// SPDX-License-Identifier: AGPL-3.0-or-later
// Series whose anatomy is in doubt, one after the other: what each witness says, a picture, and a
// reviewer's word by one key. The next series is fetched while one is looked at.

import { announce, el, notice, percent, words } from "./dom.js";
import { address, ask } from "./orthanc.js";
import { NAME_KEPT } from "./review.js";
import { slicesOf } from "./slices.js";

const REGIONS = [
  "whole body", "head", "neck", "spine", "chest",
  "breast", "abdomen", "pelvis", "upper limb", "lower limb",
];
const WITNESSES = {
  metadata: "Tags",
  pixels: "Pixels",
  siblings: "Other series of the study",
  priors: "Prior studies",
  worklist: "Worklist",
};
const MOST = 1000;
const USUAL_REASON = "images looked at";

export class AnatomyReviewView {
  constructor(main) {
    this.main = main;
    this.listed = [];
    this.at = 0;
    this.fetched = new Map();
    this.reason = el("input", { type: "text", maxlength: 400, value: USUAL_REASON });
    this.user = el("input", {
      type: "text",
      maxlength: 64,
      value: localStorage.getItem(NAME_KEPT) ?? "",
      placeholder: "Your name, where you share an account",
    });
    this.said = el("p", { class: "said", role: "status" });
    this.card = el("div", { class: "doubt" });
  }

  async start() {
    this.listed = await allInDoubt();
    this.count = el("span", { class: "muted" });
    const fields = el(
      "div",
      { class: "decider" },
      el("label", {}, "Reason ", this.reason),
      el("label", {}, "Reader ", this.user),
    );
    this.page = el(
      "section",
      { class: "anatomy-page" },
      el("h1", {}, "Anatomy in doubt ", this.count),
      this.card,
      fields,
      this.said,
    );
    this.main.replaceChildren(this.page);
    await this.show();
  }

  // The answer and the pictures of one series; a failure is told when the series is looked at.
  fetch(listed) {
    if (!this.fetched.has(listed.series)) {
      const both = Promise.all([ask(listed.links.anatomy), slicesOf(listed.series)]).then(
        ([{ content }, images]) => {
          const middle = Math.floor(images.length / 2);
          if (images.length) new Image().src = address(images[middle]);
          return { anatomy: content, images, slice: middle };
        },
      );
      both.catch(() => this.fetched.delete(listed.series));
      this.fetched.set(listed.series, both);
    }
    return this.fetched.get(listed.series);
  }

  async show() {
    this.count.textContent = this.listed.length ? `${this.at + 1} of ${this.listed.length}` : "";
    const listed = this.listed[this.at];
    this.shown = null;
    if (!listed) {
      const text = "Tags, pixels and prior studies agree, or a reader has decided.";
      this.main.replaceChildren(notice("info", "No series is in doubt", text));
      return;
    }
    try {
      const found = await this.fetch(listed);
      if (this.listed[this.at] !== listed) return;
      this.shown = { listed, ...found };
      this.choices = choicesOf(found.anatomy);
      this.draw();
    } catch (error) {
      this.card.replaceChildren(notice("error", "This series can't be shown", error.message));
    }
    const next = this.listed[this.at + 1];
    if (next) this.fetch(next).catch(() => {});
  }

  draw() {
    const { listed, anatomy } = this.shown;
    this.picture = el("img", { alt: `A slice of the series, ${listed.modality}` });
    this.number = el("figcaption", { class: "muted small" });
    this.regions = regionsOf(anatomy.anatomy.regions, () => this.saveRegions());
    this.card.replaceChildren(
      el("figure", { class: "look" }, this.picture, this.number),
      el(
        "div",
        { class: "asked" },
        el("p", { class: "why" }, words(anatomy.review)),
        el("ol", { class: "plain answers" }, this.choices.map((one, at) => this.choice(one, at))),
        this.regions.element,
        votesOf(anatomy.recognized.votes),
        el("p", {}, el("a", { href: `#study=${listed.study}` }, "Open the study")),
      ),
    );
    this.slide(0);
  }

  choice(one, at) {
    const press = () => this.save(one.regions);
    return el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: at ? "" : "primary", onclick: press },
        el("kbd", {}, String(at + 1)),
        ` ${words(one.regions.join(", "))}`,
      ),
      el("span", { class: "second" }, one.by.join("; ")),
    );
  }

  slide(step) {
    const { shown } = this;
    if (!shown?.images.length) return;
    shown.slice = Math.min(Math.max(shown.slice + step, 0), shown.images.length - 1);
    this.picture.src = address(shown.images[shown.slice]);
    this.number.textContent = `${shown.listed.modality}, image ${shown.slice + 1} of ${shown.images.length}`;
  }

  saveRegions() {
    const regions = this.regions.chosen();
    if (regions.length) this.save(regions);
    else this.said.textContent = "Choose a region.";
  }

  async save(regions) {
    const { shown } = this;
    if (!shown || this.saving || !this.reasonGiven()) return;
    this.saving = true;
    try {
      const user = this.user.value.trim();
      const body = JSON.stringify({ regions, user, reason: this.reason.value.trim() });
      const headers = { "Content-Type": "application/json" };
      await ask(shown.listed.links.anatomy, { method: "POST", body, headers });
      localStorage.setItem(NAME_KEPT, user);
      this.reason.value = USUAL_REASON;
      this.listed = this.listed.filter((one) => one !== shown.listed);
      this.at = Math.min(this.at, Math.max(0, this.listed.length - 1));
      this.said.textContent = `Saved: ${regions.join(", ")}`;
      announce(this.said.textContent);
    } catch (error) {
      this.said.textContent = `Not saved: ${error.message}`;
      return;
    } finally {
      this.saving = false;
    }
    await this.show();
  }

  reasonGiven() {
    if (this.reason.value.trim()) return true;
    this.said.textContent = "Say why.";
    this.reason.focus();
    return false;
  }

  go(step) {
    const next = this.at + step;
    if (next < 0 || next >= this.listed.length) return;
    this.at = next;
    this.said.textContent = "";
    this.show();
  }

  onKey(key) {
    if (/^[1-9]$/.test(key)) {
      const one = this.shown && this.choices[Number(key) - 1];
      if (one) this.save(one.regions);
      return true;
    }
    const keys = {
      Escape: () => (location.hash = ""),
      j: () => this.go(1),
      k: () => this.go(-1),
      "]": () => this.slide(1),
      "[": () => this.slide(-1),
      e: () => this.shown && this.regions.open(),
      o: () => this.shown && (location.hash = `#study=${this.shown.listed.study}`),
    };
    if (key === "Enter" && this.regions?.element.open && !document.activeElement?.matches("button, a, summary")) {
      this.saveRegions();
      return true;
    }
    if (!(key in keys)) return false;
    keys[key]();
    return true;
  }

  close() {}
}

// The answer that stands first, then each other one that a witness gave, with who gave it.
function choicesOf({ anatomy, agreement }) {
  const choices = [{ regions: anatomy.regions, by: [`as it stands, ${percent(anatomy.confidence)}`] }];
  for (const one of agreement?.witnesses ?? []) {
    if (!one.regions.length) continue;
    const same = choices.find((choice) => choice.regions.join() === one.regions.join());
    const application = one.application ? `, application ${one.application}` : "";
    const said = `${WITNESSES[one.name]}, ${percent(one.confidence)}${application}`;
    if (same) same.by.push(said);
    else choices.push({ regions: one.regions, by: [said] });
  }
  return choices.filter((choice) => choice.regions.length);
}

// One answer may end before all series were looked at; it says where to go on.
async function allInDoubt() {
  const found = [];
  let next = "";
  do {
    const asked = `/sidelight/series?review=true&limit=${MOST - found.length}${next}`;
    const { content } = await ask(asked);
    found.push(...content.series);
    next = content.more ? `&after=${content.after}` : "";
  } while (next && found.length < MOST);
  return found;
}

function regionsOf(chosen, save) {
  const boxes = REGIONS.map((name) => el("input", { type: "checkbox", value: name, checked: chosen.includes(name) }));
  const element = el(
    "details",
    { class: "regions" },
    el("summary", {}, el("kbd", {}, "e"), " Other regions"),
    el("div", { class: "region-boxes" }, boxes.map((box) => el("label", {}, box, ` ${box.value}`))),
    el("button", { type: "button", onclick: save }, "Save these regions"),
  );
  return {
    element,
    chosen: () => boxes.filter((box) => box.checked).map((box) => box.value),
    open: () => {
      element.open = true;
      boxes[0].focus();
    },
  };
}

function votesOf(votes) {
  const rows = votes.map((one) =>
    el(
      "tr",
      {},
      el("td", {}, one.attribute),
      el("td", {}, one.regions.join(", ") || "\u2013"),
      el("td", {}, one.weight.toFixed(2)),
    ),
  );
  const heads = ["Vote of", "Regions", "Weight"].map((head) => el("th", { scope: "col" }, head));
  return el("table", { class: "votes" }, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows));
}
