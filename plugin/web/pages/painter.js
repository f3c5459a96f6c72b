// SPDX-License-Identifier: AGPL-3.0-or-later
// Heat maps from matrices, as plugin/heatmaps draws them: the same smoothing, colours and masks.

import { colours, STEPS } from "./colours.js";

const LEAST_RAMP_PIXELS = 2;

// Which cell each pixel of an axis lies in and how much it takes of the next one; -1 outside.
function axis({ pixels, start, span, from, to, cells, smoothing }) {
  const lower = new Int32Array(pixels);
  const weight = new Float32Array(pixels);
  const scale = cells / (to - from);
  const step = (span / pixels) * scale;
  const ramp = smoothing > 0 ? Math.min(1, Math.max(smoothing, LEAST_RAMP_PIXELS * step)) : 0;
  for (let at = 0; at < pixels; at += 1) {
    const position = (start + ((at + 0.5) * span) / pixels - from) * scale;
    if (position < 0 || position >= cells) {
      lower[at] = -1;
      continue;
    }
    const border = Math.max(1, Math.min(cells - 1, Math.round(position)));
    if (cells === 1) continue;
    lower[at] = border - 1;
    weight[at] = ramp
      ? Math.max(0, Math.min(1, (position - border) / ramp + 0.5))
      : Number(position >= border);
  }
  return { lower, weight };
}

// One word of little-endian RGBA for each step of 255.
function wordsOf(layer) {
  const words = new Uint32Array(STEPS);
  const saliency = layer.style === "saliency";
  const least = Math.round((layer.threshold ?? 0) * (STEPS - 1));
  for (let step = 1; step < STEPS; step += 1) {
    const shown = saliency ? step >= STEPS / 2 : step >= least;
    const [red, green, blue] = layer.colour ?? colours[step];
    const alpha = saliency ? 255 : step;
    words[step] = shown ? ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0 : 0;
  }
  return words;
}

// Saliency's threshold goes to the middle of the steps; interpolation commutes with that.
function cellsOf({ matrix, style, threshold }) {
  if (style !== "saliency") return matrix.values;
  return matrix.values.map((value) => 0.5 + (value - threshold) / 2);
}

// Draws layers, the first one topmost, into an ImageData that shows `view` of the image.
// view: left, top, width, height in image pixels; layer: matrix, extent, smoothing, style,
// threshold, colour (null: by probability), mask (null, or columns, rows, inside).
export function paint(image, view, imageSize, layers) {
  const out = new Uint32Array(image.data.buffer);
  out.fill(0);
  layers.toReversed().forEach((layer, at) => paintLayer(out, image, view, imageSize, layer, at > 0));
}

function paintLayer(out, { width, height }, view, imageSize, layer, over) {
  const { extent, matrix, smoothing } = layer;
  const cells = cellsOf(layer);
  const words = wordsOf(layer);
  const across = axis({
    pixels: width, start: view.left, span: view.width,
    from: extent.left, to: extent.right, cells: matrix.columns, smoothing,
  });
  const down = axis({
    pixels: height, start: view.top, span: view.height,
    from: extent.top, to: extent.bottom, cells: matrix.rows, smoothing,
  });
  const mixed = new Float32Array(matrix.columns + 1);
  const line = new Uint32Array(width);
  const masked = layer.mask && maskColumns(layer.mask, view, width, imageSize);
  let before = "";
  for (let row = 0; row < height; row += 1) {
    if (down.lower[row] < 0) continue;
    const same = `${down.lower[row]} ${down.weight[row]}`;
    if (same !== before) {
      before = same;
      mixRow(mixed, cells, matrix, down.lower[row], down.weight[row]);
      fillLine(line, mixed, across, words);
    }
    const at = row * width;
    const maskRow = masked && maskRowOf(layer.mask, view, row, height, imageSize);
    if (!over && !masked) out.set(line, at);
    else merge(out, at, line, over, masked, maskRow);
  }
}

