# SPDX-License-Identifier: AGPL-3.0-or-later
"""Store Instances over DICOMweb (STOW-RS, PS3.18 section 10.5)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from plugin.chunks import Chunks
from plugin.doors.errors import RefusedError, UnreachableError
from plugin.doors.posting import Receiver, post

_STORED, _FAILED = "00081199", "00081198"
"""Referenced SOP Sequence and Failed SOP Sequence."""


def stow(receiver: Receiver, files: Mapping[str, bytes], authorization: Mapping[str, str]) -> None:
    """Store files, by their SOP Instance UIDs.

    Raises:
        UnreachableError: all that is missing is so because the server is out of resources.
        RefusedError: the answer does not name every instance as stored.
        DeliveryError: as ``post``.
    """
    boundary = hashlib.sha256("".join(files).encode()).hexdigest()
    start = f"\r\n--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    parts = [part for content in files.values() for part in (start, content)]
    body = Chunks([*parts, f"\r\n--{boundary}--\r\n".encode()])
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
        "Accept": "application/dicom+json",
        **authorization,
    }
    # 409 where it took nothing; the answer says why of each (PS3.18 section 10.5.3).
    answer = post(receiver, body, headers, done=(409,))
    stored = _named(answer, _STORED)
    missing = [uid for uid in files if uid not in stored]
    if not missing:
        return
    full = {uid for uid, item in _named(answer, _FAILED).items() if _is_out_of_resources(item)}
    said = f"{len(missing)} of {len(files)} images"
    if full.issuperset(missing):
        raise UnreachableError(f"the server is out of resources for {said}")
    raise RefusedError(f"the server does not name {said} as stored")


def _named(answer: bytes, sequence: str) -> dict[str, Any]:
    """Items of a sequence of Store Instances' answer, by SOP Instance UID."""
    try:
        items: list[Any] = json.loads(answer)[sequence]["Value"]
        return {str(item["00081155"]["Value"][0]): item for item in items}
    except (ValueError, KeyError, TypeError, IndexError):
        return {}


def _is_out_of_resources(item: dict[str, Any]) -> bool:
    """Whether Failure Reason (0008,1197) is A7xx, as the C-STORE status (PS3.18 table 10.5.3-2)."""
    try:
        return int(item["00081197"]["Value"][0]) >> 8 == 0xA7
    except (ValueError, KeyError, TypeError, IndexError):
        return False
