// SPDX-License-Identifier: AGPL-3.0-or-later
// Words that reviewers propose for whitelist and graylist, for a second person to confirm.

import { announce, el, moment, notice } from "./dom.js";
import { ask } from "./orthanc.js";

export class WordList {
  constructor() {
    this.element = el("section", { class: "deid-words", "aria-label": "Words" });
  }

  async show() {
    try {
      const { content } = await ask("/sidelight/deid/terms");
      this.draw(content.terms);
    } catch (error) {
      this.element.replaceChildren(notice("error", "The words can't be shown", error.message));
    }
  }

  draw(terms) {
    if (!terms.length) {
      this.element.replaceChildren(
        notice("empty", "No words yet", "Words are proposed while a tag is kept or redacted."),
      );
      return;
    }
    const waits = (one) => ["proposed", "withdrawal-proposed"].includes(one.state);
    const open = terms.filter(waits);
    const done = terms.filter((one) => !waits(one)).toReversed();
    const heads = ["Word", "List", "Proposed by", "State", ""];
    this.element.replaceChildren(
      el("p", { class: "muted small" },
        "A whitelisted word stays in descriptions, a graylisted one is also a name. Another person than the one who proposed it confirms it, and confirms too that a graylisted word is withdrawn."),
      el("table", {},
        el("thead", {}, el("tr", {}, heads.map((text) => el("th", { scope: "col" }, text)))),
        el("tbody", {}, [...open, ...done].map((one) => this.row(one))),
      ),
      this.said ?? "",
    );
  }

  row(term) {
    const button = (action, label, primary) =>
      el("button", { type: "button", class: primary ? "primary" : "", onclick: () => this.decide(term, action) }, label);
    const states = { "withdrawal-proposed": "withdrawal proposed" };
    const state = term.state === "proposed" ? "proposed" : `${states[term.state] ?? term.state} by ${term.decided_by}, ${moment(term.decided_at)}`;
    const actions = {
      proposed: [term.may_confirm ? button("confirm", "Confirm", true) : null, button("refuse", term.may_confirm ? "Refuse" : "Take back")],
      confirmed: [button("refuse", "Withdraw")],
      "withdrawal-proposed": [term.may_withdraw ? button("refuse", "Withdraw", true) : null, button("confirm", "Keep")],
    };
    return el("tr", { "data-term": term.term },
      el("td", {}, el("strong", {}, term.term)), el("td", {}, term.list),
      el("td", {}, `${term.proposed_by}, ${moment(term.proposed_at)}`), el("td", {}, state),
      el("td", { class: "actions" }, actions[term.state] ?? []),
    );
  }

  async decide(term, action) {
    this.said = el("p", { role: "status" });
    try {
      const headers = { "Content-Type": "application/json" };
      await ask(`/sidelight/deid/terms/${term.id}`, { method: "POST", headers, body: JSON.stringify({ action }) });
      announce(`${term.term}: ${action}ed`);
    } catch (error) {
      this.said.textContent = error.message;
    }
    await this.show();
  }
}
