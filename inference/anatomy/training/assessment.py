# SPDX-License-Identifier: Apache-2.0
"""How good a trained model is on groups it never saw, and whether it may be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

from inference.anatomy.learned.recognizer import MetadataModel
from inference.anatomy.regions import REGIONS, Regions, format_regions
from inference.anatomy.training.corpus import CorpusError, Example, groups_of
from inference.contract import RegionName

_BINS = 10


class Criteria(NamedTuple):
    """What a model must reach on held-out groups to be commissioned, each group counting alike."""

    least_exact: float = 0.85
    greatest_calibration_error: float = 0.08
    least_headers: int = 20


class Outcome(NamedTuple):
    """One held-out header: what was answered, how surely, and what is right."""

    example: Example
    answer: Regions
    confidence: float

    @property
    def right(self) -> bool:
        """Whether the set is exactly right."""
        return self.answer in self.example.right


class RegionFigures(NamedTuple):
    """How one region is found; ``None`` where it never occurs."""

    recall: float | None
    precision: float | None
    headers: int
    answered: int = 0
    both: int = 0


class Assessment(NamedTuple):
    """All figures of the report page.

    Over headers, and as the mean over groups, by which a model is judged: one group may hold most
    headers and repeat itself, and a site cares for its scanners, not for one of them.

    Labels that a tag model gave are no truth: they are counted only where there is no other, and
    then they are not enough.
    """

    outcomes: tuple[Outcome, ...]
    exact: float
    calibration_error: float
    exact_by_group: float
    calibration_error_by_group: float
    bins: tuple[tuple[float, float, int], ...]
    """Mean confidence, share right and number, by tenth of confidence."""
    regions: dict[RegionName, RegionFigures]
    confusion: tuple[tuple[str, str, int], ...]
    """Right set, wrong answer, how often; most frequent first."""

    def shortfalls(self, criteria: Criteria) -> list[str]:
        """Why the model is not fit for use; empty if it is."""
        reasons = []
        true = sum(one.example.is_truth for one in self.outcomes)
        if true < criteria.least_headers:
            reasons.append(
                f"only {true} held-out labels that no tag model gave, "
                f"{criteria.least_headers} wanted"
            )
        if self.exact_by_group < criteria.least_exact:
            reasons.append(
                f"{self.exact_by_group:.3f} exact, {criteria.least_exact} wanted (mean of groups)"
            )
        if self.calibration_error_by_group > criteria.greatest_calibration_error:
            reasons.append(
                f"calibration error {self.calibration_error_by_group:.3f}, "
                f"at most {criteria.greatest_calibration_error} wanted (mean of groups)"
            )
        return reasons


def by_patient(rows: Sequence[Example], fewest: int = 4) -> list[Example]:
    """The same rows, grouped by patient where there are fewer than ``fewest`` groups.

    A single scanner can't be held out, and of two the half would be. Where there are no more
    patients than groups, they stay, and so do headers whose patient is not known.
    """
    groups = len(groups_of(rows))
    if groups >= fewest or len({row.study for row in rows if row.study}) <= groups:
        return list(rows)
    return [replace(row, group=row.study or row.group) for row in rows]


def split(rows: Sequence[Example], held_out: float = 0.25) -> tuple[list[Example], list[Example]]:
    """Split by group, never by row; which groups are held out depends on their names only.

    Headers of no known group are left out: they may be of one that is held out.

    :raises CorpusError: if there are not two groups.
    """
    names = sorted(groups_of(rows), key=lambda name: sha256(name.encode()).hexdigest())
    if len(names) < 2:
        why = "all headers are of one" if names else "no header names its"
        raise CorpusError(
            f"{why} site (column site), patient or StudyInstanceUID, so that nothing can be held "
            "out; name a column that tells sites or scanners apart with --group"
        )
    count = min(len(names) - 1, max(1, round(held_out * len(names))))
    kept_apart = set(names[:count])
    return (
        [row for row in rows if row.group and row.group not in kept_apart],
        [row for row in rows if row.group in kept_apart],
    )


def assess(model: MetadataModel, rows: Sequence[Example]) -> Assessment:
    """Answer every header that somebody else than a tag model labelled, and count.

    Where there is none, those that a tag model labelled are answered.

    :raises ValueError: if none is labelled.
    """
    labelled = [row for row in rows if row.right]
    labelled = [row for row in labelled if row.is_truth] or labelled
    if not labelled:
        raise ValueError("no held-out header has a label: give more groups, or label more rows")
    answers = model.recognize_all([row.header for row in labelled])
    outcomes = tuple(
        Outcome(row, frozenset(answer.regions), answer.confidence)
        for row, answer in zip(labelled, answers, strict=True)
    )
    wrong = Counter(
        (format_regions(_meant(one)), format_regions(one.answer) or "nothing")
        for one in outcomes
        if not one.right
    )
    return Assessment(
        outcomes,
        sum(one.right for one in outcomes) / len(outcomes),
        _calibration_error(outcomes, [1.0] * len(outcomes)),
        exact_by_group(outcomes),
        _calibration_error(outcomes, _alike(outcomes)),
        _bins(outcomes),
        {region: _figures(region, outcomes) for region in REGIONS},
        tuple((meant, said, count) for (meant, said), count in wrong.most_common(20)),
    )


def exact_by_group(outcomes: Sequence[Outcome]) -> float:
    """Share of exactly right answers, as the mean over groups.

    :raises ZeroDivisionError: if there is no outcome.
    """
    alike = _alike(outcomes)
    right = sum(weight for one, weight in zip(outcomes, alike, strict=True) if one.right)
    return right / sum(alike)


def _alike(outcomes: Sequence[Outcome]) -> list[float]:
    """Weights by which every group counts the same."""
    sizes = Counter(one.example.group for one in outcomes)
    return [1.0 / sizes[one.example.group] for one in outcomes]


def _calibration_error(outcomes: Sequence[Outcome], weights: Sequence[float]) -> float:
    """Expected calibration error (Guo et al., ICML 2017) of weighted answers."""
    gaps = [0.0] * _BINS
    for one, weight in zip(outcomes, weights, strict=True):
        gaps[_bin(one)] += weight * (one.confidence - one.right)
    return sum(map(abs, gaps)) / sum(weights)


def _bin(one: Outcome) -> int:
    return min(int(one.confidence * _BINS), _BINS - 1)


def _meant(one: Outcome) -> Regions:
    """The right answer nearest to what was answered."""
    return max(one.example.right, key=lambda right: (len(right & one.answer), sorted(right)))


def _bins(outcomes: Sequence[Outcome]) -> tuple[tuple[float, float, int], ...]:
    groups: dict[int, list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(_bin(one), []).append(one)
    return tuple(
        (
            sum(one.confidence for one in group) / len(group),
            sum(one.right for one in group) / len(group),
            len(group),
        )
        for _, group in sorted(groups.items())
    )


def _figures(region: RegionName, outcomes: Sequence[Outcome]) -> RegionFigures:
    meant = [region in _meant(one) for one in outcomes]
    said = [region in one.answer for one in outcomes]
    both = sum(m and s for m, s in zip(meant, said, strict=True))
    return RegionFigures(
        both / sum(meant) if any(meant) else None,
        both / sum(said) if any(said) else None,
        sum(meant),
        sum(said),
        both,
    )
