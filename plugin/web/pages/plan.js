// SPDX-License-Identifier: AGPL-3.0-or-later
// Why did this run, why not: the plan of a study in a dialog. It is a dry run and changes nothing.

import { el, notice, OUTCOMES, percent, words } from "./dom.js";
import { ask } from "./orthanc.js";

const ENDS = {
  analysis: "Would be analysed",
  refusal: "Would be refused",
  failure: "Can't be read",
  "own-object": "Made by Sidelight",
  "not-an-image": "Not an image",
  gone: "Deleted",
};

const VERDICTS = {
  runs: "runs",
  refuses: "refuses",
  "dry-run": "dry run",
  disabled: "disabled",
  outranked: "comes after another",
  "does-not-fit": "does not fit",
};

export class PlanDialog {
  constructor() {
    this.body = el("div", { class: "plan-body", tabindex: "0" });
    this.element = el(
      "dialog",
      { class: "plan", "aria-label": "Why did this run, why not" },
      el("h2", {}, "Why did this run, why not?"),
      el("p", { class: "muted small" }, "Decided anew from the header, without analysing anything."),
      this.body,
      el("form", { method: "dialog" }, el("button", { class: "primary", type: "submit" }, "Close")),
    );
  }

  async show(study) {
    if (!this.element.isConnected) document.body.append(this.element);
    this.asked = study;
    this.body.replaceChildren(el("p", { class: "loading" }, "Asking\u2026"));
    this.element.showModal();
    try {
      const { content } = await ask(`/sidelight/plan?study=${study}`);
      if (this.asked !== study) return;
      const scans = content.studies.flatMap((one) => [
        ...one.scans.map(scanOf),
        ...one.routing.map(handoverOf),
      ]);
      const left = content.studies.reduce((sum, one) => sum + one.left_out, 0);
      if (left) scans.push(el("p", { class: "muted" }, `${left} more images are left out.`));
      this.body.replaceChildren(...(scans.length ? scans : [el("p", {}, "No images in this study.")]));
    } catch (error) {
      this.body.replaceChildren(notice("error", "The plan can't be made", error.message));
    }
  }

  close() {
    this.element.close();
    this.element.remove();
  }
}

const count = (images) => (images === 1 ? "1 image" : `${images} images`);

function scanOf(scan) {
  const images = count(scan.instances);
  const did = scan.did ? `It ended with: ${OUTCOMES[scan.did.status] ?? scan.did.status}` : "Not analysed so far";
  return el(
    "section",
    { class: "card" },
    el(
      "h3",
      {},
      scan.category || words(scan.level),
      el("span", { class: "muted small" }, `  ${images}`),
    ),
    el("p", {}, el("strong", {}, ENDS[scan.would_end] ?? "Would not run"), `: ${scan.reason}`),
    el("p", { class: "second" }, did, scan.did?.model ? ` (${scan.did.model} ${scan.did.model_version})` : ""),
    scan.anatomy ? anatomyOf(scan.anatomy) : null,
    scan.applications.map(applicationOf),
  );
}

// What the table of applications hands over of the study, and what became of it.
function handoverOf(one) {
  const { target, zone } = one.destination;
  const sent = one.deliveries.filter((delivery) => delivery.this_set);
  const late = one.handover === "another-set" ? "Another set was handed over; this one arose afterwards" : null;
  const ended = sent.length ? `Delivery: ${sent[0].status}` : (late ?? "Not handed over so far");
  const why = sent[0]?.reason ? ` (${sent[0].reason})` : "";
  return el(
    "section",
    { class: "card" },
    el("h3", {}, one.application, el("span", { class: "muted small" }, `  ${target}, ${zone}`)),
    el("p", {}, el("strong", {}, words(one.decision)), `: ${one.reason}`),
    one.set.length ? el("p", { class: "second" }, ended, why) : null,
    one.set.map((part) =>
      el(
        "p",
        { class: "small" },
        part.prior ? `Prior ${part.prior}, ${part.days_before} days before` : "Current",
        `: ${part.modality} ${part.regions.join(", ")}, ${count(part.instances)}`,
      ),
    ),
    one.candidates.length ? candidatesOf(one) : null,
  );
}

function candidatesOf(one) {
  const when = (days) =>
    days === null ? "Undated" : days < 0 ? `${-days} days later` : days ? `${days} days before` : "Same day";
  const left = one.candidates_left_out ? [el("li", {}, `${one.candidates_left_out} more`)] : [];
  return el(
    "details",
    {},
    el("summary", {}, "Other studies with the same Patient ID"),
    el(
      "ul",
      { class: "plain small" },
      one.candidates.map((other) => el("li", {}, `${when(other.days_before)}: ${words(other.reason)}`)),
      left,
    ),
  );
}

function anatomyOf(anatomy) {
  const regions = anatomy.regions.join(", ") || "no region";
  const votes = anatomy.votes.map(
    (vote) => `${vote.attribute}: ${vote.regions.join(", ") || "none"} (${percent(vote.weight)})`,
  );
  return el(
    "details",
    {},
    el("summary", {}, `Anatomy: ${regions}, ${percent(anatomy.confidence)} sure`),
    el("ul", { class: "plain small" }, votes.map((vote) => el("li", {}, vote))),
  );
}

function applicationOf(application) {
  const checks = (rule) =>
    el(
      "ul",
      { class: "plain checks" },
      rule.checks.map((check) =>
        el(
          "li",
          { class: check.holds ? "holds" : "fails" },
          el("span", {}, words(check.condition)),
          el("span", {}, check.found),
          el("span", { class: "muted" }, `wanted: ${check.wanted}`),
        ),
      ),
    );
  return el(
    "details",
    { open: application.verdict !== "does-not-fit" },
    el(
      "summary",
      {},
      `${application.model} ${application.version}: `,
      el("strong", { class: `verdict-${application.verdict}` }, VERDICTS[application.verdict]),
    ),
    el("p", { class: "second" }, application.reason),
    application.rules.map(checks),
  );
}
