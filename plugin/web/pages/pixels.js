// SPDX-License-Identifier: AGPL-3.0-or-later
// The real pixel values of an image, and the grey values that a window makes of them.

import { address } from "./orthanc.js";

const SMALLEST = 256;
const VALUES = 65536;
const PAM = "image/x-portable-arbitrarymap";

// Stored values at full size and halved again and again, so that a small view costs little.
export class Pixels {
  constructor(display, levels) {
    this.display = display;
    this.levels = levels;
    [this.lowest, this.highest] = extremes(levels.at(-1).values);
  }

  get columns() {
    return this.levels[0].columns;
  }

  get rows() {
    return this.levels[0].rows;
  }

  // Modality value at a pixel (PS3.3 C.11.1.1.2).
  valueAt(column, row) {
    const { values, columns } = this.levels[0];
    const { slope, intercept } = this.display;
    return values[row * columns + column] * slope + intercept;
  }

  // The window of the header; without one, all that is there.
  defaultWindow() {
    const [first] = this.display.windows;
    if (first) return { centre: first.centre, width: first.width };
    const { slope, intercept } = this.display;
    const ends = [this.lowest * slope + intercept, this.highest * slope + intercept];
    const width = Math.max(1, Math.abs(ends[1] - ends[0]));
    return { centre: (ends[0] + ends[1]) / 2, width };
  }

  // The smallest halving that still has a value for each of `wanted` columns of `shown`.
  levelFor(shown, wanted) {
    let at = 0;
    while (at + 1 < this.levels.length && shown / 2 ** (at + 1) >= wanted) at += 1;
    return this.levels[at];
  }
}

// Opaque grey (as one little-endian RGBA word) of each stored value, by its 16 bits.
export function greyOf(display, { centre, width }) {
  const table = new Uint32Array(VALUES);
  const low = centre - width / 2;
  for (let word = 0; word < VALUES; word += 1) {
    const stored = display.signed && word > 32767 ? word - VALUES : word;
    const share = (stored * display.slope + display.intercept - low) / width;
    const shown = display.inverted ? 1 - share : share;
    const grey = Math.max(0, Math.min(255, Math.round(shown * 255)));
    table[word] = (255 << 24) | (grey << 16) | (grey << 8) | grey;
  }
  return table;
}

export function paintGrey(level, table, { left, top, width, height }, image) {
  const words = new Uint32Array(image.data.buffer);
  const stored = new Uint16Array(level.values.buffer);
  for (let row = 0; row < height; row += 1) {
    const from = (top + row) * level.columns + left;
    const to = row * width;
    for (let column = 0; column < width; column += 1) {
      words[to + column] = table[stored[from + column]];
    }
  }
}

// Null where the image has no grey values of 16 bits, or Orthanc can't decode it.
export async function loadPixels(display, signal) {
  if (!display.grey) return null;
  const response = await fetch(address(display.links.pixels), {
    credentials: "same-origin", headers: { Accept: PAM }, signal,
  });
  if (!response.ok) return null;
  const first = readPam(await response.arrayBuffer(), display.signed);
  if (!first) return null;
  const levels = [first];
  while (Math.min(levels.at(-1).columns, levels.at(-1).rows) >= 2 * SMALLEST) {
    levels.push(halved(levels.at(-1)));
  }
  return new Pixels(display, levels);
}

// Netpbm's portable arbitrary map; its 16 bit values are big-endian.
function readPam(buffer, signed) {
  const head = new TextDecoder("ascii").decode(new Uint8Array(buffer, 0, Math.min(256, buffer.byteLength)));
  const end = head.indexOf("ENDHDR\n");
  if (!head.startsWith("P7\n") || end < 0) return null;
  const fields = Object.fromEntries(
    head.slice(3, end).split("\n").filter(Boolean).map((line) => line.split(" ", 2)),
  );
  const [columns, rows] = [Number(fields.WIDTH), Number(fields.HEIGHT)];
  const wide = Number(fields.MAXVAL) > 255;
  const size = columns * rows;
  if (fields.DEPTH !== "1" || buffer.byteLength < end + 7 + size * (wide ? 2 : 1)) return null;
  const bytes = new Uint8Array(buffer, end + 7);
  const words = new Uint16Array(size);
  if (wide) {
    for (let at = 0; at < size; at += 1) words[at] = (bytes[2 * at] << 8) | bytes[2 * at + 1];
  } else {
    words.set(bytes.subarray(0, size));
  }
  return { columns, rows, values: signed ? new Int16Array(words.buffer) : words };
}

function halved({ columns, rows, values }) {
  const [across, down] = [columns >> 1, rows >> 1];
  const half = new values.constructor(across * down);
  for (let row = 0; row < down; row += 1) {
    let from = 2 * row * columns;
    for (let at = row * across; at < (row + 1) * across; at += 1, from += 2) {
      const sum = values[from] + values[from + 1] + values[from + columns] + values[from + columns + 1];
      half[at] = (sum + 2) >> 2;
    }
  }
  return { columns: across, rows: down, values: half };
}

function extremes(values) {
  let [lowest, highest] = [values[0], values[0]];
  for (const value of values) {
    if (value < lowest) lowest = value;
    else if (value > highest) highest = value;
  }
  return [lowest, highest];
}
