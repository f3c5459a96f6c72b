# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps the standard header of a scan beside it, and makes its modified copies where configured."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydicom.dataset import Dataset

from inference.contract import AnatomyAnswer
from plugin.archive import Archive, StoreError
from plugin.configuration.standard_entries import StandardTable
from plugin.configuration.standardization import StandardizationSection
from plugin.results.header import text
from plugin.standardization.alike import Alike, alike
from plugin.standardization.copies import CopyError, copy_uids, modified_copy
from plugin.standardization.entries import (
    StandardEntry,
    StandardHeader,
    claims_no_side,
    standard_header,
    sure_enough,
)
from plugin.standardization.incoming import changed_on_arrival
from plugin.states import Metadata, ScanState, Status
from plugin.subject import of_no_patient

LOGGER = logging.getLogger(__name__)

# Requested Procedure Priority (0040,1003), defined terms of PS3.3 C.4.11.
_PRIORITIES = ("LOW", "ROUTINE", "HIGH", "STAT")
_PRIORITY = "RequestedProcedurePriority"
_JUDGED = (Status.FINDINGS, Status.NO_FINDINGS)

_Found = tuple[Alike, StandardHeader | None]


class _Copied(BaseModel):
    """What counts of a standard header that is kept, whichever version wrote it."""

    copies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Standardizer:
    """Standardizes the header of one scan after the other.

    Args:
        archive: Orthanc.
        section: whether, and where to.
        table: the standard entries.
    """

    archive: Archive
    section: StandardizationSection
    table: StandardTable

    @property
    def copies(self) -> bool:
        """Whether copies are made, for which a series must be complete."""
        return self.section.mode == "copy"

    def apply(
        self, state: ScanState, header: Dataset | None, instances: Sequence[str], *, whole: bool
    ) -> None:
        """Write the standard header of a scan, and its copies.

        Args:
            state: of the scan, as it is kept.
            header: of the scan's first instance.
            instances: Orthanc identifiers of all that belongs to the scan.
            whole: False while more instances may come; copies wait for them.

        Raises:
            ArchiveError: Orthanc can't be reached or refuses.
        """
        if self.section.mode == "off":
            return
        before = self._before(state)
        found = self._found(state, header, instances, whole=whole)
        standard = _together([standard for _, standard in found])
        arrival = None if header is None else changed_on_arrival(header)
        if arrival is not None:
            known = standard or StandardHeader(rule="", entries=())
            standard = known.model_copy(update={"arrival": arrival})
        if standard is None:
            self._forget(before)
            self.archive.delete_metadata(state.level, state.resource, Metadata.STANDARD_HEADER)
            return
        made = before
        if self.copies and whole:
            made = self._copy_all(state, found, standard)
            self._forget(one for one in before if one not in made)
        standard = standard.model_copy(update={"copies": tuple(made)})
        self.archive.put_metadata(
            state.level, state.resource, Metadata.STANDARD_HEADER, standard.model_dump_json()
        )

    def _found(
        self, state: ScanState, header: Dataset | None, instances: Sequence[str], *, whole: bool
    ) -> list[_Found]:
        """What the header of each instance should say; before copies, that of the first alone."""
        if header is None or of_no_patient(header):
            return []
        groups = [Alike(header, list(instances))]
        if self.copies and whole:
            groups = alike(self.archive, state.resource, header, instances)
        sure = self._sure(state.anatomy)
        return [(one, standard_header(one.header, sure, self.table)) for one in groups]

    def _sure(self, anatomy: AnatomyAnswer | None) -> AnatomyAnswer | None:
        return sure_enough(anatomy, self.section.minimum_confidence)

    def _before(self, state: ScanState) -> list[str]:
        """Copies that an earlier run made."""
        kept = self.archive.metadata(state.level, state.resource, Metadata.STANDARD_HEADER)
        if kept is None:
            return []
        try:
            return list(_Copied.model_validate_json(kept).copies)
        except ValidationError:
            return []

    def _forget(self, copies: Iterable[str]) -> None:
        for copy in copies:
            self.archive.delete_instance(copy)

    def _copy_all(
        self, state: ScanState, found: Sequence[_Found], together: StandardHeader
    ) -> list[str]:
        """Copies of the instances whose headers differ; all of one series say the same things."""
        allowed = set(self.section.copied_attributes)
        spoken_of = {one.keyword for one in together.entries if one.differs} & allowed
        always: dict[str, str | None] = {}
        if state.status in _JUDGED and _PRIORITY in allowed:
            always[_PRIORITY] = _PRIORITIES[state.priority]
        made = []
        for group, standard in found:
            said = {one.keyword: one.standard for one in standard.entries} if standard else {}
            changes = {key: said[key] for key in said if key in spoken_of} | always
            if all(text(group.header, key) == value for key, value in changes.items()):
                continue
            if "BodyPartExamined" in changes and claims_no_side(
                group.header, self._sure(state.anatomy)
            ):
                changes["Laterality"] = None
            made += [self._copy(instance, changes) for instance in group.instances]
        return [one for one in made if one]

    def _copy(self, instance: str, changes: dict[str, str | None]) -> str:
        """Orthanc identifier of the copy; empty where none can be made."""
        original = self.archive.file(instance)
        try:
            # A copy says when it was made, so a second one would differ: the first one stays.
            query = {"SOPInstanceUID": copy_uids(original, changes).instance}
            there = self.archive.find("Instance", query, expand=False)
            return str(there[0]) if there else self.archive.store(modified_copy(original, changes))
        except (CopyError, StoreError) as error:
            LOGGER.warning("a copy with a standard header was not made: %s", error)
            return ""


def _together(found: Sequence[StandardHeader | None]) -> StandardHeader | None:
    """What is said of a whole scan: an entry differs where it does in one of its headers."""
    known = [one for one in found if one is not None]
    if not known:
        return None
    entries: dict[str, StandardEntry] = {}
    for entry in (entry for one in known for entry in one.entries):
        kept = entries.get(entry.keyword)
        if kept is None or (entry.differs and not kept.differs):
            entries[entry.keyword] = entry
    return known[0].model_copy(update={"entries": tuple(entries.values())})
