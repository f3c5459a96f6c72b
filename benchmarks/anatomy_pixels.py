# SPDX-License-Identifier: Apache-2.0
"""The pixel route: how well slices are placed, and how many bytes it fetches more than the tags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from scipy.stats import spearmanr

from benchmarks.report import say
from inference.anatomy.pixels import shipped_regressor
from inference.anatomy.pixels.regressor import smoothed
from inference.phantoms.body import body_volume

_DATA = Path(__file__).parent.parent.parent / "shared" / "data"
_FIRST_HELD_OUT = 1
_MR = "mr-nih"


def measure(*, quick: bool) -> tuple[dict[str, float | None], dict[str, object]]:
    """Figures of the pixel route, and what they were measured on."""
    volumes = 12 if quick else 60
    orders, right = [], []
    model = shipped_regressor()
    for number in range(volumes):
        volume = body_volume(_FIRST_HELD_OUT + number, whole=number % 3 != 2)
        scores = model.scores(volume.slices)
        orders.append(float(spearmanr(volume.heights, scores).statistic))
        right += [
            a == b for a, b in zip(model.region_of(smoothed(scores)), volume.regions, strict=True)
        ]
    ratio, studies = bytes_ratio()
    say(f"{volumes} held-out phantom volumes")
    figures = {
        "bytes_ratio": ratio,
        "ubr_spearman": round(float(np.mean(orders)), 4),
        "ubr_region_accuracy": round(float(np.mean(right)), 4),
    }
    return figures, {"ubr_volumes": volumes, "ubr_slices": len(right), "bytes_series": studies}


def bytes_ratio() -> tuple[float | None, int]:
    """Bytes of all instances of real MR series over those of one header each; series counted."""
    whole: dict[str, int] = {}
    header: dict[str, int] = {}
    for path in sorted((_DATA / _MR).rglob("*")) if (_DATA / _MR).is_dir() else ():
        if not path.is_file():
            continue
        try:
            dataset = dcmread(path, stop_before_pixels=True)
            series = str(dataset.SeriesInstanceUID)
        except (InvalidDicomError, AttributeError, EOFError):
            continue
        whole[series] = whole.get(series, 0) + path.stat().st_size
        if series not in header:
            header[series] = _header_bytes(path)
    if not whole:
        return None, 0
    return round(sum(whole.values()) / sum(header.values()), 1), len(whole)


def _header_bytes(path: Path) -> int:
    with path.open("rb") as stream:
        dcmread(stream, stop_before_pixels=True)
        return stream.tell()
