# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc's side of standard headers: what comes back is stored, else what came.

It runs while Orthanc holds a lock of its own, so it asks Orthanc nothing, and it ends in time.
Unlike arrival mode it fails open: a header that is not standard is no reason to lose a scan.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from plugin.arrival import protocol
from plugin.arrival.protocol import Deadline, Kind, ProtocolError

REPORT_EVERY_SECONDS = 60.0
_MEGABYTE = 1 << 20
_ROOM = _MEGABYTE
_LONGEST_REASON = 300
_PREFIX_AT, _PREFIX = 128, b"DICM"


class AsItCameError(RuntimeError):
    """The header of this instance is not made standard; says why, without anything of a patient."""


@dataclass(frozen=True)
class HeaderDoor:
    """Where headers are made standard, and how long and how much that is asked."""

    socket: str
    token: bytes = field(repr=False)
    seconds: float
    maximum_megabytes: int

    def stored_for(self, received: bytes) -> bytes:
        """What to store for a received file; the very same object where it is to stay as it is.

        Raises:
            AsItCameError: nobody could say.
        """
        largest = self.maximum_megabytes * _MEGABYTE
        if len(received) > largest:
            raise AsItCameError("larger than Arrival.MaximumMegabytes")
        asked = protocol.question(Kind.STANDARDIZE, received, self.token)
        try:
            answered = protocol.ask(
                self.socket, asked, self.token, largest + _ROOM, Deadline(self.seconds)
            )
        except ProtocolError as error:
            raise AsItCameError(str(error)) from None
        if answered.kind is Kind.KEEP:
            return received
        if answered.kind is not Kind.STANDARD:
            reason = answered.content[:_LONGEST_REASON].decode("ascii", "replace")
            raise AsItCameError("".join(mark if mark.isprintable() else "?" for mark in reason))
        if answered.content[_PREFIX_AT : _PREFIX_AT + 4] != _PREFIX:
            raise AsItCameError("what came back is no DICOM file")
        return answered.content


@dataclass
class PassingInstances:
    """The hook of received instances that are stored in any case, and what it knows of itself.

    ``stored_for`` gives what to store for a file, or raises; ``report`` takes one line of log.
    """

    stored_for: Callable[[bytes], bytes]
    report: Callable[[str], None]
    changed: int = 0
    unchanged: int = 0
    as_they_came: int = 0
    last_reason: str = ""
    _reported: float = field(default=-REPORT_EVERY_SECONDS)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_received_instance(self, received: bytes) -> bytes:
        """What to store instead of this file."""
        try:
            stored = self.stored_for(received)
        except AsItCameError as error:
            return self._as_it_came(received, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the scan is stored
            return self._as_it_came(received, type(error).__name__)
        with self._lock:
            if stored is received:
                self.unchanged += 1
            else:
                self.changed += 1
        return stored

    def status(self) -> dict[str, object]:
        """Counts since Orthanc's start, and the latest reason why a header was left alone."""
        return {
            "changed": self.changed,
            "nothing_to_change": self.unchanged,
            "as_they_came": self.as_they_came,
            "last_reason": self.last_reason,
        }

    def _as_it_came(self, received: bytes, reason: str) -> bytes:
        with self._lock:
            self.as_they_came += 1
            self.last_reason = reason
            now = time.monotonic()
            due = now - self._reported >= REPORT_EVERY_SECONDS
            if due:
                self._reported = now
        if due:
            self.report(f"an arriving instance is stored with its header as it came: {reason}")
        return received
