# SPDX-License-Identifier: Apache-2.0
"""Pixels of a site's images through the front end of inference, kept as bytes on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.contract import MapExtent
from inference.heatmap.datasets.labelled import Box, DatasetError, LabelTable
from inference.heatmap.datasets.volumes import neighbours_in
from inference.heatmap.demographics import encoded
from inference.heatmap.letterbox import letterbox_extent
from inference.heatmap.pixels import UnsupportedPixelsError, square_image, square_values

_PICTURES = (".png", ".jpg", ".jpeg")
_CHUNK = 16
_PLAINER = {"P": "RGB", "PA": "RGB", "RGBA": "RGB", "CMYK": "RGB", "1": "L", "LA": "L"}


class _Read(NamedTuple):
    square: NDArray[np.uint8]
    rows: int
    columns: int


@dataclass(frozen=True)
class SiteSet:
    """Images of one split, with what is known of them.

    Attributes
    ----------
    table:
        Labels and boxes.
    images:
        ``(N, size, size)`` uint8 squares of the pixel front end, on disk.
    matrices:
        ``(N, 2)`` rows and columns of the stored images.
    neighbours:
        ``(N, slices)`` indices of images: the sub-volume around each.
    """

    table: LabelTable
    images: NDArray[np.uint8]
    matrices: NDArray[np.int32]
    neighbours: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def labels(self) -> NDArray[np.float32]:
        """``(N, C)``: 1, 0, or nan where nobody knows."""
        return self.table.labels

    def inputs(self, index: NDArray[np.intp]) -> NDArray[np.uint8]:
        """``(len(index), slices, size, size)``: images between their neighbours."""
        return np.asarray(self.images[self.neighbours[index]])

    def persons(self, index: NDArray[np.intp]) -> NDArray[np.float32]:
        """``(len(index), 4)``: age and sex for the network."""
        return encoded(self.table.images[i].person for i in index)

    def truth(self, index: Sequence[int], grid: int) -> NDArray[np.float32]:
        """Share of every patch that boxes cover, ``(len(index), C, grid, grid)`` in 0..1."""
        found = np.zeros((len(index), len(self.table.classes), grid, grid), dtype=np.float32)
        for position, image in enumerate(index):
            rows, columns = (int(n) for n in self.matrices[image])
            extent = letterbox_extent(rows, columns)
            for box in self.table.images[image].boxes:
                shares = found[position, self.table.classes.index(box.finding)]
                np.maximum(shares, box_shares(box, extent, grid), out=shares)
        return found

    def boxed(self, index: Sequence[int]) -> NDArray[np.bool_]:
        """Which classes have a box, ``(len(index), C)``."""
        named = [{box.finding for box in self.table.images[i].boxes} for i in index]
        return np.array([[key in found for key in self.table.classes] for found in named])


def box_shares(box: Box, extent: MapExtent, grid: int) -> NDArray[np.float32]:
    """Share of every cell of a ``grid x grid`` map over ``extent`` that a box covers."""

    def along(start: float, low: float, high: float) -> NDArray[np.float64]:
        edges = start + np.arange(grid + 1) * ((extent.right - extent.left) / grid)
        overlap = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
        return np.asarray(np.maximum(overlap, 0.0) / (edges[1] - edges[0]), dtype=np.float64)

    down = along(extent.top, box.top, box.bottom)
    across = along(extent.left, box.left, box.right)
    return np.outer(down, across).astype(np.float32)


def picture_square(path: Path, size: int) -> _Read:
    """The square of a PNG or JPEG: its whole range of values is its window, white is dense.

    Raises
    ------
    UnsupportedPixelsError
        It can't be read.
    """
    try:
        with Image.open(path) as picture:
            mode = _PLAINER.get(picture.mode)
            stored = np.asarray(picture.convert(mode) if mode else picture)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UnsupportedPixelsError("the picture cannot be read") from error
    if stored.dtype.kind != "u":
        stored = np.clip(stored, 0, 65535).astype(np.uint16)
    top = float(np.iinfo(stored.dtype).max)
    square = square_values(stored, ((top + 1.0) / 2.0, top + 1.0), size)
    return _Read(_bytes(square), stored.shape[0], stored.shape[1])


def read_square(path: Path, size: int) -> _Read:
    """The square of a DICOM file, or of a picture by its ending; raises UnsupportedPixelsError."""
    if path.suffix.lower() in _PICTURES:
        return picture_square(path, size)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnsupportedPixelsError("the file cannot be read") from error
    made = square_image(content, size)
    return _Read(_bytes(made.values), made.rows, made.columns)


def _bytes(square: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.rint(square * np.float32(255.0)), dtype=np.uint8)


def find_files(folder: Path, table: LabelTable) -> list[Path]:
    """Where each image of a table lies: at its path below the folder, or anywhere by its name.

    A name without an ending is found with ``.dcm``.

    Raises
    ------
    DatasetError
        Images are missing, or a name occurs twice.
    """
    by_name: dict[str, list[Path]] | None = None
    found: list[Path] = []
    missing = twice = 0
    for image in table.images:
        direct = folder / image.file
        if direct.is_file():
            found.append(direct)
            continue
        by_name = _by_name(folder) if by_name is None else by_name
        name = Path(image.file).name
        candidates = _matching(by_name, image.file) or by_name.get(f"{name}.dcm", [])
        missing += not candidates
        twice += len(candidates) > 1
        found += candidates[:1]
    if missing:
        raise DatasetError(
            f"{missing} of {len(table.images)} labelled images are not in the folder"
        )
    if twice:
        raise DatasetError(f"{twice} file names occur in several folders; name images by path")
    return found


def _by_name(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.setdefault(path.name, []).append(path)
    return found


def _matching(by_name: Mapping[str, list[Path]], file: str) -> list[Path]:
    """Files of that name; of several, those whose folders agree best with the table's path."""
    wanted = Path(file).parts
    candidates = by_name.get(wanted[-1], [])
    for depth in range(len(wanted), 1, -1):
        same = [path for path in candidates if path.parts[-depth:] == wanted[-depth:]]
        if same:
            return same
    return candidates if len(wanted) == 1 or len(candidates) == 1 else []


