# SPDX-License-Identifier: AGPL-3.0-or-later
"""The files of a matched study set, as they may leave, with the manifest that says their roles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import pydicom
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO

from deid import DeidentificationError, DeidentifiedScan, Deidentifier, Option
from plugin.archive import ArchiveError, NotFoundError
from plugin.doors.errors import UndeliverableError, UnreachableError
from plugin.gate import GateRefusedError
from plugin.routing.records import Decision, SeriesPart

MANIFEST_VERSION = 1


class Files(Protocol):
    """What is needed of Orthanc."""

    def file(self, instance: str, /) -> bytes:
        """The DICOM file as stored."""


@dataclass(frozen=True)
class Item:
    """One file that may leave.

    Attributes:
        name: path in the manifest; holds no identifier.
        uids: of study, series, instance and SOP class, as in the file.
    """

    part: SeriesPart
    name: str
    uids: tuple[str, str, str, str]
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Cargo:
    """The files of one set; read, and de-identified, one by one.

    Args:
        files: Orthanc.
        decision: with the set, and with the zone that the destination lies in.
        deidentifier: gives the site's, where something is to be de-identified; raises
            ``UnreachableError`` while its key can't be used.
    """

    files: Files
    decision: Decision
    deidentifier: Callable[[], Deidentifier]

    def items(self) -> Iterator[Item]:
        """Every file of the set.

        Raises:
            UndeliverableError: an image is gone, or can't be de-identified.
            UnreachableError: Orthanc can't be asked now, or the key can't be used.
        """
        for number, part in enumerate(self.decision.parts, start=1):
            folder = "current" if part.role == "current" else f"prior-{part.number}"
            for count, instance in enumerate(part.instances, start=1):
                name = f"{folder}/{number:04d}/{count:05d}.dcm"
                yield self._item(part, name, instance)

    def manifest(self, token: str, items: list[Item]) -> dict[str, Any]:
        """Which file belongs to which series, and which series plays which role.

        Days before the current study are said where the site keeps dates, or intervals between
        them, in what leaves (PS3.15 E.3.6).
        """
        decision = self.decision
        dated = decision.zone == "phi" or bool(
            self.deidentifier().options & {Option.MODIFIED_DATES, Option.FULL_DATES}
        )
        series = [
            _series(part, [item for item in items if item.part is part], dated=dated)
            for part in decision.parts
        ]
        return {
            "manifest": MANIFEST_VERSION,
            "delivery": token,
            "application": decision.application,
            "zone": decision.zone,
            "series": series,
        }

    def _item(self, part: SeriesPart, name: str, instance: str) -> Item:
        try:
            original = self.files.file(instance)
        except NotFoundError:
            raise UndeliverableError("an image of the set was deleted from Orthanc") from None
        except ArchiveError as error:
            raise UnreachableError(str(error)) from None
        if self.decision.zone == "phi":
            return Item(part, name, _uids(original), original)
        try:
            scan = self.deidentifier().deidentify(original)
        except DeidentificationError as error:
            raise UndeliverableError(f"an image may not leave the PHI zone: {error}") from None
        uids = (
            scan.study_instance_uid,
            scan.series_instance_uid,
            scan.sop_instance_uid,
            scan.sop_class_uid,
        )
        return Item(part, name, uids, leaving(scan))


def leaving(scan: DeidentifiedScan) -> bytes:
    """The file of a de-identified scan, and of nothing else.

    Raises:
        GateRefusedError: it is something else.
    """
    # Not isinstance, as in the gate to inference: a subclass could hand out anything.
    if type(scan) is not DeidentifiedScan:
        raise GateRefusedError(
            f"only a DeidentifiedScan may leave the PHI zone, not a {type(scan).__name__}"
        )
    return scan.to_bytes()


def _series(part: SeriesPart, items: list[Item], *, dated: bool) -> dict[str, Any]:
    first = items[0].uids if items else ("", "", "", "")
    said: dict[str, Any] = {
        "role": part.role,
        "prior": part.number,
        "modality": part.modality,
        "regions": list(part.regions),
        "study_instance_uid": first[0],
        "series_instance_uid": first[1],
        "instances": [
            {"sop_instance_uid": item.uids[2], "sop_class_uid": item.uids[3], "file": item.name}
            for item in items
        ],
    }
    if dated and part.role == "prior":
        said["days_before"] = part.days_before
    return said


def _uids(original: bytes) -> tuple[str, str, str, str]:
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
    try:
        header: Dataset = pydicom.dcmread(
            DicomBytesIO(original), specific_tags=list(names), stop_before_pixels=True
        )
    except Exception as error:  # noqa: BLE001
        # pydicom raises whatever a broken file provokes, and its messages can quote the file.
        raise UndeliverableError(
            f"an image can't be read as DICOM ({type(error).__name__})"
        ) from None
    study, series, instance, kind = (str(header.get(name, "")) for name in names)
    return study, series, instance, kind
