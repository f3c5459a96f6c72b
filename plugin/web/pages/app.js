// SPDX-License-Identifier: AGPL-3.0-or-later
// Which view is shown, the keys, and whether the service works.

import { AnatomyReviewView } from "./anatomy_review.js";
import { DeidReviewView } from "./deid.js";
import { el, notice } from "./dom.js";
import { HangingView } from "./hanging.js";
import { ModelsView } from "./models.js";
import { ask, studyOf } from "./orthanc.js";
import { StudyView } from "./study.js";
import { WorklistView } from "./worklist.js";

const SERVICE_SECONDS = 15;

const main = document.getElementById("main");
const help = document.getElementById("help");
let view = null;
let shown = "";

function parameters() {
  return new URLSearchParams(location.hash.slice(1));
}

async function open(asked) {
  for (const kind of ["study", "series", "instance"]) {
    const identifier = asked.get(kind);
    if (identifier) {
      const study = await studyOf(kind, identifier);
      return new StudyView(main, study, kind === "study" ? asked.get("scan") : identifier);
    }
  }
  if (asked.has("hanging")) return new HangingView(main, asked.get("hanging"));
  if (asked.has("anatomy")) return new AnatomyReviewView(main);
  if (asked.has("deid-review")) return new DeidReviewView(main);
  if (asked.has("models")) return new ModelsView(main);
  return new WorklistView(main);
}

async function route() {
  const asked = parameters();
  const target = location.hash;
  // Within one study the view itself keeps the address up to date.
  if (view instanceof StudyView && view.study === asked.get("study")) return;
  shown = target;
  view?.close();
  view = null;
  main.replaceChildren(el("p", { class: "loading" }, "Loading\u2026"));
  try {
    const opened = await open(asked);
    if (shown !== target) return opened.close();
    view = opened;
    await view.start();
  } catch (error) {
    if (shown !== target) return;
    const back = el("a", { class: "button", href: "#" }, "Back to the worklist");
    main.replaceChildren(notice("error", "This can't be shown", error.message), back);
  }
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || help.open) return;
  const typing = event.target.closest?.("input, select, textarea");
  if (typing && event.key === "Escape") {
    typing.blur();
    event.preventDefault();
    return;
  }
  // A field keeps what is typed into it, a slider or a list the keys that move it.
  if (typing && (typing.matches("textarea, [type=search], [type=text]") || /^(Arrow|Home|End|Page)/.test(event.key))) return;
  if (event.key === "?") {
    help.showModal();
    event.preventDefault();
  } else if (view?.onKey(event.key, event)) {
    event.preventDefault();
  }
}

async function showService() {
  const element = document.getElementById("service");
  try {
    const { content } = await ask("/sidelight/status");
    const waiting = (content.queue?.queued ?? 0) + (content.queue?.running ?? 0);
    const problems = content.problems ?? [];
    element.className = problems.length ? "service degraded" : "service ok";
    element.title = problems.join("\n");
    const state = problems.length ? "Degraded" : "Ready";
    const doubts = content.anatomy?.review ?? 0;
    document.getElementById("anatomy-link").textContent = doubts ? `Anatomy \u00b7 ${doubts}` : "Anatomy";
    element.textContent = waiting ? `${state} \u00b7 ${waiting} in the queue` : state;
  } catch (error) {
    element.className = "service down";
    element.title = error.message;
    element.textContent = error.status === 401 ? "Please log in again" : "Service not available";
  }
}

document.addEventListener("keydown", onKey);
document.getElementById("help-button").addEventListener("click", () => help.showModal());
window.addEventListener("hashchange", route);
setInterval(() => document.hidden || showService(), SERVICE_SECONDS * 1000);
showService();
route();
