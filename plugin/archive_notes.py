# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Orthanc keeps beside its resources: metadata and attachments of ours, and labels."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from plugin.archive_connection import (
    FOLDERS,
    ArchiveError,
    ArchiveUnavailableError,
    ConflictError,
    Connection,
    NotFoundError,
    ResourceLevel,
)
from plugin.states import Attachment, Metadata

_CHANGES = 8
"""How often a change is tried that others are faster with."""
_PAUSE_SECONDS = 0.01
"""The longest pause after the second refusal; it doubles with each further one."""


class Notes(Connection):
    """Reads and writes what lies beside resources.

    Args:
        url: ``http(s)://127.0.0.1:port``.
        authorization: value of the Authorization header.
        user_metadata: Orthanc's UserMetadata, for releases that do not tell it; None: not known.
    """

    def __init__(
        self,
        url: str,
        authorization: str,
        seconds: float = 60.0,
        user_metadata: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(url, authorization, seconds)
        self._user_metadata = user_metadata or {}

    def metadata(self, level: ResourceLevel, identifier: str, name: Metadata) -> str | None:
        """A metadata value of ours, or None."""
        return self._text(f"/{FOLDERS[level]}/{identifier}/metadata/{int(name)}")

    def put_metadata(
        self, level: ResourceLevel, identifier: str, name: Metadata, value: str
    ) -> None:
        """Set a metadata value of ours."""
        path = f"/{FOLDERS[level]}/{identifier}/metadata/{int(name)}"
        self._change("PUT", path, path, content=value.encode())

    def delete_metadata(self, level: ResourceLevel, identifier: str, name: Metadata) -> None:
        """Remove a metadata value of ours; nothing happens where there is none."""
        path = f"/{FOLDERS[level]}/{identifier}/metadata/{int(name)}"
        with suppress(NotFoundError):
            self._change("DELETE", path, path)

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

    def has_labels(self) -> bool:
        """Whether this Orthanc and its database know labels (since 1.12.0)."""
        return bool(self._system().get("HasLabels", False))

    def labels(self, level: ResourceLevel, identifier: str) -> list[str]:
        """All labels of a resource, whoever set them."""
        read: list[str] = self._get(f"/{FOLDERS[level]}/{identifier}/labels").json()
        return read

    def put_label(self, level: ResourceLevel, identifier: str, label: str) -> None:
        """Set a label; nothing happens where it is there."""
        self._request("PUT", f"/{FOLDERS[level]}/{identifier}/labels/{label}", content=b"")

    def delete_label(self, level: ResourceLevel, identifier: str, label: str) -> None:
        """Remove a label."""
        self._request("DELETE", f"/{FOLDERS[level]}/{identifier}/labels/{label}")

    def attachment(self, level: ResourceLevel, identifier: str, name: Attachment) -> bytes | None:
        """An attachment of ours, or None."""
        try:
            path = f"/{FOLDERS[level]}/{identifier}/attachments/{int(name)}/data"
            return self._get(path).content
        except NotFoundError:
            return None

    def put_attachment(
        self, level: ResourceLevel, identifier: str, name: Attachment, content: bytes
    ) -> None:
        """Set an attachment of ours."""
        path = f"/{FOLDERS[level]}/{identifier}/attachments/{int(name)}"
        self._change("PUT", path, f"{path}/size", content=content)

    def _change(self, method: str, path: str, seen: str, **options: Any) -> None:
        """Set or remove one value, whatever its revision.

        Under Orthanc's CheckRevisions a change must name the revision that it replaces. Only after
        a refusal is it asked for: elsewhere it would be a second request for each change.

        Args:
            method: PUT or DELETE.
            path: of the value.
            seen: where Orthanc tells its revision, in an ETag.

        Raises:
            NotFoundError: what was to be removed is not there.
            ArchiveUnavailableError: others change the same value all the time.
            ArchiveError: the value stays as it is, and each change of it is refused.
        """
        headers: dict[str, str] = {}
        moved = False
        for refused in range(_CHANGES):
            try:
                self._request(method, path, **options, headers=headers)
            except ConflictError:
                if refused:  # the first refusal is how the revision is asked for
                    time.sleep(random.uniform(0.0, _PAUSE_SECONDS * 2 ** (refused - 1)))  # noqa: S311
                before, headers = headers, self._revision(method, seen)
                moved = headers != before
            else:
                return
        if moved:
            raise ArchiveUnavailableError(
                "others change the same value all the time (Orthanc's CheckRevisions)"
            )
        raise ArchiveError(
            "Orthanc's CheckRevisions refuses a change each time: a proxy or plugin takes the "
            "revision (If-Match, ETag) away"
        )

    def _revision(self, method: str, seen: str) -> dict[str, str]:
        try:
            tag = self._get(seen).headers.get("ETag")
        except NotFoundError:
            if method == "DELETE":
                raise  # where revisions are checked, a conflict is how Orthanc says so
            tag = None
        return {"If-Match": tag} if tag else {}

    def _registered(self, name: Metadata) -> list[str]:
        # An admin may have given our number a name; answers then use it. Not all releases tell it.
        names = self._system().get("UserMetadata") or self._user_metadata
        return [text for text, number in names.items() if number == int(name)]
