// SPDX-License-Identifier: AGPL-3.0-or-later
// The columns beside the images: whose study, its scans, why the anatomy, and the ranked findings.

import { chip, dicomDate, el, judged, moment, percent, personName, place } from "./dom.js";
import { priorityMark, words } from "./dom.js";
import { address } from "./orthanc.js";
import { wayOf } from "./sayings.js";

const OBJECTS = {
  SR: "Structured report",
  SEG: "Segmentation",
  PR: "Presentation state",
};

export function patientCard(study) {
  const tags = study.MainDicomTags;
  const patient = study.PatientMainDicomTags ?? {};
  const about = [
    ["ID", patient.PatientID],
    ["Born", dicomDate(patient.PatientBirthDate)],
    ["Sex", patient.PatientSex],
    ["Study", [dicomDate(tags.StudyDate), tags.StudyDescription].filter(Boolean).join("  ")],
    ["Accession", tags.AccessionNumber],
  ].filter(([, value]) => value);
  return el(
    "section",
    { class: "card patient" },
    el("h1", {}, personName(patient.PatientName)),
    definitions(about),
    el(
      "p",
      { class: "actions" },
      el("a", { class: "button", href: `#hanging=${study.ID}`, title: "Beside its priors, by anatomy" }, "Hanging"),
    ),
  );
}

export function scanList(scans, chosen, choose) {
  const items = scans.map((scan) => {
    const region = scan.anatomy?.regions.join(", ") || "unknown anatomy";
    const view = scan.anatomy?.view ? ` ${scan.anatomy.view}` : "";
    const top = scan.probabilities.find((item) => item.present);
    return el(
      "li",
      {},
      el(
        "button",
        {
          type: "button",
          class: "scan-button",
          "aria-current": scan.resource === chosen ? "true" : false,
          onclick: () => choose(scan.resource),
        },
        el("span", { class: "scan-name" }, `${scan.modality || "?"}  ${words(region)}${view}`),
        chip(scan.status),
        top ? el("span", { class: "second" }, `${top.name} ${percent(top.probability)}`) : null,
      ),
    );
  });
  return card(`Scans (${scans.length})`, el("ul", { class: "plain" }, items));
}

export function anatomyCard(anatomy) {
  if (!anatomy) return null;
  const regions = anatomy.regions.map(words).join(", ") || "Not recognized";
  const votes = anatomy.votes.map((vote) =>
    el(
      "li",
      { class: "vote" },
      el("span", { class: "vote-name" }, vote.attribute),
      el("span", { class: "second" }, vote.regions.map(words).join(", ")),
      weightBar(vote.weight),
    ),
  );
  const codes = anatomy.codes.map((code) => `${code.meaning} (${code.scheme} ${code.value})`);
  return card(
    "Anatomy",
    el("p", { class: "headline", title: codes.join("; ") },
      [regions, anatomy.view, anatomy.laterality].filter(Boolean).join(" \u00b7 "),
      el("span", { class: "muted" }, `  ${percent(anatomy.confidence)} sure`)),
    votes.length ? el("ul", { class: "plain votes" }, votes) : null,
    anatomy.model ? el("p", { class: "muted" }, `by ${anatomy.model}`) : null,
  );
}

function weightBar(weight) {
  const fill = place(el("span", { class: "fill" }), { width: `${weight * 100}%` });
  return el("span", { class: "meter weight", title: `weight ${weight}` }, fill);
}

export function objectsCard(scan) {
  const stored = scan.objects.map((object) =>
    el(
      "li",
      {},
      el("span", { class: "object-kind" }, object.kind),
      el("a", { href: explorer("instance", object.instance) }, OBJECTS[object.kind]),
      el("a", { class: "quiet small", href: address(object.links.file), download: true }, "DICOM"),
    ),
  );
  const aside = Object.entries(scan.quarantined).map(([kind, error]) =>
    el("li", { class: "bad" }, el("span", { class: "object-kind" }, kind),
      el("span", {}, `not stored: ${error}`)),
  );
  if (!stored.length && !aside.length) return null;
  return card("DICOM objects", el("ul", { class: "plain objects" }, stored, aside));
}

export function handedOverCard(handedOver) {
  if (!handedOver.length) return null;
  const items = handedOver.map((one) =>
    el("li", {}, el("strong", {}, one.application), `, ${one.target}: ${wayOf(one)}`),
  );
  return card("Handed over", el("ul", { class: "plain" }, items));
}

export function provenanceCard(scan, analyse) {
  const stages = Object.entries(scan.milliseconds);
  const total = stages.reduce((sum, [, value]) => sum + value, 0);
  const detail = stages.map(([name, value]) => `${words(name)} ${Math.round(value)} ms`).join("\n");
  const about = [
    ["Model", scan.model ? `${scan.model} ${scan.model_version}` : "\u2014"],
    ["Analysed", moment(scan.finished_at) || "\u2014"],
    ["Took", total ? el("span", { title: detail }, `${(total / 1000).toFixed(2)} s`) : "\u2014"],
  ];
  const level = scan.level === "series" ? "series" : "instance";
  return card(
    "Analysis",
    definitions(about),
    el(
      "p",
      { class: "actions" },
      el("a", { class: "button", href: explorer(level, scan.resource) }, "Orthanc Explorer"),
      el("button", { type: "button", class: "button", onclick: analyse }, "Analyse again"),
    ),
  );
}

export function explorer(kind, identifier) {
  return address(`/app/explorer.html#${kind}?uuid=${identifier}`);
}

export function studyHead(study, content) {
  return el(
    "div",
    { class: "study-head" },
    el("a", { class: "button back", href: "#" }, "\u2190 Worklist"),
    content.status === "done" ? priorityMark({ ...content, judged: content.scans.some((scan) => judged(scan.status)) }) : chip(content.status),
  );
}

function card(title, ...content) {
  return el("section", { class: "card" }, el("h2", {}, title), ...content);
}

function definitions(pairs) {
  const rows = pairs.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
  return el("dl", { class: "definitions" }, rows.flat());
}
