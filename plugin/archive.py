# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc as the child processes see it: its HTTP API on loopback."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any, Literal, TypedDict

from plugin.archive_connection import (
    FOLDERS,
    ArchiveError,
    ArchiveUnavailableError,
    ConflictError,
    NotFoundError,
    ResourceLevel,
    StoreError,
)
from plugin.archive_notes import Notes
from plugin.complete_search import IncompleteSearchError, Searching
from plugin.states import Metadata

__all__ = [
    "Archive",
    "ArchiveError",
    "ArchiveUnavailableError",
    "ConflictError",
    "NotFoundError",
    "ResourceLevel",
    "StoreError",
    "Stored",
]


class Stored(TypedDict):
    """Where Orthanc put an instance."""

    ID: str
    Status: str


class Archive(Notes):
    """A thread-safe client of one Orthanc.

    Args:
        url: ``http(s)://127.0.0.1:port``.
        authorization: value of the Authorization header.
        before_storing: told of each object before it is sent to Orthanc to be stored.
        find_limit: Orthanc's LimitFindResults, 0 for none; None: not known.
        user_metadata: Orthanc's UserMetadata, for releases that do not tell it; None: not known.
    """

    def __init__(
        self,
        url: str,
        authorization: str,
        seconds: float = 60.0,
        before_storing: Callable[[bytes], None] | None = None,
        find_limit: int | None = None,
        user_metadata: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(url, authorization, seconds, user_metadata)
        self._find_limit = find_limit
        self._before_storing = before_storing

    def resource(self, level: ResourceLevel, identifier: str) -> dict[str, Any]:
        """Orthanc's JSON of one resource."""
        read: dict[str, Any] = self._get(f"/{FOLDERS[level]}/{identifier}").json()
        return read

    def study(self, identifier: str) -> dict[str, Any]:
        """Orthanc's JSON of one study."""
        return self.resource("study", identifier)

    def series(self, identifier: str) -> dict[str, Any]:
        """Orthanc's JSON of one series."""
        return self.resource("series", identifier)

    def instance(self, identifier: str) -> dict[str, Any]:
        """Orthanc's JSON of one instance."""
        return self.resource("instance", identifier)

    def children(self, level: Literal["patient", "study", "series"], identifier: str) -> list[Any]:
        """Orthanc's JSON of all resources one level below."""
        below = {"patient": "studies", "study": "series", "series": "instances"}[level]
        read: list[Any] = self._get(f"/{FOLDERS[level]}/{identifier}/{below}").json()
        return read

    def study_identifiers(self) -> list[str]:
        """Orthanc identifiers of all studies."""
        read: list[str] = self._get("/studies").json()
        return read

    def study_instances(self, identifier: str) -> list[str]:
        """Orthanc identifiers of all instances of a study."""
        found: list[str] = []
        for series in self.study(identifier)["Series"]:
            found += self.series(series)["Instances"]
        return found

    def series_page(self, since: int, limit: int) -> list[dict[str, Any]]:
        """Orthanc's JSON of at most ``limit`` series, after the first ``since`` of its listing."""
        return self._page("Series", since, limit)

    def running_jobs(self) -> int:
        """How many of Orthanc's jobs run, wait or retry."""
        jobs = self._get("/jobs", params={"expand": ""}).json()
        return sum(job.get("State") in ("Running", "Pending", "Retry") for job in jobs)

    def simplified_tags(self, instance: str) -> dict[str, Any]:
        """The tags of an instance by keyword, as text and lists, without pixel data."""
        read: dict[str, Any] = self._get(f"/instances/{instance}/simplified-tags").json()
        return read

    def short_tags(self, instance: str) -> dict[str, Any]:
        """The tags of an instance by number (``0008,0060``), as text, without pixel data."""
        read: dict[str, Any] = self._get(f"/instances/{instance}/tags?short").json()
        return read

    def tags_below(self, series: str) -> dict[str, dict[str, Any]]:
        """The same of all instances of a series, by Orthanc identifier, in one question."""
        read: dict[str, dict[str, Any]] = self._get(f"/series/{series}/instances-tags?short").json()
        return read

    def sop_class(self, instance: str) -> str:
        """SOP Class UID of an instance, from Orthanc's database, or nothing."""
        return self._text(f"/instances/{instance}/metadata/SopClassUid") or ""

    def content_digest(self, instance: str) -> str:
        """MD5 of the stored DICOM file: from Orthanc's database, or of the file itself.

        Raises:
            NotFoundError: the instance is gone.
        """
        try:
            return self._get(f"/instances/{instance}/attachments/dicom/md5").text
        except NotFoundError:
            # Orthanc says the same of an instance that is gone as where StoreMD5ForAttachments is
            # false.
            return _digest(self.file(instance))

    def file(self, instance: str) -> bytes:
        """The DICOM file as stored."""
        return self._get(f"/instances/{instance}/file").content

    def file_pieces(self, instance: str) -> AbstractContextManager[tuple[int, Iterator[bytes]]]:
        """How long the DICOM file is as stored, and its bytes piece by piece; for within."""
        return self._pieces(f"/instances/{instance}/file")

    def rendered(self, instance: str, frame: int = 1) -> bytes:
        """A frame, counted from 1, windowed as Orthanc shows it, as Portable Arbitrary Map.

        Uncompressed: packing a large radiograph as PNG takes Orthanc half a second.
        """
        headers = {"Accept": "image/x-portable-arbitrarymap"}
        frames = f"/frames/{frame - 1}" if frame > 1 else ""
        place = f"/instances/{instance}{frames}/rendered"
        return self._get(place, headers=headers).content

    def find(
        self, level: str, query: Mapping[str, str], *, expand: bool = True, limit: int = 0
    ) -> list[Any]:
        """Search by DICOM tags (``/tools/find``); ``level`` is Study, Series or Instance.

        Without a limit all that matches is found, whatever Orthanc's LimitFindResults.
        """
        asked = {"Level": level, "Query": dict(query), "Expand": expand}
        if limit:
            return self._asked({**asked, "Limit": limit})
        searching = Searching(self._asked, self._page, self.finds_by_metadata, self._find_limit)
        try:
            return searching.all_of(asked)
        except IncompleteSearchError as error:
            raise ArchiveError(str(error)) from None

    def finds_by_metadata(self) -> bool:
        """Whether this Orthanc and its database search by metadata (since 1.12.5)."""
        return bool(self._system().get("Capabilities", {}).get("HasExtendedFind", False))

    def has_database_server(self) -> bool:
        """Whether the index lies in a database that several Orthancs can share."""
        return bool(self._system().get("DatabaseBackendPlugin"))

    def find_by_metadata(
        self, level: str, query: Mapping[str, str], name: Metadata, value: str
    ) -> list[str]:
        """Orthanc identifiers by DICOM tags and one metadata value of ours.

        Only where ``finds_by_metadata``: other releases find what the tags alone say.
        """
        asked = {
            "Level": level,
            "Query": dict(query),
            "MetadataQuery": {str(int(name)): value},
            "Expand": False,
        }
        return Searching(self._asked, self._page, lambda: True, self._find_limit).all_of(asked)

    def delete_instance(self, identifier: str) -> None:
        """Remove an instance, if it is there."""
        with suppress(NotFoundError):
            self._request("DELETE", f"/instances/{identifier}")

    def store(self, dicom: bytes) -> str:
        """Store an instance, in place of one with the same UIDs; its Orthanc identifier.

        Raises:
            StoreError: Orthanc refused it, or does not have it afterwards.
        """
        stored = self.post_instance(dicom)
        identifier = stored["ID"]
        if stored["Status"] == "AlreadyStored" and not self._holds(identifier, dicom):
            # Orthanc keeps the first of two by default. A crash in between is mended by the retry.
            self._request("DELETE", f"/instances/{identifier}")
            stored = self.post_instance(dicom)
        if not self._holds(identifier, dicom, just_stored=stored["Status"] == "Success"):
            raise StoreError(
                "Orthanc accepted the object but does not have it: a filter (such as Lua's "
                "ReceivedInstanceFilter) or another plugin refused or changed it"
            )
        return identifier

    def _holds(self, identifier: str, dicom: bytes, *, just_stored: bool = False) -> bool:
        """Whether Orthanc has this object, in this encoding or in another (IngestTranscoding)."""
        try:
            if self.content_digest(identifier) == _digest(dicom):
                return True
            stored = self.file(identifier)
        except NotFoundError:
            return False
        # Only here: most processes never need a DICOM library for this.
        from plugin.same_object import same_object  # noqa: PLC0415

        return same_object(stored, dicom, just_stored=just_stored)

    def post_instance(self, dicom: bytes) -> Stored:
        """Hand an instance to Orthanc, which may store another in its place.

        Raises:
            StoreError: its answer names no stored instance.
        """
        if self._before_storing is not None:
            self._before_storing(dicom)
        answer = self._request("POST", "/instances", content=dicom)
        try:
            read: Stored = answer.json()
            return {"ID": read["ID"], "Status": read["Status"]}
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError("Orthanc's answer names no stored instance") from error

    def lookup(self, sop_instance_uid: str) -> str | None:
        """Orthanc identifier of the instance with this SOP Instance UID, or None."""
        found = self._request("POST", "/tools/lookup", content=sop_instance_uid.encode()).json()
        return next((str(one["ID"]) for one in found if one.get("Type") == "Instance"), None)

    def changes(self, since: int, limit: int = 1000) -> dict[str, Any]:
        """Orthanc's list of changes after the sequence number ``since``."""
        query = {"since": str(since), "limit": str(limit)}
        read: dict[str, Any] = self._get("/changes", params=query).json()
        return read

    def last_change(self) -> int:
        """Sequence number of the latest change."""
        return int(self._request("GET", "/changes?last").json()["Last"])

    def new_instances(self, since: int) -> Iterator[tuple[int, list[str]]]:
        """Pages of instances that came after ``since``: (sequence number reached, identifiers)."""
        while True:
            page = self.changes(since)
            since = int(page["Last"])
            new = [c["ID"] for c in page["Changes"] if c["ChangeType"] == "NewInstance"]
            yield since, new
            if page["Done"]:
                return

    def _asked(self, question: Mapping[str, Any]) -> list[Any]:
        read: list[Any] = self._request("POST", "/tools/find", json=dict(question)).json()
        return read

    def _page(self, level: str, since: int, limit: int) -> list[dict[str, Any]]:
        query = {"expand": "", "since": str(since), "limit": str(limit)}
        folder = FOLDERS[level.lower()]
        read: list[dict[str, Any]] = self._get(f"/{folder}", params=query).json()
        return read


def _digest(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
