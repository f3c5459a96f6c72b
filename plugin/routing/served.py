# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which series of another archive the applications serve, by what a query tells of them.

A query tells less than a header and may tell it wrongly, so only an anatomy that is sure is a
reason to leave a series where it is. What was fetched is judged again by its header.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from inference.contract import AnatomyAnswer, ModelDescription, RegionName
from plugin.configuration.application_table import ApplicationTable, Pull

SeriesFate = Literal["served", "unsure", "unserved"]
_SERVED: SeriesFate = "served"
_UNSURE: SeriesFate = "unsure"
_UNSERVED: SeriesFate = "unserved"
_MOST_SERIES = 200
"""Of one study in what is kept; all are judged."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class JudgedSeries(_Record):
    """One series of another archive: what it seems to show, and who takes that.

    ``number`` is its Series Number, as the archive says it; ``taken``, whether it is fetched;
    ``known`` is false where inference or de-identification refused, so that it is judged again.
    """

    number: str = ""
    modality: str
    regions: tuple[RegionName, ...] = ()
    confidence: float = 0.0
    fate: SeriesFate
    taken: bool
    known: bool = True
    reason: str
    applications: tuple[str, ...] = ()


class Judgement(_Record):
    """Why a study of another archive is fetched or left there."""

    takes: Literal["whole", "in-part", "nothing"]
    reason: str
    series: tuple[JudgedSeries, ...] = ()
    series_asked: bool = True
    """Whether the archive answered at series level; else the study was judged by its own words."""

    @property
    def lasts(self) -> bool:
        """Whether the same would be judged again of the same answers."""
        return all(one.known or one.taken for one in self.series)

    def is_about(self, modality: str) -> bool:
        """Whether a question for this modality is answered by it."""
        if self.series_asked or self.takes == "whole":
            return True
        return any(one.modality == modality for one in self.series)

    @classmethod
    def of(
        cls, series: Sequence[JudgedSeries], pull: Pull, *, series_asked: bool = True
    ) -> Judgement:
        """Sum up the series of a study.

        Args:
            series: at least one.
            pull: says whether a study is fetched as a whole.
            series_asked: whether these are the archive's series.
        """
        taken = sum(one.taken for one in series)
        whole = taken == len(series) or not series_asked or pull.takes == "served-studies"
        takes: Literal["whole", "in-part", "nothing"] = (
            "nothing" if not taken else "whole" if whole else "in-part"
        )
        said = Counter(one.reason for one in series)
        reason = "; ".join(
            f"{why} ({times})" if times > 1 else why for why, times in said.most_common()
        )
        return cls(
            takes=takes,
            reason=reason,
            series=tuple(series[:_MOST_SERIES]),
            series_asked=series_asked,
        )


@dataclass(frozen=True)
class Wanted:
    """What one application or installed model takes; without modalities those of priors: any."""

    name: str
    modalities: tuple[str, ...]
    regions: tuple[str, ...]
    minimum_confidence: float = 0.5


def wanted_by_table(table: ApplicationTable, pull: Pull) -> list[Wanted]:
    """What the applications take that a pull serves."""
    found = []
    for one in table.applications:
        if pull.applications and one.name not in pull.applications:
            continue
        scan = one.scan
        found.append(Wanted(one.name, scan.modalities, scan.regions, scan.minimum_confidence))
        if one.needs.priors and one.needs.prior_series == "same-region":
            found.append(Wanted(f"{one.name} (priors)", (), scan.regions, scan.minimum_confidence))
    return found


def wanted_by_models(models: Iterable[ModelDescription]) -> list[Wanted]:
    """What installed models take."""
    return [
        Wanted(model.name, one.modalities, one.regions, one.minimum_confidence)
        for model in models
        for one in model.categories
    ]


def modalities_of(wanted: Iterable[Wanted]) -> list[str]:
    """Every modality that somebody takes, without repetition."""
    return list(dict.fromkeys(name for one in wanted for name in one.modalities))


def judged(
    pull: Pull, wanted: Sequence[Wanted], modality: str, anatomy: AnatomyAnswer | None
) -> JudgedSeries:
    """One series against what is wanted.

    Args:
        pull: its thresholds.
        wanted: what applications take.
        modality: of the series; empty where the archive does not say.
        anatomy: by what the archive says; None where that can't be recognized.
    """
    takers = [one for one in wanted if not one.modalities or modality in one.modalities]
    regions, sure = (anatomy.regions, anatomy.confidence) if anatomy else ((), 0.0)
    near = [one for one in takers if set(one.regions) & set(regions)]
    names = tuple(dict.fromkeys(one.name for one in near if sure >= one.minimum_confidence))
    shown = f"{modality} of {', '.join(regions)}" if regions else modality
    if modality and not takers:
        fate, reason = _UNSERVED, f"{modality}: no application takes this modality"
    elif names:
        fate, reason = _SERVED, f"{shown}: {', '.join(names)}"
    elif doubt := _doubt(pull, modality, anatomy, near):
        fate, reason = _UNSURE, f"{shown}: {doubt}" if shown else doubt
    else:
        fate, reason = _UNSERVED, f"{shown}: no application takes it"
    return JudgedSeries(
        modality=modality,
        regions=regions,
        confidence=round(sure, 4),
        fate=fate,
        taken=fate == _SERVED or (fate == _UNSURE and pull.unsure == "pull"),
        known=anatomy is not None or fate == _UNSERVED or not modality,
        reason=reason,
        applications=names,
    )


def _doubt(pull: Pull, modality: str, anatomy: AnatomyAnswer | None, near: Sequence[Wanted]) -> str:
    """Why what is told is no reason to leave a series; empty where it is one."""
    if not modality:
        return "the archive does not say the modality"
    if anatomy is None:
        return "inference refuses the header"
    if not anatomy.regions:
        return "nothing that the archive says names an anatomy"
    if anatomy.confidence < pull.sure_from:
        return f"less sure than {pull.sure_from:.2f}"
    return "an application takes it, but surer than this" if near else ""
