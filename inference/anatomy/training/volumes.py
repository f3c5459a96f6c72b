# SPDX-License-Identifier: Apache-2.0
"""Volumes of a site's archive, as coarse slices in memory, to teach and to judge the regressor.

What is remembered between runs is which series were learned from, by pseudonym, and nothing else.
Which patients are held out follows from their pseudonyms, so that no run learns from a patient who
judges another.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from inference.anatomy.pixels.regressor import BodyPartRegressor, Floats
from inference.anatomy.pixels.series import NotFittingError, Placed, TooFewError, placed_slices
from inference.anatomy.serving.commissioning import LEAST_VOLUMES, VolumeFigures

FEWEST_SLICES = 16
"""Below which a volume teaches no order: a stretch has twelve."""
MOST_SLICES = 64
_UNEVEN = 1.6
"""Greatest gap between slices over the median gap: a volume with a hole is no volume."""


class VolumeError(ValueError):
    """The archive gave too few volumes; the message says what to do."""


@dataclass(frozen=True)
class SiteVolume:
    """One volume: ``slices`` ``(count, 48, 48)`` from head to foot at ``depths`` in mm."""

    modality: str
    depths: npt.NDArray[np.float64]
    slices: Floats


@dataclass
class VolumeShelf:
    """Takes volumes until it has enough, as a ``VolumeLearner``.

    :param most: volumes to learn from in one run.
    :param most_held_out: volumes of each modality to judge by.
    :param learned: pseudonyms of series of earlier runs.
    :param modalities: ``CT``, or both of ``CT`` and ``MR``.
    """

    most: int
    most_held_out: int
    learned: set[str] = field(default_factory=set)
    modalities: Sequence[str] = ("CT",)
    taught: list[SiteVolume] = field(default_factory=list)
    held_out: list[SiteVolume] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    """Pseudonyms of the series that this run learns from."""
    passed: set[str] = field(default_factory=set)
    """Those that are no volumes."""
    _judging: set[str] = field(default_factory=set)

    @property
    def satisfied(self) -> bool:
        """Whether nothing more is wanted in this run."""
        return len(self.taught) >= self.most and all(
            self._held_out_of(modality) >= self.most_held_out for modality in self.modalities
        )

    def knows(self, series: str) -> bool:
        """Whether a series was learned from, or is no volume, as this or an earlier run found."""
        return series in self.learned | self.passed | self._judging or series in self.new

    def wants(self, patient: str, modality: str) -> bool:
        """Whether the slices of another series of a patient, by pseudonym, should be fetched.

        Those who judge come first: without enough of them a run is lost, however short it is.
        """
        if modality not in self.modalities:
            return False
        if judges(patient):
            return self._held_out_of(modality) < self.most_held_out
        needed = min(LEAST_VOLUMES, self.most_held_out)
        return self._held_out_of(self.modalities[0]) >= needed and len(self.taught) < self.most

    def take(self, series: str, patient: str, instances: Sequence[bytes]) -> None:
        """Keep the slices of a series, if they are a volume."""
        try:
            volume = volume_of(placed_slices(instances, self.modalities))
        except (NotFittingError, TooFewError):
            self.pass_by(series)
            return
        if judges(patient):
            self.held_out.append(volume)
            self._judging.add(series)
        else:
            self.taught.append(volume)
            self.new.append(series)

    def pass_by(self, series: str) -> None:
        """A series is no volume; it is not asked for again."""
        self.passed.add(series)

    def judged(self) -> dict[str, list[SiteVolume]]:
        """Held-out volumes by modality."""
        return {
            modality: [one for one in self.held_out if one.modality == modality]
            for modality in self.modalities
        }

    def _held_out_of(self, modality: str) -> int:
        return sum(volume.modality == modality for volume in self.held_out)


def judges(patient: str) -> bool:
    """Whether volumes of a patient are held out: of one in four, by pseudonym."""
    return int(sha256(patient.encode()).hexdigest()[:8], 16) % 4 == 0


def volume_of(placed: Placed) -> SiteVolume:
    """A volume of slices at even distances, at most :data:`MOST_SLICES` of them.

    :raises NotFittingError: the slices lie unevenly, or in one place.
    :raises TooFewError: there are too few.
    """
    first = np.concatenate(([True], np.diff(placed.depths) > 0.01))
    depths, slices = placed.depths[first], placed.slices[first]
    if len(depths) < FEWEST_SLICES:
        raise TooFewError(f"a volume has {FEWEST_SLICES} slices at least")
    gaps = np.diff(depths)
    if gaps.max() > _UNEVEN * np.median(gaps):
        raise NotFittingError("the slices lie unevenly")
    chosen = np.unique(np.linspace(0, len(depths) - 1, min(len(depths), MOST_SLICES)).round())
    at = chosen.astype(np.int64)
    return SiteVolume(placed.modality, depths[at], slices[at])


def figures_of(regressor: BodyPartRegressor, volumes: Sequence[SiteVolume]) -> VolumeFigures:
    """How a regressor orders volumes and keeps their distances: means over volumes.

    :raises VolumeError: there is none.
    """
    if not volumes:
        raise VolumeError("no volume was held out")
    scored = [(regressor.scores(volume.slices), volume.depths) for volume in volumes]
    order = np.mean([_correlation(_ranks(scores), _ranks(depths)) for scores, depths in scored])
    distance = np.mean([_correlation(scores, depths) for scores, depths in scored])
    return VolumeFigures(round(float(order), 3), round(float(distance), 3))


def _ranks(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Ranks from 1; equal values share the middle of theirs."""
    _, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: npt.NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2.0)[at]
    return ranks


def _correlation(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> float:
    """Pearson's; 0 where one of them is constant."""
    if not (np.ptp(one) > 0.0 and np.ptp(other) > 0.0):
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def read_learned(path: Path) -> set[str]:
    """Pseudonyms of the series that were looked at in earlier runs.

    :raises VolumeError: the file is damaged.
    """
    try:
        return set(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, TypeError) as error:
        raise VolumeError(f"{path.name} can't be read; remove it to begin anew") from error


def write_learned(path: Path, series: set[str]) -> None:
    """Remember them, complete or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(sorted(series)), encoding="utf-8")
    unfinished.replace(path)
