// SPDX-License-Identifier: AGPL-3.0-or-later
// The keys of the study view; index.html lists them.

const OPACITY_STEP = 0.1;
const ORDERS = ["probability", "severity", "preference"];

// True when the key means something here.
export function shortcut(view, key) {
  const { look } = view.viewer;
  if (/^[1-9]$/.test(key)) {
    const finding = view.shown()[Number(key) - 1];
    if (finding) view.choose(finding.key);
    return true;
  }
  const keys = {
    Escape: () => leave(view),
    o: () => view.set({ overlay: !look.overlay }),
    s: () => view.set({ smooth: !look.smooth }),
    f: () => view.set({ style: look.style === "saliency" ? "probability" : "saliency" }),
    m: () => view.set({ masked: !look.masked }),
    g: () => view.set({ contours: !look.contours }),
    t: () => view.set({ table: !look.table }),
    l: () => nextLevel(view),
    a: () => view.maps && view.reorder(ORDERS[(ORDERS.indexOf(view.order) + 1) % ORDERS.length]),
    b: () => view.showSubset({ presentOnly: !view.presentOnly }),
    c: () => view.toggleAll(),
    v: () => nextVersion(view),
    w: () => view.view.classList.toggle("wide"),
    i: () => view.viewer.resetWindow(),
    z: () => view.viewer.resetView(),
    r: () => view.toggleReview(),
    "+": () => view.set({ opacity: Math.min(1, stepped(look.opacity, 1)) }),
    "=": () => view.set({ opacity: Math.min(1, stepped(look.opacity, 1)) }),
    "-": () => view.set({ opacity: Math.max(0, stepped(look.opacity, -1)) }),
    j: () => move(view, 1),
    k: () => move(view, -1),
    ArrowDown: () => move(view, 1),
    ArrowUp: () => move(view, -1),
    n: () => moveScan(view, 1),
    p: () => moveScan(view, -1),
    "]": () => view.step(1),
    "[": () => view.step(-1),
    ...reviewKeys(view.review),
  };
  if (!(key in keys)) return false;
  keys[key]();
  return true;
}

function reviewKeys(review) {
  if (!review.active) return {};
  return {
    h: () => review.setTool("too-high"),
    u: () => review.setTool("too-low"),
    e: () => review.setTool("as-model"),
    y: () => review.judge("present"),
    x: () => review.judge("absent"),
    d: () => review.judge("as-model"),
    // On a button Enter presses it.
    ...(document.activeElement?.matches("button, a, select") ? {} : { Enter: () => review.save() }),
  };
}

// One thing at a time: the close-up, the review, then the study.
function leave(view) {
  if (view.viewer.picked) view.viewer.pick(null);
  else if (view.review.active) view.toggleReview();
  else location.hash = "";
}

function stepped(opacity, by) {
  return Math.round((opacity + by * OPACITY_STEP) * 10) / 10;
}

function nextLevel(view) {
  const levels = view.maps?.finding(view.keys[0])?.levels ?? [];
  const at = levels.indexOf(view.viewer.look.level);
  if (levels.length) view.set({ level: levels[(at + 1) % levels.length] });
}

function nextVersion(view) {
  const versions = view.review.versions.map(([value]) => value);
  if (!view.maps || versions.length < 2) return;
  const at = versions.indexOf(view.maps.version ? String(view.maps.version) : "original");
  view.showVersion(versions[(at + 1) % versions.length]);
}

function move(view, by) {
  const keys = view.shown().map((item) => item.key);
  const next = keys[keys.indexOf(view.keys[0]) + by];
  if (next) view.choose(next);
}

function moveScan(view, by) {
  const scans = view.content.scans.map((scan) => scan.resource);
  const next = scans[scans.indexOf(view.scan?.resource) + by];
  if (next) view.chooseScan(next);
}
