# SPDX-License-Identifier: Apache-2.0
"""Two metadata models on the same held-out rows, in the shape in which all models are compared.

A region is a class here. There are no scores per region, so there is no AUC: what tells are the
rows on which only the new, or only the old model names the region rightly.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.anatomy.learned.recognizer import MetadataModel, shipped_model
from inference.anatomy.regions import REGIONS
from inference.anatomy.serving.bundle import METADATA, AnatomyBundle
from inference.anatomy.serving.served import shipped_version
from inference.anatomy.training.assessment import Assessment, Outcome, assess
from inference.anatomy.training.corpus import Example
from inference.commissioning.comparison import Comparison, Difference, Side
from inference.commissioning.figures import ClassFigures, Figures
from inference.contract import RegionName
from inference.manifest import COMPARISON

EXACT = "exact-set"
"""The class of the whole answer: is the set of regions exactly right?"""


@dataclass(frozen=True)
class Contender:
    """One of the two models."""

    model: MetadataModel
    version: str
    digest: str

    @classmethod
    def shipped(cls) -> Contender:
        """The model of this package."""
        return cls(shipped_model(), shipped_version(METADATA), "")

    @classmethod
    def of(cls, bundle: AnatomyBundle) -> Contender:
        """The model of a bundle.

        :raises inference.anatomy.learned.families.AnatomyModelError: its weights can't be used.
        """
        version = bundle.manifest.version
        return cls(MetadataModel.load(bundle.weights), version, bundle.digest)


def compare(old: Contender, new: Contender, rows: Sequence[Example]) -> Comparison:
    """Answer the same rows with both.

    :raises ValueError: no row is labelled.
    """
    before, after = _Run(old, rows), _Run(new, rows)
    was, now = before.side.figures.classes, after.side.figures.classes
    keys = [key for key in (EXACT, *map(_key, REGIONS)) if key in was and key in now]
    return Comparison(
        images=len(after.found.outcomes),
        old=before.side,
        new=after.side,
        differences={key: _difference(key, before, after) for key in keys},
        only_old=tuple(key for key in was if key not in now),
        only_new=tuple(key for key in now if key not in was),
    )


class _Run:
    """One model's answers."""

    def __init__(self, contender: Contender, rows: Sequence[Example]) -> None:
        began = time.perf_counter()
        self.found: Assessment = assess(contender.model, rows)
        milliseconds = (time.perf_counter() - began) * 1000.0 / len(self.found.outcomes)
        classes = {EXACT: self._whole()}
        for region, one in self.found.regions.items():
            if one.headers or one.answered:
                classes[_key(region)] = self._class(region)
        figures = Figures(
            images=len(self.found.outcomes),
            auc=None,
            pointing=None,
            calibration_error=round(self.found.calibration_error, 4),
            milliseconds=round(milliseconds, 3),
            classes=classes,
        )
        self.side = Side(
            name=METADATA, version=contender.version, digest=contender.digest, figures=figures
        )

    def _whole(self) -> ClassFigures:
        return self._figures(sum(bool(one.answer) for one in self.found.outcomes), self.found.exact)

    def _class(self, region: RegionName) -> ClassFigures:
        figures = self.found.regions[region]
        absent = [one for one in self.found.outcomes if not _meant(region, one)]
        quiet = sum(region not in one.answer for one in absent)
        specificity = round(quiet / len(absent), 4) if absent else None
        return self._figures(figures.headers, figures.recall, specificity)

    def _figures(
        self, positives: int, sensitivity: float | None, specificity: float | None = None
    ) -> ClassFigures:
        return ClassFigures(
            images=len(self.found.outcomes),
            positives=positives,
            auc=None,
            average_precision=None,
            calibration_error=round(self.found.calibration_error, 4),
            sensitivity=None if sensitivity is None else round(sensitivity, 4),
            specificity=specificity,
            located=0,
            pointing=None,
            dice=None,
        )

    def right(self, key: str) -> list[bool]:
        """Whether each row is right, as a whole or in one region."""
        if key == EXACT:
            return [one.right for one in self.found.outcomes]
        region = next(name for name in REGIONS if _key(name) == key)
        return [_meant(region, one) == (region in one.answer) for one in self.found.outcomes]


def _meant(region: RegionName, one: Outcome) -> bool:
    return any(region in right for right in one.example.right)


def _difference(key: str, old: _Run, new: _Run) -> Difference:
    pairs = list(zip(old.right(key), new.right(key), strict=True))
    return Difference(
        auc=None,
        auc_low=None,
        auc_high=None,
        pointing=None,
        calibration_error=None,
        mended=sum(now and not was for was, now in pairs),
        broken=sum(was and not now for was, now in pairs),
    )


def _key(region: RegionName) -> str:
    return region.replace(" ", "-")


def keep(comparison: Comparison, folder: Path) -> None:
    """Keep a comparison beside the new bundle, for whoever decides."""
    text = comparison.model_dump_json(indent=2) + "\n"
    (folder / COMPARISON).write_text(text, encoding="utf-8")
