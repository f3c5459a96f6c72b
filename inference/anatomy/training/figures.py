# SPDX-License-Identifier: Apache-2.0
"""Intervals, the curve of coverage, and all figures of an assessment as JSON."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

from inference.anatomy.training.assessment import Assessment, Criteria
from inference.anatomy.training.general import (
    GeneralFigures,
    general_shortfalls,
    shipped_general_figures,
)

_Z = 1.959964
"""Of 95 %."""


class CoveragePoint(NamedTuple):
    """Share of headers that are answered from a confidence on, and the share right among them."""

    confidence: float
    coverage: float
    accuracy: float


def interval(right: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927).

    :raises ValueError: for a share of nothing.
    """
    if of <= 0:
        raise ValueError("a share of nothing has no interval")
    share, z2 = right / of, _Z * _Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def coverage_curve(found: Assessment) -> list[CoveragePoint]:
    """Points of falling confidence; headers of one confidence are answered together."""
    ordered = sorted(found.outcomes, key=lambda one: -one.confidence)
    points, right = [], 0
    for number, one in enumerate(ordered, start=1):
        right += one.right
        if number == len(ordered) or ordered[number].confidence < one.confidence:
            points.append(CoveragePoint(one.confidence, number / len(ordered), right / number))
    return points


def coverage_at(points: list[CoveragePoint], accuracy: float) -> float:
    """The largest share that can be answered at this accuracy; 0 where none can."""
    return max((one.coverage for one in points if one.accuracy >= accuracy), default=0.0)


def as_json(
    found: Assessment, described: dict[str, Any], criteria: Criteria, general: GeneralFigures
) -> dict[str, Any]:
    """All figures, without any header."""
    right, of = sum(one.right for one in found.outcomes), len(found.outcomes)
    points = coverage_curve(found)
    reasons = found.shortfalls(criteria) + general_shortfalls(general)
    sources = Counter(one.example.source for one in found.outcomes)
    return {
        "family": described.get("family"),
        "headers": of,
        "groups": len({one.example.group for one in found.outcomes}),
        "labels": dict(sorted(sources.items())),
        "exact": round(found.exact, 4),
        "exact_interval": _rounded(interval(right, of)),
        "exact_by_group": round(found.exact_by_group, 4),
        "expected_calibration_error": round(found.calibration_error, 4),
        "expected_calibration_error_by_group": round(found.calibration_error_by_group, 4),
        "coverage_at_97": round(coverage_at(points, 0.97), 4),
        "regions": {
            name: {
                "headers": one.headers,
                "answered": one.answered,
                "recall": _share(one.recall),
                "recall_interval": _interval(one.both, one.headers),
                "precision": _share(one.precision),
                "precision_interval": _interval(one.both, one.answered),
            }
            for name, one in found.regions.items()
        },
        "calibration": [
            {"confidence": round(sure, 4), "right": round(share, 4), "headers": count}
            for sure, share, count in found.bins
        ],
        "coverage": [_rounded(point) for point in _thinned(points)],
        "confusion": [
            {"right": meant, "answered": said, "times": count}
            for meant, said, count in found.confusion
        ],
        "general": {"new": general.as_json(), "shipped": shipped_general_figures().as_json()},
        "fit": not reasons,
        "shortfalls": reasons,
    }


def _thinned(points: list[CoveragePoint], most: int = 100) -> list[CoveragePoint]:
    step = max(1, len(points) // most)
    return [*points[::step], *points[-1:]]


def _rounded(numbers: tuple[float, ...]) -> list[float]:
    return [round(number, 4) for number in numbers]


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _interval(right: int, of: int) -> list[float] | None:
    return _rounded(interval(right, of)) if of else None
