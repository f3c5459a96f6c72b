# SPDX-License-Identifier: Apache-2.0
"""Small labelled sets: phantoms made from seeds, or a site's folder of images."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.contract import MapExtent
from inference.heatmap.context import ALONE, Context
from inference.heatmap.datasets.plain import NOT_CLASSES
from inference.heatmap.letterbox import letterbox_extent
from inference.heatmap.pixels import UnsupportedPixelsError, square_image, square_values
from inference.phantoms import chest_phantom

LABELS, BOXES = "labels.csv", "boxes.csv"


class LabelledSetError(Exception):
    """A labelled set can't be used; the message says why and names no image."""


@dataclass(frozen=True)
class LabelledSet:
    """Images as a network sees them, and what is known about them.

    Attributes
    ----------
    images:
        ``(N, size, size)`` float32 squares in 0..1.
    labels:
        By class key, ``(N,)`` float32: 1 present, 0 absent, nan unknown.
    truth:
        By class key and image number, ``(grid, grid)`` float32: share of each patch that the
        finding covers. Only where a place is known.
    context:
        Neighbours and persons, for networks that take them.
    """

    images: NDArray[np.float32]
    labels: dict[str, NDArray[np.float32]]
    truth: dict[str, dict[int, NDArray[np.float32]]]
    context: Context = ALONE

    def __len__(self) -> int:
        neighbours = self.context.neighbours
        return len(self.images if neighbours is None else neighbours)

    def known(self, keys: Sequence[str]) -> list[str]:
        """Those classes that have a label on any image."""
        return [k for k in keys if k in self.labels and np.isfinite(self.labels[k]).any()]


def phantom_set(first_seed: int, count: int, size: int, grid: int) -> LabelledSet:
    """Phantoms of seeds from ``first_seed`` on."""
    side = max(size, 64)
    images, found = [], []
    for seed in range(first_seed, first_seed + count):
        phantom = chest_phantom(seed, side)
        images.append(square_values(phantom.pixels, phantom.window, size))
        found.append({k: _patches(mask, grid) for k, mask in phantom.masks.items()})
    keys = sorted({key for masks in found for key in masks})
    return LabelledSet(
        images=np.stack(images),
        labels={k: np.array([float(k in masks) for masks in found], np.float32) for k in keys},
        truth={k: {n: m[k] for n, m in enumerate(found) if k in m} for k in keys},
    )


def folder_set(folder: Path, size: int, grid: int) -> LabelledSet:
    """A folder with ``labels.csv`` (``image,patient,<class>…``) and perhaps ``boxes.csv``.

    A label is 1, 0 or empty for unknown; a box is ``image,class,left,top,right,bottom`` in pixels.

    Raises
    ------
    LabelledSetError
        A table is missing or wrong, or an image can't be read.
    """
    rows = _table(folder / LABELS)
    if not rows or "image" not in rows[0]:
        raise LabelledSetError(f"{LABELS} needs a column image and one per class")
    keys = [column for column in rows[0] if column not in NOT_CLASSES]
    read = [_read_image(folder, row["image"], number, size) for number, row in enumerate(rows, 1)]
    labels = {key: np.array([_label(row[key]) for row in rows], np.float32) for key in keys}
    truth: dict[str, dict[int, NDArray[np.float32]]] = {}
    numbers = {row["image"]: number for number, row in enumerate(rows)}
    for row in _table(folder / BOXES) if (folder / BOXES).exists() else []:
        number = numbers.get(row["image"])
        if number is not None:
            _add_box(truth.setdefault(row["class"], {}), number, row, read[number][1], grid)
    return LabelledSet(np.stack([square for square, _ in read]), labels, truth)


def _read_image(
    folder: Path, name: str, number: int, size: int
) -> tuple[NDArray[np.float32], MapExtent]:
    """A square, and where it lies on the stored image."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise LabelledSetError(f"{LABELS}, row {number}: the image lies outside of the folder")
    try:
        if path.suffix.casefold() == ".png":
            return _read_png(path, size)
        read = square_image(path.read_bytes(), size)
    except (OSError, UnsupportedPixelsError, ValueError) as error:
        raise LabelledSetError(f"{LABELS}, row {number}: the image can't be read") from error
    return read.values, read.extent


def _read_png(path: Path, size: int) -> tuple[NDArray[np.float32], MapExtent]:
    """Grey values of 8 or 16 bits, black to white."""
    with Image.open(path) as picture:
        grey = picture if picture.mode.startswith("I;16") else picture.convert("L")
        stored: NDArray[Any] = np.asarray(grey)
    stored = stored.astype(np.uint16 if stored.dtype.itemsize > 1 else np.uint8)
    top = float(np.iinfo(stored.dtype).max)
    values = square_values(stored, ((top + 1.0) / 2.0, top + 1.0), size)
    return values, letterbox_extent(*stored.shape)


def _add_box(
    boxes: dict[int, NDArray[np.float32]],
    number: int,
    row: dict[str, str],
    extent: MapExtent,
    grid: int,
) -> None:
    try:
        left, top, right, bottom = (float(row[k]) for k in ("left", "top", "right", "bottom"))
    except (KeyError, ValueError) as error:
        raise LabelledSetError(f"{BOXES} needs left, top, right and bottom as numbers") from error
    across = _covered(left, right, extent.left, extent.right, grid)
    down = _covered(top, bottom, extent.top, extent.bottom, grid)
    share = np.outer(down, across).astype(np.float32)
    boxes[number] = np.maximum(boxes.get(number, np.float32(0.0)), share)


def _covered(low: float, high: float, start: float, end: float, cells: int) -> NDArray[np.float64]:
    """Which share of each of equal cells between ``start`` and ``end`` lies in ``low..high``."""
    edges = np.linspace(start, end, cells + 1)
    overlap = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    return np.asarray(np.clip(overlap, 0.0, None) * cells / (end - start), dtype=np.float64)


def _patches(mask: NDArray[Any], grid: int) -> NDArray[np.float32]:
    """``(side, side)`` truth to the share of each patch that it covers."""
    edges = np.rint(np.linspace(0, mask.shape[0], grid + 1)).astype(int)
    summed = np.add.reduceat(np.add.reduceat(mask.astype(np.float64), edges[:-1], 0), edges[:-1], 1)
    counts = np.diff(edges)
    return np.asarray(summed / np.outer(counts, counts), dtype=np.float32)


def _label(text: str) -> float:
    try:
        return float(text) if text.strip() else float("nan")
    except ValueError as error:
        raise LabelledSetError(f"{LABELS} has a label that is not 1, 0 or empty") from error


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(file)]
    except OSError as error:
        raise LabelledSetError(f"{path.name} can't be read: {error.strerror}") from error
