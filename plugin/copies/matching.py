# SPDX-License-Identifier: AGPL-3.0-or-later
"""A series against the rules of the table, one verdict per condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol

from plugin.anatomy import AnatomyBook
from plugin.anatomy.book import Shelf
from plugin.configuration.copy_table import CopyRule, CopyTable, read_copies
from plugin.handover import Handover
from plugin.results.private import PRIVATE_CREATOR, PRIVATE_GROUP, STANDARDIZED_COPY
from plugin.routing.records import CheckRecord

_MODALITY, _SOP_CLASS, _STATION = "0008,0060", "0008,0016", "0008,1010"
_DESCRIPTIONS = ("0008,1030", "0008,103e")
_IDENTITY_REMOVED = "0012,0062"
_CONTRIBUTIONS, _CONTRIBUTION = "0018,a001", "0018,a003"
_OWN_GROUP = f"{PRIVATE_GROUP:04x},00"


class Archive(Shelf, Protocol):
    """What is needed of Orthanc."""

    def study(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of one study."""

    def series(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of one series."""

    def instance(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of one instance."""

    def short_tags(self, instance: str, /) -> dict[str, Any]:
        """The tags of an instance by number (``0008,0060``), without pixel data."""


@dataclass(frozen=True)
class SeriesVerdict:
    """One series, or one instance of it, against one rule."""

    series: str
    instances: tuple[str, ...]
    fits: bool
    checks: tuple[CheckRecord, ...]


@dataclass(frozen=True)
class CopyMatcher:
    """Decides; writes nothing.

    Args:
        archive: Orthanc.
        table: the rules.
        archived: whether what is stored was de-identified as it arrived, and may be copied again.
    """

    archive: Archive
    table: CopyTable
    archived: bool = False

    def study(self, study: str) -> dict[str, list[SeriesVerdict]]:
        """All series of a study against every rule for whole studies, by the rule's name.

        Raises:
            NotFoundError: the study is gone.
        """
        found = [self._facts(str(one)) for one in self.archive.study(study)["Series"]]
        regions = {
            str(one["ID"]): tuple(map(str, known.effective.regions))
            for one, known in AnatomyBook(self.archive).many([study])
        }
        return {
            rule.name: self._of_study(rule, found, regions)
            for rule in self.table.rules
            if rule.at == "study"
        }

    def instance(self, instance: str, rule: CopyRule) -> SeriesVerdict:
        """One instance against a rule.

        Raises:
            NotFoundError: it is gone.
        """
        series = str(self.archive.instance(instance)["ParentSeries"])
        tags = self.archive.short_tags(instance)
        checks = (self._origin(tags), *_checks(rule, tags, ()))
        return SeriesVerdict(series, (instance,), all(one.holds for one in checks), checks)

    def _facts(self, series: str) -> tuple[str, tuple[str, ...], Mapping[str, Any]]:
        instances = tuple(map(str, self.archive.series(series)["Instances"]))
        return series, instances, self.archive.short_tags(instances[0]) if instances else {}

    def _of_study(
        self,
        rule: CopyRule,
        found: Sequence[tuple[str, tuple[str, ...], Mapping[str, Any]]],
        regions: Mapping[str, tuple[str, ...]],
    ) -> list[SeriesVerdict]:
        judged = []
        for series, instances, tags in found:
            checks = (self._origin(tags), *_checks(rule, tags, regions.get(series, ())))
            fits = bool(instances) and all(one.holds for one in checks)
            judged.append(SeriesVerdict(series, instances, fits, checks))
        if rule.results == "include" and any(one.fits for one in judged):
            own = {series for series, _, tags in found if _is_own(tags) and not _is_twin(tags)}
            return [_included(one) if one.series in own else one for one in judged]
        return judged

    def _origin(self, tags: Mapping[str, Any]) -> CheckRecord:
        """Neither our own result nor somebody's copy: else two Sidelights would never end."""
        if _is_own(tags):
            found = "a copy with a standard header" if _is_twin(tags) else "a result of Sidelight"
            return CheckRecord(condition="origin", holds=False, wanted="a scan", found=found)
        removed = _text(tags, _IDENTITY_REMOVED).upper() == "YES" and not self.archived
        found = "de-identified already" if removed else "a scan"
        return CheckRecord(condition="origin", holds=not removed, wanted="a scan", found=found)


def _included(one: SeriesVerdict) -> SeriesVerdict:
    check = CheckRecord(
        condition="origin", holds=True, wanted="a scan or a result", found="a result of Sidelight"
    )
    return SeriesVerdict(one.series, one.instances, bool(one.instances), (check,))


def _checks(
    rule: CopyRule, tags: Mapping[str, Any], regions: Sequence[str]
) -> tuple[CheckRecord, ...]:
    when = rule.when
    modality, sop_class = _text(tags, _MODALITY), _text(tags, _SOP_CLASS)
    station = any(_like(_text(tags, _STATION), pattern) for pattern in when.stations)
    described = any(
        _like(_text(tags, name), pattern) for name in _DESCRIPTIONS for pattern in when.descriptions
    )
    # Of stations and descriptions the plan says whether they fit, and never what they are.
    said = {True: "fits", False: "none that fits"}
    told = (
        ("modality", when.modalities, modality in when.modalities, modality or "none"),
        (
            "region",
            when.regions,
            any(region in when.regions for region in regions),
            ", ".join(regions) or "none",
        ),
        ("station", when.stations, station, said[station]),
        ("description", when.descriptions, described, said[described]),
        ("SOP class", when.sop_classes, sop_class in when.sop_classes, sop_class or "none"),
    )
    return tuple(
        CheckRecord(condition=name, holds=holds, wanted=", ".join(map(str, wanted)), found=found)
        for name, wanted, holds, found in told
        if wanted
    )


def _like(text: str, pattern: str) -> bool:
    return fnmatchcase(text.casefold(), pattern.casefold())


def _text(tags: Mapping[str, Any], name: str) -> str:
    value = tags.get(name)
    return value.strip(" \0") if isinstance(value, str) else ""


def _is_own(tags: Mapping[str, Any]) -> bool:
    """As ``is_own_object``, in Orthanc's own form of the tags."""
    return any(
        name.lower().startswith(_OWN_GROUP) and _text(tags, name) == PRIVATE_CREATOR
        for name in tags
    )


def _is_twin(tags: Mapping[str, Any]) -> bool:
    """Whether it is a scan once more, with a standard header: the scan itself goes already."""
    items = tags.get(_CONTRIBUTIONS)
    return isinstance(items, list) and any(
        isinstance(item, Mapping) and _text(item, _CONTRIBUTION) == STANDARDIZED_COPY
        for item in items
    )


def matcher_of(handover: Handover, archive: Archive) -> CopyMatcher | None:
    """What decides by the configuration; None without a rule."""
    table = read_copies(handover.configuration.copies.table)
    if not table.rules:
        return None
    return CopyMatcher(archive, table, archived=bool(handover.arrival_socket))
