# SPDX-License-Identifier: Apache-2.0
"""Faces of phantom heads: voxels changed inside the skull, distance of the new face to the old."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from benchmarks.report import say
from deid import DeidentificationKey, Deidentifier, FaceMaskError, Option, Policy
from deid.policy import Faces
from tests.deid.faces.phantom_heads import Acquisition, PhantomHead, phantom_head
from tests.deid.faces.surfaces import landmark_distances
from tests.deid.made_scans import file_of

_FIRST_SEED = 9000
"""The seeds of the tests lie below 1000."""
_SCANS = (
    ("CT", "axial", (3.0, 1.6)),
    ("T1", "sagittal", (2.0, 1.8)),
    ("CT", "axial", (5.0, 1.2)),
    ("T2", "axial", (4.0, 1.6)),
    ("T1", "coronal", (2.5, 1.8)),
    ("CT", "axial", (2.0, 2.0)),
)
_PARTIAL = (
    ("top cut off by 20 mm", {"above": 75.0}),
    ("top cut off by 50 mm", {"above": 45.0}),
    ("ends at the brow", {"below": 0.0}),
    ("ends at the nose", {"below": 35.0}),
    ("nose at the border", {"front": 122.0}),
    ("below the eyes alone", {"above": -20.0}),
    ("above the brows alone", {"below": -40.0}),
    ("front half cut off", {"front": 40.0}),
)


class _Case(NamedTuple):
    name: str
    seed: int
    how: Acquisition


def measure(quick: bool) -> tuple[dict[str, float | None], dict[str, object]]:
    """Both figures, over whole heads and heads that are seen in part."""
    whole, partial = list(_whole(2 if quick else 22)), list(_partial(1 if quick else 8))
    changed, refused, distances = 0, 0, list[dict[str, float]]()
    lines: list[dict[str, object]] = []
    seconds = []
    for case in whole + partial:
        head = phantom_head(case.seed, case.how)
        started = time.process_time()
        made = _obfuscated(head)
        seconds.append(time.process_time() - started)
        far = {} if made is None else landmark_distances(head, made)
        inside = 0 if made is None else int((made != head.pixels)[head.inside].sum())
        changed += inside
        if case in whole:
            refused += made is None
            distances.append(far)
        lines.append(_line(case, made, far, inside))
        say(str(lines[-1]))
    names = sorted({name for far in distances for name in far})
    named = {name: [far[name] for far in distances if name in far] for name in names}
    every = [value for values in named.values() for value in values]
    figures: dict[str, float | None] = {
        "brain_voxels_changed": changed,
        "face_landmark_mm": round(float(np.median(every)), 2),
    }
    return figures, {
        "whole_heads": len(whole),
        "whole_heads_refused": refused,
        "partial_heads": len(partial),
        "tenth_percentile_mm": round(float(np.percentile(every, 10)), 2),
        "least_mm": round(min(every), 2),
        "median_mm_by_landmark": {name: round(float(np.median(v)), 2) for name, v in named.items()},
        "cpu_s_per_series": round(float(np.median(seconds)), 2),
        "heads": lines,
    }


def _line(
    case: _Case, made: NDArray[np.generic] | None, far: dict[str, float], inside: int
) -> dict[str, object]:
    return {
        "seen": case.name,
        "result": "refused" if made is None else "written",
        "changed_inside": inside,
        "mm": {name: round(value, 1) for name, value in far.items()},
    }


def _whole(count: int) -> Iterator[_Case]:
    rng = np.random.default_rng(_FIRST_SEED)
    for number in range(count):
        weighting, direction, spacing = _SCANS[number % len(_SCANS)]
        how = Acquisition(
            weighting, direction, tuple(rng.uniform(-15.0, 15.0, 3) * (1.0, 1.0, 0.6)),
            tilt=float(rng.uniform(-15.0, 15.0)), spacing=spacing,
            noise=float(rng.uniform(0.5, 2.5)),
        )  # fmt: skip
        yield _Case(f"{weighting} {direction}", _FIRST_SEED + number, how)


def _partial(count: int) -> Iterator[_Case]:
    for number in range(count):
        name, bounds = _PARTIAL[number % len(_PARTIAL)]
        weighting, direction, spacing = _SCANS[number % 2 * 3]
        how = Acquisition(weighting, direction, spacing=spacing, **bounds)
        yield _Case(f"{weighting} {direction}, {name}", _FIRST_SEED + 500 + number, how)


def _obfuscated(head: PhantomHead) -> NDArray[np.generic] | None:
    """The pixels of the series as it leaves; ``None`` where it is refused."""
    key = DeidentificationKey(bytes(range(32)))
    deidentifier = Deidentifier(key, (Option.CLEAN_DESCRIPTORS,), Policy(faces=Faces.OBFUSCATE))
    files = [file_of(one) for one in head.slices(PatientID=str(head.pixels.sum()))]
    try:
        made = deidentifier.deidentify_series(files)
    except FaceMaskError:
        return None
    return np.stack([dcmread(BytesIO(scan.to_bytes())).pixel_array for scan in made])
