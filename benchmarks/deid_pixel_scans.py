# SPDX-License-Identifier: Apache-2.0
"""Real CT and MR images without writing: of pydicom's wheel and of ``../shared/data``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.data import get_testdata_file

from deid.pixels import representatives

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
_EVERY = 6
"""Of the functional series, which show the same head again and again, every sixth slice."""
_KINDS = ("CT", "MR")


def scans_without_text(*, quick: bool = False) -> Iterator[tuple[str, NDArray[Any]]]:
    """A name and ``(frames, rows, columns)`` each; few where the shared scans are absent."""
    files = [get_testdata_file(name) for name in ("CT_small.dcm", "MR_small.dcm")]
    for folder in ("pydicom-data", "transfer-syntaxes"):
        files += sorted((SHARED / folder).glob("*"))
    files += sorted((SHARED / "mr-nih").rglob("*.dcm"))[:: _EVERY * (10 if quick else 1)]
    for file in files:
        pixels = _pixels(Path(str(file)))
        if pixels is not None:
            yield Path(str(file)).name, representatives(pixels)


def _pixels(file: Path) -> NDArray[Any] | None:
    """Frames of a grey CT or MR image; files that are broken on purpose have none."""
    dataset = dcmread(file, force=True)
    if dataset.get("Modality") not in _KINDS or dataset.get("SamplesPerPixel") != 1:
        return None
    try:
        pixels = dataset.pixel_array
    except (AttributeError, ValueError, RuntimeError, NotImplementedError):
        return None
    return pixels[np.newaxis] if pixels.ndim == 2 else pixels
