# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc as the child processes see it: its HTTP API on loopback."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypedDict

import httpx

from plugin.chunks import CHUNK_BYTES, Chunks
from plugin.complete_search import IncompleteSearchError, Searching
from plugin.states import Attachment, Metadata

ResourceLevel = Literal["patient", "study", "series", "instance"]
_NODELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
_FOLDERS = {"patient": "patients", "study": "studies", "series": "series", "instance": "instances"}


class ArchiveError(RuntimeError):
    """Orthanc answered with an error; ``answer`` is its body, which is not for logs."""

    answer = b""


class NotFoundError(ArchiveError):
    """Orthanc has no such resource (any more)."""


class ArchiveUnavailableError(ArchiveError):
    """Orthanc can't be reached or did not answer in time; worth another try."""


class StoreError(ArchiveError):
    """Orthanc did not keep an object that was sent to it."""


class Stored(TypedDict):
    """Where Orthanc put an instance."""

    ID: str
    Status: str


class Archive:
    """A thread-safe client of one Orthanc.

    Args:
        url: ``http(s)://127.0.0.1:port``.
        authorization: value of the Authorization header.
        before_storing: told of each object before it is sent to Orthanc to be stored.
        find_limit: Orthanc's LimitFindResults, 0 for none; None: not known.
    """

    def __init__(
        self,
        url: str,
        authorization: str,
        seconds: float = 60.0,
        before_storing: Callable[[bytes], None] | None = None,
        find_limit: int | None = None,
    ) -> None:
        self._find_limit = find_limit
        self._before_storing = before_storing
        self._known_system: dict[str, Any] | None = None
        self._client = httpx.Client(
            base_url=url,
            # Packing images costs Orthanc half a second each, to spare a loopback some bytes.
            headers={"Authorization": authorization, "Accept-Encoding": "identity"},
            timeout=seconds,
            trust_env=False,
            transport=httpx.HTTPTransport(
                # Loopback only: the certificate names the host's public name, not 127.0.0.1.
                verify=False,
                retries=1,
                # Orthanc closes idle connections after one second.
                limits=httpx.Limits(keepalive_expiry=0.5),
                socket_options=_NODELAY,
            ),
        )

    def resource(self, level: ResourceLevel, identifier: str) -> dict[str, Any]:
        """Orthanc's JSON of one resource."""
        read: dict[str, Any] = self._get(f"/{_FOLDERS[level]}/{identifier}").json()
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
        read: list[Any] = self._get(f"/{_FOLDERS[level]}/{identifier}/{below}").json()
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
        """MD5 of the stored DICOM file, from Orthanc's database."""
        return self._get(f"/instances/{instance}/attachments/dicom/md5").text

    def file(self, instance: str) -> bytes:
        """The DICOM file as stored."""
        return self._get(f"/instances/{instance}/file").content

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

    def metadata(self, level: ResourceLevel, identifier: str, name: Metadata) -> str | None:
        """A metadata value of ours, or None."""
        return self._text(f"/{_FOLDERS[level]}/{identifier}/metadata/{int(name)}")

    def put_metadata(
        self, level: ResourceLevel, identifier: str, name: Metadata, value: str
    ) -> None:
        """Set a metadata value of ours."""
        path = f"/{_FOLDERS[level]}/{identifier}/metadata/{int(name)}"
        self._request("PUT", path, content=value.encode())

    def delete_metadata(self, level: ResourceLevel, identifier: str, name: Metadata) -> None:
        """Remove a metadata value of ours; nothing happens where there is none."""
        with suppress(NotFoundError):
            self._request("DELETE", f"/{_FOLDERS[level]}/{identifier}/metadata/{int(name)}")

    def metadata_below(
        self, study: str, level: Literal["series", "instance"], name: Metadata
    ) -> list[tuple[dict[str, Any], str]]:
        """Series or instances of a study that have a metadata value of ours, each with the value.

        One question, however many there are (``/tools/bulk-content``, since Orthanc 1.9.4).
        """
        found = self.metadata_of([study], level, (name,))
        return [(one, held[name]) for one, held in found if name in held]

    def metadata_of(
        self,
        resources: Sequence[str],
        level: Literal["series", "instance"],
        names: Sequence[Metadata],
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        """Metadata values of ours of these resources, or of those of ``level`` below them.

        One question, however many there are (``/tools/bulk-content``, since Orthanc 1.9.4); those
        that are gone are left out.
        """
        asked = {"Resources": list(resources), "Level": level.capitalize(), "Metadata": True}
        keys = {key: name for name in names for key in (str(int(name)), *self._registered(name))}
        found = self._request("POST", "/tools/bulk-content", json=asked).json()
        return [
            (one, {keys[k]: text for k, text in one.get("Metadata", {}).items() if k in keys})
            for one in found
        ]

    def delete_instance(self, identifier: str) -> None:
        """Remove an instance, if it is there."""
        with suppress(NotFoundError):
            self._request("DELETE", f"/instances/{identifier}")

    def has_labels(self) -> bool:
        """Whether this Orthanc and its database know labels (since 1.12.0)."""
        return bool(self._system().get("HasLabels", False))

    def labels(self, level: ResourceLevel, identifier: str) -> list[str]:
        """All labels of a resource, whoever set them."""
        read: list[str] = self._get(f"/{_FOLDERS[level]}/{identifier}/labels").json()
        return read

    def put_label(self, level: ResourceLevel, identifier: str, label: str) -> None:
        """Set a label; nothing happens where it is there."""
        self._request("PUT", f"/{_FOLDERS[level]}/{identifier}/labels/{label}", content=b"")

    def delete_label(self, level: ResourceLevel, identifier: str, label: str) -> None:
        """Remove a label."""
        self._request("DELETE", f"/{_FOLDERS[level]}/{identifier}/labels/{label}")

    def attachment(self, level: ResourceLevel, identifier: str, name: Attachment) -> bytes | None:
        """An attachment of ours, or None."""
        try:
            path = f"/{_FOLDERS[level]}/{identifier}/attachments/{int(name)}/data"
            return self._get(path).content
        except NotFoundError:
            return None

    def put_attachment(
        self, level: ResourceLevel, identifier: str, name: Attachment, content: bytes
    ) -> None:
        """Set an attachment of ours."""
        path = f"/{_FOLDERS[level]}/{identifier}/attachments/{int(name)}"
        self._request("PUT", path, content=content)

    def store(self, dicom: bytes) -> str:
        """Store an instance, in place of one with the same UIDs; its Orthanc identifier.

        Raises:
            StoreError: Orthanc refused it, or does not have it afterwards.
        """
        stored = self.post_instance(dicom)
        identifier = stored["ID"]
        digest = hashlib.md5(dicom, usedforsecurity=False).hexdigest()
        if stored["Status"] == "AlreadyStored" and self.content_digest(identifier) != digest:
            # Orthanc keeps the first of two by default. A crash in between is mended by the retry.
            self._request("DELETE", f"/instances/{identifier}")
            self.post_instance(dicom)
        try:
            kept = self.content_digest(identifier)
        except NotFoundError:
            kept = ""
        if kept != digest:
            raise StoreError("Orthanc accepted the object but does not have it")
        return identifier

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
        folder = _FOLDERS[level.lower()]
        read: list[dict[str, Any]] = self._get(f"/{folder}", params=query).json()
        return read

    def _system(self) -> dict[str, Any]:
        if self._known_system is None:
            self._known_system = self._get("/system").json()
        return self._known_system

    def _registered(self, name: Metadata) -> list[str]:
        # An admin may have given our number a name; answers then use it (since 1.12.0).
        names = self._system().get("UserMetadata") or {}
        return [text for text, number in names.items() if number == int(name)]

    def _text(self, path: str) -> str | None:
        try:
            return self._get(path).text
        except NotFoundError:
            return None

    def _get(self, path: str, **options: Any) -> httpx.Response:
        return self._request("GET", path, **options)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        content = options.get("content")
        if isinstance(content, bytes) and len(content) > CHUNK_BYTES:
            pieces = Chunks([content])
            headers = {**(options.get("headers") or {}), **pieces.headers}
            options = {**options, "content": pieces, "headers": headers}
        try:
            response = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ArchiveUnavailableError(
                f"Orthanc can't be reached ({type(error).__name__})"
            ) from None
        if response.status_code == 404:
            raise NotFoundError("Orthanc has no such resource")
        if response.status_code in (502, 503, 504):
            raise ArchiveUnavailableError(f"Orthanc answers {response.status_code}")
        if response.status_code >= 400:
            place = f"{method} /{path.split('/')[1]}/…"
            refusal = ArchiveError(f"Orthanc answers {response.status_code} to {place}")
            refusal.answer = response.content
            raise refusal
        return response
