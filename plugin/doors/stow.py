# SPDX-License-Identifier: AGPL-3.0-or-later
"""Store Instances over DICOMweb (STOW-RS, PS3.18 section 10.5)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from plugin.chunks import Chunks
from plugin.doors.errors import RefusedError
from plugin.doors.posting import Receiver, post


def stow(receiver: Receiver, files: Mapping[str, bytes], authorization: Mapping[str, str]) -> None:
    """Store files, by their SOP Instance UIDs.

    Raises:
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
    stored = _stored(post(receiver, body, headers))
    missing = sum(uid not in stored for uid in files)
    if missing:
        raise RefusedError(f"the server does not name {missing} of {len(files)} images as stored")


def _stored(answer: bytes) -> set[str]:
    """SOP Instance UIDs in Referenced SOP Sequence (0008,1199) of Store Instances' answer."""
    try:
        items: list[Any] = json.loads(answer)["00081199"]["Value"]
        return {str(item["00081155"]["Value"][0]) for item in items}
    except (ValueError, KeyError, TypeError, IndexError):
        return set()
