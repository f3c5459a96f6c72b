# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a delivery carries: the scan's state and its reports, read from Orthanc when it is sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import ValidationError

from plugin.archive import ArchiveError, NotFoundError
from plugin.doors.announcer import fingerprint
from plugin.doors.errors import (
    SupersededError,
    UndeliverableError,
    UnreachableError,
    UnreadableReportError,
)
from plugin.doors.outbox import Delivery, Level
from plugin.doors.report_reader import read_report
from plugin.doors.result import Result
from plugin.states import Metadata, ScanState


class Archive(Protocol):
    """What is needed of Orthanc."""

    def metadata(self, level: Level, resource: str, name: Metadata, /) -> str | None:
        """One metadata value, or None where there is none."""

    def file(self, instance: str, /) -> bytes:
        """The DICOM file as stored."""


@dataclass(frozen=True)
class Package:
    """A delivery with what it carries; ``results`` is empty where the scan has no report."""

    delivery: Delivery
    state: ScanState
    results: tuple[Result, ...]

    @property
    def token(self) -> str:
        """Name of the delivery, the same at each attempt: hexadecimal, 64 digits."""
        delivery = self.delivery
        return hashlib.sha256(f"{delivery.result} {delivery.event}".encode()).hexdigest()

    def reports(self) -> tuple[Result, ...]:
        """The results, for doors that can say nothing without one.

        Raises:
            UndeliverableError: the scan has no report.
        """
        if not self.results:
            why = next(iter(self.state.quarantined.values()), "none was made")
            raise UndeliverableError(f"the scan has no report: {why}")
        return self.results

    def content(self) -> dict[str, Any]:
        """The whole as JSON."""
        delivery, state = self.delivery, self.state
        return {
            "event": delivery.event,
            "delivery": self.token,
            "scan": {
                "study": delivery.study,
                "level": state.level,
                "resource": state.resource,
                "status": str(state.status),
                "reason": state.reason,
                "priority": state.priority,
            },
            "results": [result.model_dump(mode="json") for result in self.results],
            "links": {
                "study": f"/studies/{delivery.study}",
                "results": f"/studies/{delivery.study}/sidelight/results",
            },
        }


def load(archive: Archive, delivery: Delivery) -> Package:
    """Read what is to be sent.

    Raises:
        SupersededError: the scan has another result by now, or is gone.
        UndeliverableError: its report can't be read.
        UnreachableError: Orthanc can't be asked now.
    """
    try:
        state = _state(archive, delivery)
        return Package(delivery, state, reports_of(archive, state))
    except NotFoundError:
        raise UndeliverableError("the report was deleted from Orthanc") from None
    except UnreadableReportError as error:
        raise UndeliverableError(str(error)) from None
    except ArchiveError as error:
        raise UnreachableError(str(error)) from None


def reports_of(archive: Archive, state: ScanState) -> tuple[Result, ...]:
    """The reports of a scan, with the severities that its state names.

    Raises:
        NotFoundError: a report was deleted.
        UnreadableReportError: one can't be read.
    """
    severities = {found.key: found.severity for found in state.probabilities}
    return tuple(
        read_report(archive.file(stored.instance), severities)
        for stored in state.objects
        if stored.kind == "SR"
    )


def _state(archive: Archive, delivery: Delivery) -> ScanState:
    text = archive.metadata(delivery.level, delivery.resource, Metadata.STATE)
    if text is None:
        raise SupersededError("the scan is no longer in Orthanc")
    try:
        state = ScanState.model_validate_json(text)
    except ValidationError:
        raise UndeliverableError(
            "what is stored was written by another version of Sidelight; analyse the study again"
        ) from None
    if fingerprint(state) != delivery.result:
        raise SupersededError("the scan has a newer result")
    return state
