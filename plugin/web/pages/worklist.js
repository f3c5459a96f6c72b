// SPDX-License-Identifier: AGPL-3.0-or-later
// The worklist: analysed studies, the most urgent first.

import { chip, dicomDate, el, judged, moment, notice, OUTCOMES, percent, personName } from "./dom.js";
import { priorityMark, probabilityBar } from "./dom.js";
import { ask } from "./orthanc.js";
import { PlanDialog } from "./plan.js";

const REFRESH_SECONDS = 10;
const LIMIT = 500;
const COLUMNS = ["Priority", "Patient", "Study", "Outcome", "Leading findings", "Analysed"];
const PRIORITY_CHOICES = [["Any priority", 0], ["Routine and above", 1], ["Urgent and above", 2], ["Time-critical", 3]];
const URGENT = 2;
const ENDS = { Home: 0, End: -1 };

export class WorklistView {
  constructor(root) {
    this.root = root;
    this.studies = [];
    this.current = sessionStorage.getItem("sidelight.study") ?? "";
    this.text = "";
    this.outcome = "";
    this.priority = 0;
    this.plan = new PlanDialog();
  }

  async start() {
    document.title = "Sidelight \u00b7 worklist";
    this.search = el("input", {
      type: "search",
      placeholder: "Filter by patient, accession, description\u2026",
      "aria-label": "Filter the worklist",
      autocomplete: "off",
      oninput: () => this.filter(),
      onkeydown: (event) => this.onSearchKey(event),
    });
    this.tabs = el("div", { class: "tabs", role: "group", "aria-label": "Outcome" });
    this.urgency = el(
      "select",
      { "aria-label": "Priority", onchange: () => this.from(Number(this.urgency.value)) },
      PRIORITY_CHOICES.map(([label, value]) => el("option", { value: String(value) }, label)),
    );
    this.count = el("span", { class: "muted", role: "status" });
    this.banner = el("p", { class: "disclaimer", role: "note", hidden: true });
    this.body = el("div", { class: "worklist-body" });
    const bar = el(
      "div",
      { class: "worklist-bar" },
      el("h1", {}, "Worklist"),
      this.count,
      el("span", { class: "spring" }),
      this.tabs,
      this.urgency,
      this.search,
    );
    this.root.replaceChildren(el("div", { class: "worklist" }, this.banner, bar, this.body));
    await this.refresh();
    this.timer = setInterval(() => document.hidden || this.refresh(), REFRESH_SECONDS * 1000);
  }

  close() {
    clearInterval(this.timer);
    this.plan.close();
    this.closed = true;
  }

  async refresh() {
    try {
      const { content } = await ask(`/sidelight/worklist?limit=${LIMIT}`);
      const text = JSON.stringify(content);
      if (this.closed || text === this.received) return;
      this.received = text;
      this.studies = content.studies;
      this.total = content.total;
      this.draw();
    } catch (error) {
      if (this.closed) return;
      this.received = "";
      this.body.replaceChildren(notice("error", "The worklist can't be loaded", error.message));
    }
  }

  from(priority) {
    this.priority = priority;
    this.urgency.value = String(priority);
    this.draw();
  }

  filter() {
    this.text = this.search.value.trim().toLowerCase();
    this.draw();
  }

