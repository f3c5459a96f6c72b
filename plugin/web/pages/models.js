// SPDX-License-Identifier: AGPL-3.0-or-later
// Versions of models: how a new one compares with the old one, and a person's decision about it.

import { announce, el, moment, notice, place, words } from "./dom.js";
import { ask } from "./orthanc.js";

const FULL_SCALE = 0.1;
const ACTIONS = { promote: "Promote", reject: "Reject", "roll-back": "Roll back" };

export class ModelsView {
  constructor(main) {
    this.main = main;
    this.list = el("div", { class: "models" });
  }

  async start() {
    this.main.replaceChildren(
      el("section", { class: "models-page" }, el("h1", {}, "Models"), this.list),
    );
    await this.show();
  }

  async show() {
    const [{ content: known }, { content: served }] = await Promise.all([
      ask("/sidelight/versions"),
      ask("/sidelight/models"),
    ]);
    const listed = new Set(known.models.map((one) => one.name));
    const single = served.models.filter((one) => !listed.has(one.name));
    this.list.replaceChildren(
      ...known.models.map((one) => this.model(one, known.may_decide)),
      ...single.map(shipped),
    );
    if (!this.list.children.length) {
      this.list.append(notice("info", "No model is served", "The status at the top says why."));
    }
  }

  model(model, mayDecide) {
    const rows = model.versions.map((one) => this.version(model, one, mayDecide));
    const serves = model.versions.some((one) => one.state === "served" && one.decision);
    const back = mayDecide && serves ? this.decider(model.name, "", ["roll-back"]) : null;
    return el("section", { class: "card model" }, el("h2", {}, model.name), rows, back);
  }

  version(model, one, mayDecide) {
    const decided = one.decision
      ? `${words(one.decision.action)} by ${one.decision.by}, ${moment(one.decision.at)}: ${one.decision.reason}`
      : "Nobody has decided about it.";
    const comparison = el("div", { class: "comparison" });
    const open = one.compared && one.state === "waiting";
    const details = one.compared
      ? el(
          "details",
          { open, ontoggle: (event) => event.target.open && this.compare(comparison, one) },
          el("summary", {}, "Compared with the version before it"),
          comparison,
        )
      : el("p", { class: "muted small" }, "Not compared with another version.");
    const actions = { waiting: ["promote", "reject"], earlier: ["promote"], rejected: ["promote"] };
    const possible = mayDecide ? (actions[one.state] ?? []) : [];
    return el(
      "article",
      { class: `version ${one.state}` },
      el("h3", {}, one.version, " ", el("span", { class: `chip version-${one.state}` }, words(one.state))),
      el("p", { class: "second" }, decided),
      details,
      possible.length ? this.decider(model.name, one.version, possible) : null,
      one.state === "waiting" && !mayDecide ? el("p", { class: "muted small" }, command(model.name, one)) : null,
    );
  }

  async compare(comparison, one) {
    if (comparison.childElementCount) return;
    comparison.replaceChildren(el("p", { class: "loading" }, "Loading\u2026"));
    try {
      const { content } = await ask(one.links.comparison);
      comparison.replaceChildren(...compared(content));
    } catch (error) {
      comparison.replaceChildren(notice("error", "It can't be shown", error.message));
    }
  }

  decider(name, version, actions) {
    const reason = el("input", {
      type: "text",
      maxlength: "400",
      required: true,
      placeholder: "Reason",
      "aria-label": `Reason, ${name} ${version}`,
    });
    const said = el("p", { class: "said", role: "status" });
    const decide = async (action) => {
      if (!reason.reportValidity()) return;
      said.textContent = "Commissioning\u2026";
      try {
        const body = JSON.stringify({ action, version, reason: reason.value.trim() });
        const headers = { "Content-Type": "application/json" };
        await ask(`/sidelight/versions/${name}`, { method: "POST", body, headers });
        announce(`${words(action)}: ${name} ${version}`);
        await this.show();
      } catch (error) {
        said.textContent = error.message;
      }
    };
    const buttons = actions.map((action) =>
      el(
        "button",
        { type: "button", class: action === "promote" ? "primary" : "", onclick: () => decide(action) },
        ACTIONS[action],
      ),
    );
    return el("div", { class: "decider" }, reason, buttons, said);
  }

