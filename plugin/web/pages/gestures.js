// SPDX-License-Identifier: AGPL-3.0-or-later
// Pointer and wheel over a picture: point, click, drag for the window, pan, zoom.

const CLICK_PIXELS = 3;
const WHEEL = 0.0015;

export class Gestures {
  constructor(pane, on) {
    this.pane = pane;
    this.on = on;
    const { stack } = pane;
    stack.addEventListener("pointerdown", (event) => this.down(event));
    stack.addEventListener("pointermove", (event) => this.move(event));
    stack.addEventListener("pointerup", (event) => this.up(event));
    stack.addEventListener("pointercancel", () => { this.from = null; });
    stack.addEventListener("pointerleave", () => on.point(null));
    stack.addEventListener("dblclick", () => on.reset());
    stack.addEventListener("contextmenu", (event) => event.preventDefault());
    stack.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  down(event) {
    this.from = { x: event.clientX, y: event.clientY, moved: false };
    this.last = this.pane.under(event);
    // Shift or the middle button moves the picture, as in most viewers.
    this.panning = event.button === 1 || event.shiftKey;
    this.pane.stack.setPointerCapture(event.pointerId);
    if (event.button === 1) event.preventDefault();
  }

  move(event) {
    const at = this.pane.under(event);
    this.on.point(at);
    if (!this.from) return;
    const far = Math.hypot(event.clientX - this.from.x, event.clientY - this.from.y);
    this.from.moved ||= far > CLICK_PIXELS;
    if (!this.from.moved) return;
    const by = [at[0] - this.last[0], at[1] - this.last[1]];
    this.last = at;
    this.on[this.panning ? "pan" : "window"](by);
  }

  up(event) {
    if (this.from && !this.from.moved && event.button === 0) {
      this.on.click(this.pane.under(event), event);
    }
    this.from = null;
  }

  wheel(event) {
    event.preventDefault();
    this.on.zoom(Math.exp(-event.deltaY * WHEEL), this.pane.under(event));
  }
}