def read_site_set(
    table: LabelTable,
    folder: Path,
    size: int,
    cache: Path,
    *,
    workers: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> SiteSet:
    """Read the images of a table, once: squares stay in ``cache`` and are mapped from there.

    Parameters
    ----------
    table, folder:
        What to read, and where it lies.
    size:
        Side of the squares.
    cache:
        Folder for the squares, made if missing.
    workers:
        Processes that read.
    advance:
        Told how many images were read.

    Raises
    ------
    DatasetError
        An image is missing or can't be read.
    """
    squares, matrices = _cached(table, folder, size, cache)
    if not matrices.exists():
        _read_all(find_files(folder, table), size, (squares, matrices), workers, advance)
    alone = np.arange(len(table.images))[:, np.newaxis]
    return SiteSet(table, np.load(squares, mmap_mode="r"), np.load(matrices), alone)


def in_volumes(data: SiteSet, folder: Path, slices: int) -> SiteSet:
    """The same images, each between its neighbours.

    Raises
    ------
    DatasetError
        The slices of a series can't be put in order.
    """
    if slices == 1:
        return data
    files = find_files(folder, data.table)
    return replace(data, neighbours=neighbours_in(data.table, files, slices))


def _cached(table: LabelTable, folder: Path, size: int, cache: Path) -> tuple[Path, Path]:
    digest = hashlib.sha256(f"{folder.resolve()}\n{size}".encode())
    for image in table.images:
        digest.update(b"\n" + image.file.encode())
    cache.mkdir(parents=True, exist_ok=True)
    stem = digest.hexdigest()[:16]
    return cache / f"squares-{stem}.npy", cache / f"matrices-{stem}.npy"


def _read_all(
    files: list[Path],
    size: int,
    paths: tuple[Path, Path],
    workers: int,
    advance: Callable[[int], None],
) -> None:
    shape = (len(files), size, size)
    squares = np.lib.format.open_memmap(paths[0], mode="w+", dtype=np.uint8, shape=shape)
    matrices = np.zeros((len(files), 2), dtype=np.int32)
    read = partial(_read_or_none, size=size)
    unread = 0
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = pool.map(read, files, chunksize=_CHUNK) if workers > 1 else map(read, files)
        for index, one in enumerate(made):
            advance(1)
            if one is None:
                unread += 1
                continue
            squares[index], matrices[index] = one.square, (one.rows, one.columns)
    squares.flush()
    if unread:
        raise DatasetError(
            f"{unread} of {len(files)} images cannot be read; take them out of the labels"
        )
    # Written last: what has matrices has all of its squares.
    np.save(paths[1], matrices)


def _read_or_none(path: Path, size: int) -> _Read | None:
    try:
        return read_square(path, size)
    except UnsupportedPixelsError:
        return None