  onKey() {
    return false;
  }

  close() {}
}

const command = (name, one) =>
  `An account that Sidelight.Inference.Deciders names can decide here; or use: sidelight models promote ${name} ${one.version}`;

function shipped(model) {
  return el(
    "section",
    { class: "card model" },
    el("h2", {}, model.name),
    el("p", {}, `${model.version}, the only version. ${model.title}.`),
    el("p", { class: "muted small" }, model.disclaimer),
  );
}

const number = (value, digits = 3) => (value === null || value === undefined ? "\u2013" : value.toFixed(digits));

function verdict(one) {
  if (one.auc_low === null || one.auc_high === null) return "alike";
  if (one.auc_low > 0) return "better";
  return one.auc_high < 0 ? "worse" : "alike";
}

function compared(found) {
  // Models that give no scores are compared by what they find of what is there.
  const scored = Object.values(found.differences).some((one) => one.auc !== null);
  const [figure, name, cases] = scored ? ["auc", "AUC", "images"] : ["sensitivity", "found", "cases"];
  const only = (parts) => (scored ? parts : []);
  const heads = ["class", "positives", `${name} ${found.old.version}`, `${name} ${found.new.version}`, ...only(["difference, 95 %", "", "pointing"]), "mended", "broken"];
  const rows = Object.entries(found.differences).map(([key, one]) => {
    const [old, now] = [found.old.figures.classes[key], found.new.figures.classes[key]];
    const which = verdict(one);
    const interval =
      one.auc === null ? "\u2013" : `${one.auc >= 0 ? "+" : ""}${number(one.auc)} (${number(one.auc_low)} \u2026 ${number(one.auc_high)})`;
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, words(key)),
      el("td", {}, `${now.positives} of ${now.images}`),
      el("td", {}, number(old[figure])),
      el("td", {}, number(now[figure])),
      ...only([
        el("td", { class: which }, interval),
        el("td", { class: which }, bar(one)),
        el("td", {}, `${number(old.pointing, 2)} \u2192 ${number(now.pointing, 2)}`),
      ]),
      el("td", {}, `${one.mended}`),
      el("td", {}, `${one.broken}`),
    );
  });
  const lone = [
    [found.old.version, found.only_old],
    [found.new.version, found.only_new],
  ].filter(([, keys]) => keys.length);
  return [
    el(
      "p",
      { class: "muted small" },
      `${found.images} held-out ${cases}. `,
      ...only(["Better or worse: the 95 % interval of the difference leaves out zero. "]),
      `Mended, broken: ${cases} on which only the new, only the old version is right. `,
      `Mean calibration error ${number(found.old.figures.calibration_error)} \u2192 ${number(found.new.figures.calibration_error)}.`,
    ),
    el(
      "table",
      { class: "figures" },
      el("thead", {}, el("tr", {}, heads.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, rows),
    ),
    ...lone.map(([version, keys]) => el("p", {}, `Only ${version} looks for ${keys.map(words).join(", ")}.`)),
  ];
}

// The interval around zero, up to a tenth of AUC either way.
function bar(one) {
  if (one.auc_low === null || one.auc_high === null || one.auc === null) return "";
  const at = (value) => 50 + 50 * Math.max(-1, Math.min(1, value / FULL_SCALE));
  const [low, middle, high] = [at(one.auc_low), at(one.auc), at(one.auc_high)];
  const line = place(el("span", { class: "line" }), { left: `${low}%`, width: `${high - low}%` });
  const dot = place(el("span", { class: "dot" }), { left: `${middle}%` });
  return el("span", { class: "interval", "aria-hidden": "true" }, el("span", { class: "zero" }), line, dot);
}
