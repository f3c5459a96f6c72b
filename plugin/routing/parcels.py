# SPDX-License-Identifier: AGPL-3.0-or-later
"""A set as the body of one HTTP request: multipart/related (RFC 2387) or a ZIP archive.

The body is put together in a file without a name, which ends with the process: a set may be larger
than memory, and nothing of it stays on the disk.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Literal

from plugin.routing.cargo import Cargo, Item

_CHUNK = 1 << 20
MANIFEST = "manifest.json"


class Parcel:
    """A body of known length that can be sent once."""

    def __init__(self, content_type: str, head: bytes, body: IO[bytes], tail: bytes) -> None:
        self.content_type = content_type
        self._head, self._body, self._tail = head, body, tail
        self.length = len(head) + body.seek(0, 2) + len(tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        self._body.seek(0)
        while chunk := self._body.read(_CHUNK):
            yield chunk
        yield self._tail


@contextmanager
def packed(
    cargo: Cargo, token: str, form: Literal["multipart", "zip"], folder: Path
) -> Iterator[Parcel]:
    """The set of a cargo as one body.

    Args:
        token: name of the delivery.
        folder: where the nameless file lies.
    """
    with tempfile.TemporaryFile(dir=folder) as body:
        yield (_zip if form == "zip" else _multipart)(cargo, token, body)


def _zip(cargo: Cargo, token: str, body: IO[bytes]) -> Parcel:
    sent: list[Item] = []
    # Stored: images are compressed already, or not worth the time.
    with zipfile.ZipFile(body, "w", zipfile.ZIP_STORED) as archive:
        for item in cargo.items():
            archive.writestr(zipfile.ZipInfo(item.name), item.content)
            sent.append(replace(item, content=b""))
        archive.writestr(zipfile.ZipInfo(MANIFEST), _manifest(cargo, token, sent))
    return Parcel("application/zip", b"", body, b"")


def _multipart(cargo: Cargo, token: str, body: IO[bytes]) -> Parcel:
    # The digest of what the set is can't stand in any of its files by chance.
    boundary = token
    sent: list[Item] = []
    for item in cargo.items():
        body.write(_part(boundary, "application/dicom", item.name))
        body.write(item.content)
        sent.append(replace(item, content=b""))
    head = _part(boundary, "application/json", MANIFEST) + _manifest(cargo, token, sent)
    content_type = f'multipart/related; type="application/json"; boundary={boundary}'
    return Parcel(content_type, head, body, f"\r\n--{boundary}--\r\n".encode())


def _part(boundary: str, kind: str, name: str) -> bytes:
    return (
        f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Location: {name}\r\n\r\n"
    ).encode()


def _manifest(cargo: Cargo, token: str, items: list[Item]) -> bytes:
    return json.dumps(cargo.manifest(token, items), ensure_ascii=True).encode("ascii")
