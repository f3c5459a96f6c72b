// SPDX-License-Identifier: AGPL-3.0-or-later
// What is said in place of heat maps, where a scan has none.

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

const WAYS = {
  queued: "waits to be sent",
  sent: "sent",
  superseded: "superseded by a later set",
  dead: "could not be sent",
};

// How far a set is that the table of applications hands over.
export function wayOf({ status, reason }) {
  const way = WAYS[status] ?? status;
  return status === "dead" && reason ? `${way}: ${reason}` : way;
}

// Title, text and reason for a scan.
export function sayingOf(scan, handedOver) {
  if (scan.status === "no-application" && handedOver.length) {
    const named = handedOver.map((one) => `${one.application} (${wayOf(one)})`).join(", ");
    return ["Handed over", "No model of this site is made for this kind of scan.", `the study goes to ${named}`];
  }
  const [title, text] = SAYINGS[scan.status] ?? [scan.status, ""];
  return [title, text, scan.reason];
}