function mixRow(mixed, cells, { columns, rows }, lower, weight) {
  const first = lower * columns;
  const second = Math.min(lower + 1, rows - 1) * columns;
  for (let at = 0; at < columns; at += 1) {
    const value = cells[first + at] * (1 - weight) + cells[second + at] * weight;
    mixed[at] = Math.max(0, Math.min(1, value)) * (STEPS - 1) + 0.5;
  }
  mixed[columns] = mixed[columns - 1];
}

function fillLine(line, mixed, { lower, weight }, words) {
  const end = line.length;
  for (let at = 0; at < end; ) {
    const cell = lower[at];
    if (cell < 0) {
      line[at] = 0;
      at += 1;
      continue;
    }
    const from = mixed[cell];
    const rise = mixed[cell + 1] - from;
    for (; at < end && lower[at] === cell; at += 1) line[at] = words[(from + rise * weight[at]) | 0];
  }
}

function merge(out, at, line, over, masked, maskRow) {
  for (let column = 0; column < line.length; column += 1) {
    const word = line[column];
    if (word === 0 || (masked && !maskRow[masked[column]])) continue;
    out[at + column] = over ? blended(word, out[at + column]) : word;
  }
}

// "over" of Porter and Duff, without premultiplication.
function blended(top, bottom) {
  const a = top >>> 24;
  const b = ((bottom >>> 24) * (255 - a)) / 255;
  if (b === 0) return top;
  const alpha = a + b;
  const share = a / alpha;
  const red = (bottom & 255) + ((top & 255) - (bottom & 255)) * share;
  const green = ((bottom >>> 8) & 255) + (((top >>> 8) & 255) - ((bottom >>> 8) & 255)) * share;
  const blue = ((bottom >>> 16) & 255) + (((top >>> 16) & 255) - ((bottom >>> 16) & 255)) * share;
  const word = ((alpha + 0.5) << 24) | ((blue + 0.5) << 16) | ((green + 0.5) << 8) | (red + 0.5);
  return word >>> 0;
}

function maskColumns(mask, view, width, imageSize) {
  return Int32Array.from({ length: width }, (_, at) => {
    const column = view.left + ((at + 0.5) * view.width) / width;
    return Math.max(0, Math.min(mask.columns - 1, Math.floor((column / imageSize.columns) * mask.columns)));
  });
}

function maskRowOf(mask, view, row, height, imageSize) {
  const position = (view.top + ((row + 0.5) * view.height) / height) / imageSize.rows;
  const at = Math.max(0, Math.min(mask.rows - 1, Math.floor(position * mask.rows)));
  return mask.inside.subarray(at * mask.columns, (at + 1) * mask.columns);
}

// A mask from its run lengths: outside, inside, outside, and so on.
export function readMask({ rows, columns, runs, masked }) {
  if (!masked) return null;
  const inside = new Uint8Array(rows * columns);
  let at = 0;
  runs.forEach((length, number) => {
    if (number % 2) inside.fill(1, at, at + length);
    at += length;
  });
  return { rows, columns, inside };
}

// Probability at a point of the image, of the patch there.
export function patchAt({ matrix, extent }, x, y) {
  const column = Math.floor(((x - extent.left) / (extent.right - extent.left)) * matrix.columns);
  const row = Math.floor(((y - extent.top) / (extent.bottom - extent.top)) * matrix.rows);
  if (column < 0 || row < 0 || column >= matrix.columns || row >= matrix.rows) return null;
  return { row, column, value: matrix.values[row * matrix.columns + column] };
}

// Where a patch lies on the image.
export function patchBox({ matrix, extent }, { row, column }) {
  const width = (extent.right - extent.left) / matrix.columns;
  const height = (extent.bottom - extent.top) / matrix.rows;
  return { left: extent.left + column * width, top: extent.top + row * height, width, height };
}
