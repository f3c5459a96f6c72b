# SPDX-License-Identifier: Apache-2.0
"""What the anatomy rules catch, flag and spoil, and how much credit each witness earns.

``.venv/bin/python -m benchmarks.anatomy_rules --json [--quick] [--corpus idc_index.parquet]``

On phantom studies with planted wrong tags (``benchmarks.planted_studies``). The corpus is public
(package ``idc-index-data``): with it, how often a patient's earlier study shows the same.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from pydicom.dataset import Dataset

from benchmarks import earlier_studies, sibling_series
from benchmarks.anatomy import calibration_error
from benchmarks.anatomy_headers import MIXED, read
from benchmarks.planted_studies import PlantedStudy, planted_studies
from benchmarks.report import finish, say
from inference.anatomy import Header
from inference.anatomy.learned import shipped_model
from inference.contract import AnatomyAnswer, PixelAnatomyAnswer
from plugin.anatomy import Agreement, RecognizedAnatomy
from plugin.configuration.anatomy_rules import AnatomyRules, Credit, read_anatomy_rules
from plugin.states import Metadata
from plugin.worker.anatomist import Anatomist, Case

CREDITS = (0.25, 0.4, 0.5, 0.75, 1.0)
ASKED_BELOW = (0.5, 0.7, 0.8, 0.9, 0.95)
SURE_FROM = (0.5, 0.75, 0.9)
FEWEST = 3
"""Headers of a collection that count."""
BINS = (0.0, 0.2, 0.4, 0.6, 0.8)
_LEAST = 1e-3


@dataclass(frozen=True)
class Heard:
    """A study with what its witnesses say: what the rules are given."""

    study: PlantedStudy
    tags: AnatomyAnswer
    ordered: AnatomyAnswer | None


@dataclass(frozen=True)
class Settled:
    """What became of one study."""

    heard: Heard
    answer: AnatomyAnswer
    agreement: Agreement

    @property
    def tags_right(self) -> bool:
        """Whether the tags alone were right."""
        return frozenset(self.heard.tags.regions) == self.heard.study.shows

    @property
    def right(self) -> bool:
        """Whether the one answer is."""
        return frozenset(self.answer.regions) == self.heard.study.shows

    @property
    def flagged(self) -> bool:
        """Whether a person is asked."""
        return bool(self.agreement.review)

    @property
    def saw_pixels(self) -> bool:
        """Whether the pixels spoke."""
        witness = self.agreement.witness("pixels")
        return witness is not None and witness.speaks


class _Inference:
    """Says again what was recognized before."""

    def recognize_anatomy(self, scan: Any) -> AnatomyAnswer:
        return cast("AnatomyAnswer", scan)

    def recognize_pixels(self, scans: Sequence[Any]) -> PixelAnatomyAnswer:
        return cast("PixelAnatomyAnswer", scans[0])


@dataclass(frozen=True)
class _Shelf:
    """A patient with at most one earlier study."""

    study_: PlantedStudy

    def study(self, _: str) -> dict[str, Any]:
        return _study("now", "20260101")

    def children(self, _level: str, _identifier: str) -> list[Any]:
        return [_study("now", "20260101"), _study("before", "20250101")]

    def metadata_of(self, studies: Sequence[str], *_: Any) -> list[Any]:
        earlier = self.study_.earlier
        if "before" not in studies:
            return []  # one series each: no siblings
        shown = {"modality": "CT", "regions": sorted(earlier or ()), "codes": (), "confidence": 1.0}
        answer = RecognizedAnatomy.model_validate(
            {**shown, "body_part_examined": None, "votes": ()}
        )
        told = {} if earlier is None else {Metadata.ANATOMY: answer.as_text()}
        return [(_series("now"), {}), (_series("before"), told)]

    def simplified_tags(self, _: str) -> dict[str, Any]:
        return {}


def heard(studies: Sequence[PlantedStudy]) -> list[Heard]:
    """What tags and orders say."""
    model = shipped_model()
    return [
        Heard(
            one,
            model.recognize(Header.of(one.tags)),
            model.recognize(Header.of(one.ordered)) if one.ordered else None,
        )
        for one in studies
    ]


def settled(cases: Sequence[Heard], rules: AnatomyRules) -> list[Settled]:
    """Put every study through the rules, as a worker does."""
    found = []
    for case in cases:
        anatomist = Anatomist(cast("Any", _Shelf(case.study)), cast("Any", _Inference()), rules)
        answer, agreement = anatomist.recognize(_case(case))
        found.append(Settled(case, answer, agreement))
    return found


def judged(found: Sequence[Settled]) -> dict[str, float]:
    """What the rules caught, flagged and spoiled; shares."""
    wrong = [one for one in found if not one.tags_right]
    right = [one for one in found if one.tags_right]
    return {
        "tags_exact": _share(found, right),
        "answer_exact": _share(found, [one for one in found if one.right]),
        "errors_caught": _share(wrong, [one for one in wrong if one.right or one.flagged]),
        "errors_corrected": _share(wrong, [one for one in wrong if one.right]),
        "right_flagged": _share(right, [one for one in right if one.flagged]),
        "right_spoiled": _share(right, [one for one in right if not one.right]),
        "pixels_asked": _share(found, [one for one in found if one.agreement.witness("pixels")]),
    }


def reliability(found: Sequence[Settled]) -> list[dict[str, float]]:
    """Confidence and share of right answers by fifths of confidence, where both spoke."""
    both = [one for one in found if one.saw_pixels and one.heard.tags.regions]
    rows = []
    for lowest in BINS:
        some = [one for one in both if lowest <= min(one.answer.confidence, 0.999) < lowest + 0.2]
        if some:
            sure = float(np.mean([one.answer.confidence for one in some]))
            exact = _share(some, [one for one in some if one.right])
            row = {"from": lowest, "studies": len(some), "confidence": round(sure, 3)}
            rows.append(row | {"exact": exact})
    return rows


def calibrated(found: Sequence[Settled]) -> dict[str, float]:
    """How well the combined confidence fits, where tags and pixels both spoke."""
    both = [one for one in found if one.saw_pixels and one.heard.tags.regions]
    sure = np.array([one.answer.confidence for one in both])
    right = np.array([one.right for one in both], np.float64)
    bounded = np.clip(sure, _LEAST, 1 - _LEAST)
    loss = -(right * np.log(bounded) + (1 - right) * np.log(1 - bounded)).mean()
    return {
        "studies": len(both),
        "log_loss": round(float(loss), 4),
        "ece": round(calibration_error(sure, right), 4),
        "mean_confidence": round(float(sure.mean()), 4),
        "exact": round(float(right.mean()), 4),
    }


def measure(count: int) -> tuple[dict[str, float | None], dict[str, Any]]:
    """Figures of the shipped table, and what other credits and thresholds would do."""
    shipped = read_anatomy_rules()
    figures: dict[str, float | None] = {}
    details: dict[str, Any] = {"studies": count}
    say(f"{count} phantom studies")
    plain = heard(planted_studies(count))
    other = [replace(one, study=replace(one.study, pixels=one.study.altered)) for one in plain]
    for name, cases in (("plain", plain), ("altered", other)):
        details[name] = _with_other_tables(cases, shipped)
    details["tags"] = {
        "intact": _believed([one for one in plain if one.study.kind == "intact"]),
        "all": _believed(plain),
    }
    found = settled(other, shipped)
    figures |= judged(found) | {"combined_ece": calibrated(found)["ece"]}
    details["words_of_the_study_alone"] = _orders_by_collection()
    return figures, details


def _with_other_tables(cases: Sequence[Heard], shipped: AnatomyRules) -> dict[str, Any]:
    found = settled(cases, shipped)
    return {
        "shipped": judged(found) | _fit(found),
        "tags_as_they_say": _fit(settled(cases, _tags_as_they_say(shipped))),
        "by_kind": {
            kind: judged([one for one in found if one.heard.study.kind == kind])
            for kind in sorted({one.heard.study.kind for one in found})
        },
        "pixels_alone": _pixels_alone(cases),
        "orders_right": _share(
            [one for one in cases if one.ordered],
            [one for one in cases if one.ordered and _is_right(one)],
        ),
        "by_credit_of_pixels": {
            str(credit): calibrated(settled(cases, _with_credit(shipped, credit)))
            for credit in CREDITS
        },
        "by_tags_asked_below": {
            str(below): judged(settled(cases, _asking_below(shipped, below)))
            for below in ASKED_BELOW
        },
        "by_pixels_sure_from": {
            str(sure): judged(settled(cases, _sure_from(shipped, sure))) for sure in SURE_FROM
        },
    }


def _pixels_alone(cases: Sequence[Heard]) -> dict[str, float]:
    said = [(one.study.pixels, one.study.shows) for one in cases]
    return _credit([(one.regions, one.confidence, shows) for one, shows in said])


def _believed(cases: Sequence[Heard]) -> dict[str, float]:
    """The same of the tags."""
    return _credit([(one.tags.regions, one.tags.confidence, one.study.shows) for one in cases])


def _credit(said: Sequence[tuple[Any, float, Any]]) -> dict[str, float]:
    """How sure a witness is and how often right; the credit that makes both agree."""
    spoken = [one for one in said if one[0]]
    sure = float(np.mean([confidence for _, confidence, _ in spoken]))
    right = float(np.mean([frozenset(named) == shows for named, _, shows in spoken]))
    return {
        "spoke": _share(said, spoken),
        "exact": round(right, 4),
        "mean_confidence": round(sure, 4),
        "credit_that_fits": round(float(np.clip((right - 0.1) / (sure - 0.1), 0.0, 1.0)), 3),
    }


def _orders_by_collection() -> dict[str, Any]:
    """How often Study Description alone names the right regions: what an order would have said."""
    model, right = shipped_model(), defaultdict[str, list[bool]](list)
    for row in read(MIXED):
        words = {k: v for k, v in row.tags.items() if k in ("Modality", "StudyDescription")}
        named = model.recognize(Header.of(words)).regions
        if named and "StudyDescription" in words:
            right[row.collection].append(frozenset(named) in row.right)
    means = [float(np.mean(some)) for some in right.values() if len(some) >= FEWEST]
    if not means:
        return {}
    return {
        "collections": len(means),
        "headers": sum(map(len, right.values())),
        "mean_of_collections": round(float(np.mean(means)), 4),
        "lower_quartile": round(float(np.quantile(means, 0.25)), 4),
    }


def _is_right(case: Heard) -> bool:
    return case.ordered is not None and frozenset(case.ordered.regions) == case.study.shows


def _with_credit(rules: AnatomyRules, pixels: float) -> AnatomyRules:
    credit = Credit(**(rules.credit.model_dump() | {"pixels": pixels}))
    return rules.model_copy(update={"credit": credit})


def _tags_as_they_say(rules: AnatomyRules) -> AnatomyRules:
    """The tags believed as they say, also where Body Part Examined stands alone."""
    every = tuple(one.model_copy(update={"credit_of_tags": None}) for one in rules.rules)
    credit = rules.credit.model_copy(update={"metadata": 1.0})
    return rules.model_copy(update={"credit": credit, "rules": every})


def _fit(found: Sequence[Settled]) -> dict[str, Any]:
    return {"calibration": calibrated(found), "reliability": reliability(found)}


def _asking_below(rules: AnatomyRules, below: float) -> AnatomyRules:
    return _changed(rules, {"tags-leave-doubt": {"metadata_below": below}})


def _sure_from(rules: AnatomyRules, sure: float) -> AnatomyRules:
    named = [one.name for one in rules.rules if one.pixels_at_least is not None]
    return _changed(rules, {name: {"pixels_at_least": sure} for name in named})


def _changed(rules: AnatomyRules, changes: Mapping[str, dict[str, float]]) -> AnatomyRules:
    every = tuple(one.model_copy(update=changes.get(one.name, {})) for one in rules.rules)
    return rules.model_copy(update={"rules": every})


def _case(case: Heard) -> Case:
    header = Dataset()
    for keyword, value in case.study.tags.items():
        setattr(header, keyword, value)
    return Case(
        header=header,
        passed=cast("Any", case.tags),
        resource="",
        study=lambda: "now",
        slices=lambda _most: cast("Any", [case.study.pixels]),
        application=lambda anatomy: "lungs" if "chest" in anatomy.regions else "",
        ordered=cast("Any", [case.ordered] if case.ordered else []),
        series=lambda: "series",
    )


def _series(study: str) -> dict[str, Any]:
    return {"ID": f"series of {study}", "ParentStudy": study, "Instances": [f"image of {study}"]}


def _study(identifier: str, taken: str) -> dict[str, Any]:
    return {
        "ID": identifier,
        "ParentPatient": "patient",
        "PatientMainDicomTags": {"PatientID": "phantom"},
        "MainDicomTags": {"StudyDate": taken},
    }


def _share(every: Sequence[Any], some: Sequence[Any]) -> float:
    return round(len(some) / len(every), 4) if every else 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON (always done)")
    parser.add_argument("--quick", action="store_true", help="less work, under a minute")
    parser.add_argument("--corpus", type=Path, help="idc_index.parquet of idc-index-data")
    options = parser.parse_args()
    figures, details = measure(80 if options.quick else 600)
    figures["priors_same"] = None
    if options.corpus is not None:
        say("earlier studies of the public corpus")
        details["earlier_studies"] = told = earlier_studies.measure(options.corpus)
        figures["priors_same"] = told["mean_of_collections"]
        details["siblings"] = sibling_series.measure(options.corpus)
    finish(figures, details)
    say(json.dumps(figures))


if __name__ == "__main__":
    main()