  onSearchKey(event) {
    if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      this.focus(this.visible()[0]?.study);
    }
  }

  visible() {
    return this.studies.filter((study) => {
      if (this.outcome && !(this.outcome in study.outcomes)) return false;
      if (study.priority < this.priority) return false;
      const about = [
        personName(study.patient.name), study.patient.name, study.patient.id,
        study.accession_number, study.study_description, study.priority_reason, ...study.modalities,
      ];
      return about.join("\n").toLowerCase().includes(this.text);
    });
  }

  draw() {
    const focused = this.body.contains(document.activeElement);
    const studies = this.visible();
    this.drawTabs();
    const disclaimers = new Set(studies.flatMap((study) => study.disclaimers));
    this.banner.hidden = !disclaimers.size;
    this.banner.textContent = [...disclaimers].join(" \u00b7 ");
    this.count.textContent =
      studies.length === this.total ? `${this.total} studies` : `${studies.length} of ${this.total}`;
    if (!studies.length) {
      const nothing = this.studies.length
        ? notice("empty", "No study matches", "Change the filter above.")
        : notice("empty", "No analysed studies yet", "Studies appear here as soon as they are analysed.");
      this.body.replaceChildren(nothing);
      return;
    }
    if (!studies.some((study) => study.study === this.current)) this.current = studies[0].study;
    const head = el("tr", {}, COLUMNS.map((name) => el("th", { scope: "col" }, name)));
    const rows = studies.map((study) => this.row(study));
    this.body.replaceChildren(el("table", {}, el("thead", {}, head), el("tbody", {}, rows)));
    if (focused || document.activeElement === document.body) this.focus(this.current);
  }

  drawTabs() {
    const counts = {};
    for (const study of this.studies) {
      for (const outcome of Object.keys(study.outcomes)) {
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      }
    }
    const tab = (outcome, label, count) =>
      el(
        "button",
        {
          type: "button",
          class: "tab",
          "aria-pressed": String(this.outcome === outcome),
          onclick: () => this.show(outcome),
        },
        label,
        el("span", { class: "count" }, String(count)),
      );
    const known = Object.keys(OUTCOMES).filter((outcome) => counts[outcome] || outcome === this.outcome);
    this.outcomes = ["", ...known];
    this.tabs.replaceChildren(
      tab("", "All", this.studies.length),
      ...known.map((outcome) => tab(outcome, OUTCOMES[outcome], counts[outcome] ?? 0)),
    );
  }

  show(outcome) {
    this.outcome = outcome;
    this.draw();
  }

  row(study) {
    const link = el(
      "a",
      {
        href: `#study=${study.study}`,
        class: "row-link",
        tabindex: study.study === this.current ? "0" : "-1",
        onfocus: () => this.remember(study.study),
      },
      personName(study.patient.name),
    );
    const outcomes = Object.entries(study.outcomes).map(([name, count]) => chip(name, count));
    const about = [study.modalities.join(", "), study.accession_number].filter(Boolean);
    return el(
      "tr",
      { class: `p${study.priority}`, "data-study": study.study, onclick: () => link.click() },
      el("td", { class: "why" }, urgencyOf(study)),
      el("td", {}, link, el("span", { class: "second" }, study.patient.id)),
      el(
        "td",
        {},
        el("span", {}, `${dicomDate(study.study_date)}  ${study.study_description}`),
        el("span", { class: "second" }, about.join(" \u00b7 ")),
      ),
      el("td", {}, el("span", { class: "chips" }, outcomes)),
      el("td", { class: "leading" }, leadingOf(study)),
      el("td", { class: "time" }, moment(study.finished_at)),
    );
  }

  remember(study) {
    this.current = study;
    sessionStorage.setItem("sidelight.study", study);
    for (const link of this.body.querySelectorAll(".row-link")) {
      link.tabIndex = link.closest("tr").dataset.study === study ? 0 : -1;
    }
  }

  focus(study) {
    this.body.querySelector(`tr[data-study="${study}"] .row-link`)?.focus();
  }

  onKey(key) {
    if (this.plan.element.open) return false;
    const studies = this.visible();
    const at = studies.findIndex((study) => study.study === this.current);
    const inside = this.body.contains(document.activeElement);
    const steps = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
    if (key in steps) {
      const next = inside ? at + steps[key] : at;
      this.focus(studies[Math.min(Math.max(next, 0), studies.length - 1)]?.study);
    } else if (key in ENDS) {
      this.focus(studies.at(ENDS[key])?.study);
    } else if (/^[1-9]$/.test(key) && this.outcomes?.[key - 1] !== undefined) {
      this.show(this.outcomes[key - 1]);
    } else if (key === "u") {
      this.from(this.priority === URGENT ? 0 : URGENT);
    } else if (key === "w" && studies[at]) {
      this.plan.show(studies[at].study);
    } else if (key === "/") {
      this.search.focus();
    } else {
      return false;
    }
    return true;
  }
}

// The mark, how soon somebody should look, and why.
function urgencyOf(study) {
  const mark = priorityMark({ ...study, judged: Object.keys(study.outcomes).some(judged) });
  const within = study.within_minutes && `within ${duration(study.within_minutes)}`;
  return [
    el("span", { class: "urgency" }, mark, within ? el("span", { class: "within" }, within) : null),
    study.priority_reason ? el("span", { class: "reason" }, study.priority_reason) : null,
  ];
}

function duration(minutes) {
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
}

function leadingOf(study) {
  if (study.top.length) return study.top.slice(0, 2).map(leading);
  const { reason } = study;
  return [el("span", { class: "reason" }, reason && reason.charAt(0).toUpperCase() + reason.slice(1))];
}

function leading(item) {
  return el(
    "span",
    { class: item.present ? "lead present" : "lead" },
    el("span", { class: "lead-name" }, item.name),
    probabilityBar(item),
    el("span", { class: "lead-value" }, percent(item.probability)),
  );
}
