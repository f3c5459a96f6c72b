# SPDX-License-Identifier: AGPL-3.0-or-later
"""What standard headers say of a whole archive, counted: what would change, and what none knows.

Of the words in headers Body Part Examined alone is shown, and only what several patients have:
what one has may be a slip of the keyboard, or a name. Descriptions are free text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import ValidationError

from plugin.configuration.dicom_terms import BODY_PARTS
from plugin.configuration.standard_entries import StandardTable
from plugin.standardization.entries import StandardHeader, folded
from plugin.states import Metadata

PAGE = 200
"""Series that are asked about at once."""
SPELLINGS_ALONE = "(spellings alone)"
_STUDY, _PATIENT = "ParentStudy", "ParentPatient"
_VOLUMES = frozenset({"CT", "MR", "PT"})
_NO_IMAGES = frozenset({"SR", "SEG", "PR", "KO", "DOC", "PLAN", "RTSTRUCT", "RTPLAN", "RTDOSE"})


class Rest(Protocol):
    """Orthanc; see ``plugin.rest_client.RestClient``."""

    def get(self, path: str, /) -> Any:
        """JSON of an address."""

    def post(self, path: str, content: Any = None, /) -> Any:
        """JSON of an answer."""


@dataclass
class OfRule:
    """Scans for which one rule holds.

    Attributes:
        scans: how many.
        differ: how many of them have a header that says something else.
        attributes: the same by keyword.
    """

    scans: int = 0
    differ: int = 0
    attributes: Counter[str] = field(default_factory=Counter)


@dataclass
class Report:
    """Counts of what was looked at.

    Attributes:
        series: of images.
        scans: that have a standard header; the others were not looked at, or no rule holds.
        unreadable: standard headers that another version wrote.
        copies: modified copies.
        arrived: scans whose header was changed at arrival, by reason.
        rules: by name.
        parts: series by Body Part Examined as it stands in Orthanc's index, and the standard one.
        found: series by Body Part Examined, whatever stands beside them.
        common: values of Body Part Examined that several patients have; none is one.
    """

    series: int = 0
    scans: int = 0
    unreadable: int = 0
    copies: int = 0
    arrived: Counter[str] = field(default_factory=Counter)
    rules: defaultdict[str, OfRule] = field(default_factory=lambda: defaultdict(OfRule))
    parts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    common: set[str] = field(default_factory=lambda: {""})
    _first: dict[str, str] = field(default_factory=dict)

    def add(self, said: str, patient: str, headers: Iterable[str]) -> None:
        """Count one series.

        Args:
            said: its Body Part Examined; empty where there is none.
            patient: whose it is.
            headers: the standard headers that lie beside it and its instances.
        """
        self.series += 1
        if said:
            self.found[said] += 1
            if self._first.setdefault(said, patient) != patient:
                self.common.add(said)
        meant: set[str] = set()
        for text in headers:
            try:
                header = StandardHeader.model_validate_json(text)
            except ValidationError:
                self.unreadable += 1
                continue
            self._add_scan(header)
            meant |= {e.standard for e in header.entries if e.keyword == "BodyPartExamined"}
        self.parts.update((said, one) for one in meant if one != said)

    def unknown(self, table: StandardTable) -> Counter[str]:
        """Series by spelling of Body Part Examined that is no term and that no spelling knows."""
        terms = set(BODY_PARTS.read_text(encoding="ascii").split()[1:])
        spelled = {
            folded(found)
            for one in table.spellings
            if one.keyword == "BodyPartExamined"
            for found in one.found
        }
        strange = {said: n for said, n in self.found.items() if said not in terms}
        return Counter({said: n for said, n in strange.items() if folded(said) not in spelled})

    def _add_scan(self, header: StandardHeader) -> None:
        differing = [entry.keyword for entry in header.entries if entry.differs]
        rule = self.rules[header.rule or SPELLINGS_ALONE]
        self.scans += 1
        self.copies += len(header.copies)
        rule.scans += 1
        rule.differ += bool(differing)
        rule.attributes.update(differing)
        if header.arrival is not None:
            self.arrived[header.arrival.reason] += 1


def look_through(orthanc: Rest, told: Callable[[int], None] = lambda _: None) -> Report:
    """Count all series of an archive, page by page.

    Args:
        orthanc: is asked only.
        told: how many series were looked at, after each page.
    """
    report = Report()
    ours = _recognizer(orthanc)
    looked_at = 0
    for page in _pages(orthanc):
        headers: defaultdict[str, list[str]] = defaultdict(list)
        for series, text in _kept(orthanc, page, "Series", ours):
            headers[str(series["ID"])].append(text)
        by_image = [
            one for one in page if one not in headers and _modality(page[one]) not in _VOLUMES
        ]
        for instance, text in _kept(orthanc, by_image, "Instance", ours):
            headers[str(instance["ParentSeries"])].append(text)
        patients = _patients(orthanc, page)
        for identifier, tags in page.items():
            if _modality(tags) not in _NO_IMAGES:
                said = str(tags.get("BodyPartExamined", "")).strip()
                patient = patients.get(str(tags.get(_STUDY)), "")
                report.add(said, patient, headers[identifier])
        looked_at += len(page)
        told(looked_at)
    return report


def _pages(orthanc: Rest) -> Iterator[dict[str, Mapping[str, Any]]]:
    """Tags of series by Orthanc identifier."""
    since = 0
    while page := orthanc.get(f"/series?expand&since={since}&limit={PAGE}"):
        yield {
            str(one["ID"]): {**one.get("MainDicomTags", {}), _STUDY: one.get("ParentStudy")}
            for one in page
        }
        since += PAGE


def _patients(orthanc: Rest, page: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Orthanc identifiers of patients by those of their studies, for series of a page."""
    studies = {str(tags[_STUDY]) for tags in page.values() if tags.get(_STUDY)}
    asked = {"Resources": sorted(studies), "Level": "Study", "Metadata": False}
    found = orthanc.post("/tools/bulk-content", asked) if studies else []
    return {str(one["ID"]): str(one.get(_PATIENT, "")) for one in found}


def _kept(
    orthanc: Rest, resources: Iterable[str], level: str, ours: Callable[[str, str], bool]
) -> Iterator[tuple[Mapping[str, Any], str]]:
    asked = {"Resources": list(resources), "Level": level, "Metadata": True}
    if not asked["Resources"]:
        return
    for one in orthanc.post("/tools/bulk-content", asked):
        for key, text in one.get("Metadata", {}).items():
            if ours(key, text):
                yield one, text


def _recognizer(orthanc: Rest) -> Callable[[str, str], bool]:
    """Tells by name and text which metadata is a standard header.

    An admin may have given our number a name; answers then use it, and not all releases tell it.
    """
    number = int(Metadata.STANDARD_HEADER)
    named = orthanc.get("/system").get("UserMetadata")
    keys = {str(number), *(name for name, known in (named or {}).items() if known == number)}

    def ours(key: str, text: str) -> bool:
        return key in keys or (named is None and not key.isdigit() and _is_standard_header(text))

    return ours


def _is_standard_header(text: str) -> bool:
    try:
        StandardHeader.model_validate_json(text)
    except ValidationError:
        return False
    return True


def _modality(tags: Mapping[str, Any]) -> str:
    return str(tags.get("Modality", ""))
