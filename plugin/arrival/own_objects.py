# SPDX-License-Identifier: AGPL-3.0-or-later
"""How Sidelight's own objects get past the door: announced by digest just before they are stored.

What marks them in DICOM can be written by anybody who sends; only the processes of this node hold
the token with which the arrival process is told of a digest.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from plugin.archive import ArchiveUnavailableError
from plugin.arrival import protocol
from plugin.arrival.protocol import Deadline, Kind, ProtocolError
from plugin.handover import Handover

SECONDS = 10.0
FORGOTTEN_AFTER_SECONDS = 300.0
MOST = 10_000
_LARGEST_ANSWER = 1 << 16


def content_digest(content: bytes) -> bytes:
    """SHA-256, by which an object is announced and known again."""
    return hashlib.sha256(content).digest()


def announcement(handover: Handover) -> Callable[[bytes], None] | None:
    """What tells the arrival process of an object about to be stored; None without arrival mode."""
    if not handover.arrival_socket:
        return None
    return partial(announce, handover.arrival_socket, bytes.fromhex(handover.arrival_token))


def announce(socket: str, token: bytes, content: bytes) -> None:
    """Tell the arrival process of an object of Sidelight's own.

    Raises:
        ArchiveUnavailableError: it can't be told now, so Orthanc would refuse the object.
    """
    asked = protocol.question(Kind.EXPECT, content_digest(content), token)
    try:
        protocol.ask(socket, asked, token, _LARGEST_ANSWER, Deadline(SECONDS))
    except ProtocolError as error:
        raise ArchiveUnavailableError(f"the arrival process can't be told: {error}") from None


class Announced:
    """Digests of objects that may be stored as they are, each once and soon."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, digest: bytes) -> None:
        """Expect an object."""
        with self._lock:
            self._known[digest] = time.monotonic() + FORGOTTEN_AFTER_SECONDS
            self._known.move_to_end(digest)
            while len(self._known) > MOST:
                self._known.popitem(last=False)

    def take(self, digest: bytes) -> bool:
        """Whether the object was expected; it is not any longer."""
        with self._lock:
            return self._known.pop(digest, 0.0) > time.monotonic()
