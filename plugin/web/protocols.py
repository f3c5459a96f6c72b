# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the answering process needs of Orthanc and of the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from plugin.anatomy import SeriesAnatomy
from plugin.doors.outbox import DeliveryStatus, Event
from plugin.states import Attachment, Metadata

Level = Literal["instance", "series"]
"""The level that a scan is kept at: an instance of a 2D modality, a series of a volume."""

FindLevel = Literal["Study", "Series", "Instance"]

Reviewed = Callable[[Mapping[str, Any], SeriesAnatomy], None]
"""Is told Orthanc's JSON of a series, and what counts now that a reviewer has spoken."""


class Archive(Protocol):
    """Orthanc over its REST API.

    Every method may raise ``plugin.archive.NotFoundError`` for an identifier that Orthanc does not
    know, ``ArchiveUnavailableError`` when it can't be reached, and ``ArchiveError`` otherwise.
    """

    def study(self, study_id: str, /) -> dict[str, Any]:
        """Orthanc's JSON of a study."""

    def series(self, series_id: str, /) -> dict[str, Any]:
        """Orthanc's JSON of a series."""

    def instance(self, instance_id: str, /) -> dict[str, Any]:
        """Orthanc's JSON of an instance."""

    def sop_class(self, instance_id: str, /) -> str:
        """SOP Class UID of an instance, or nothing."""

    def rendered(self, instance_id: str, /) -> bytes:
        """The windowed first frame in the size of the stored one, as PAM, PNG or JPEG."""

    def file(self, instance_id: str, /) -> bytes:
        """The DICOM file as stored."""

    def metadata(
        self, level: Literal["study", "series", "instance"], resource: str, name: Metadata, /
    ) -> str | None:
        """One metadata value, or None where there is none."""

    def put_metadata(
        self,
        level: Literal["study", "series", "instance"],
        resource: str,
        name: Metadata,
        value: str,
        /,
    ) -> None:
        """Set one metadata value."""

    def delete_metadata(
        self, level: Literal["study", "series"], resource: str, name: Metadata, /
    ) -> None:
        """Remove one metadata value, if it is there."""

    def finds_by_metadata(self) -> bool:
        """Whether ``find_by_metadata`` searches by metadata."""

    def has_database_server(self) -> bool:
        """Whether several Orthancs can share the index."""

    def find_by_metadata(
        self, level: FindLevel, query: Mapping[str, str], name: Metadata, value: str, /
    ) -> list[str]:
        """Identifiers of resources by tags and one metadata value."""

    def metadata_of(
        self, resources: Sequence[str], level: Level, names: Sequence[Metadata], /
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        """Metadata values of many resources, or of those of a level below them."""

    def attachment(self, level: Level, resource: str, name: Attachment, /) -> bytes | None:
        """The content of one attachment, or None where there is none."""

    def simplified_tags(self, instance_id: str, /) -> dict[str, Any]:
        """The tags of an instance by keyword, as text and lists, without pixel data."""

    def store(self, dicom: bytes, /) -> str:
        """Store an object; its Orthanc identifier."""

    def put_attachment(
        self, level: Level, resource: str, name: Attachment, content: bytes, /
    ) -> None:
        """Set the content of one attachment."""

    def find(
        self, level: FindLevel, query: Mapping[str, str], /, *, expand: bool = True
    ) -> list[Any]:
        """Resources whose tags match: Orthanc's JSON of each, or only identifiers."""

    def changes(self, since: int, limit: int = 1000, /) -> dict[str, Any]:
        """Orthanc's list of changes after the sequence number ``since``."""

    def last_change(self) -> int:
        """Sequence number of the latest change."""


class Deliveries(Protocol):
    """The outbox of this Orthanc. Every method may raise ``plugin.queue.QueueError``."""

    def statistics(self) -> dict[str, int]:
        """Counts of deliveries by status."""

    def deliveries(self, status: DeliveryStatus | None, limit: int, /) -> list[dict[str, Any]]:
        """The latest deliveries, of one status or all."""

    def deliveries_of(self, study: str, event: Event, /) -> list[dict[str, Any]]:
        """All deliveries of one kind about a study, the latest first."""

    def retry(self, identifier: int, /) -> bool | None:
        """Queue a dead letter again: None for an unknown one, False for one that isn't dead."""


class Queue(Protocol):
    """The durable queue of this Orthanc. Every method may raise ``plugin.queue.QueueError``."""

    def pending_for(self, resources: Iterable[str], /) -> int:
        """How many arrivals and jobs of these Orthanc identifiers are not finished."""

    def studies_to_note(self, limit: int, /) -> list[tuple[str, float]]:
        """Studies that wait, or have a scan that ended without a result; since when."""

    def enqueue_analysis(self, study_id: str, /) -> int:
        """Queue every instance of a study again; how many."""
