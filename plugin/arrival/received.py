# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc's side of arrival mode: nothing is stored that the arrival process did not hand back.

It runs while Orthanc holds a lock of its own, so it asks Orthanc nothing, and it ends in time. It
parses nothing either: what takes thought happens in the arrival process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from plugin.arrival import protocol
from plugin.arrival.marked import says_identity_removed
from plugin.arrival.protocol import Deadline, Kind, ProtocolError

REPORT_EVERY_SECONDS = 60.0
MEGABYTE = 1 << 20
# De-identification adds marks and pads; it never makes a file much larger.
_ROOM = MEGABYTE
_LONGEST_REASON = 500
_NO_KEY = "KeyFileError"
"""How the reason begins where the archive's key is what is wrong."""


class RefusedError(RuntimeError):
    """This instance must not be stored; says why, without anything of a patient."""


class ClosedError(RefusedError):
    """No instance can be stored now, whichever it is."""


@dataclass(frozen=True)
class ArrivalDoor:
    """Where the arrival process listens, and how long and how much it is asked."""

    socket: str
    token: bytes = field(repr=False)
    timeout_seconds: float
    maximum_megabytes: int

    def stored_for(self, received: bytes) -> bytes:
        """What to store for a received file; the very same object where it is to stay as it is.

        Raises:
            RefusedError: nothing may be stored.
        """
        largest = self.maximum_megabytes * MEGABYTE
        if len(received) > largest:
            raise RefusedError("larger than Arrival.MaximumMegabytes")
        asked = protocol.question(Kind.DEIDENTIFY, received, self.token)
        deadline = Deadline(self.timeout_seconds)
        try:
            answered = protocol.ask(self.socket, asked, self.token, largest + _ROOM, deadline)
        except ProtocolError as error:
            raise ClosedError(str(error)) from None
        return _checked(answered, received)


def _checked(answered: protocol.Message, received: bytes) -> bytes:
    if answered.kind is Kind.KEEP:
        return received
    if answered.kind is Kind.REFUSE:
        reason = _printable(answered.content)
        raise ClosedError(reason) if reason.startswith(_NO_KEY) else RefusedError(reason)
    if answered.kind not in (Kind.STORE, Kind.STANDARD):
        raise RefusedError("the arrival process answered something else")
    if not says_identity_removed(answered.content):
        raise RefusedError("what came back does not say that the identity was removed")
    return answered.content


def _printable(content: bytes) -> str:
    # Orthanc's log takes no NUL.
    text = content[:_LONGEST_REASON].decode("ascii", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


@dataclass
class ReceivedInstances:
    """The hook of received instances, and what it knows of itself.

    ``stored_for`` gives what to store for a file, or raises ``RefusedError``; ``report`` takes one
    line of log; ``admit`` is told of each file just before Orthanc is.
    """

    stored_for: Callable[[bytes], bytes]
    report: Callable[[str], None]
    admit: Callable[[bytes], None] = lambda _file: None
    deidentified: int = 0
    own_objects: int = 0
    refused: int = 0
    last_refusal: str = ""
    closed: str = ""
    """Why the latest arrival found that nothing can be stored; empty once one is judged again."""
    _reported: float = field(default=-REPORT_EVERY_SECONDS)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_received_instance(self, received: bytes) -> bytes | None:
        """What to store instead of this file; None: nothing."""
        try:
            stored = self.stored_for(received)
            self.admit(stored)
        except RefusedError as error:
            self._note(str(error), closed=isinstance(error, ClosedError))
            return None
        except Exception as error:  # noqa: BLE001 - whatever it is, the original is not stored
            self._note(type(error).__name__)
            return None
        with self._lock:
            self.closed = ""
            if stored is received:
                self.own_objects += 1
            else:
                self.deidentified += 1
        return stored

    def status(self) -> dict[str, object]:
        """Counts since Orthanc's start, and the latest reason of a refusal."""
        return {
            "deidentified": self.deidentified,
            "own_objects": self.own_objects,
            "refused": self.refused,
            "last_refusal": self.last_refusal,
        }

    def _note(self, reason: str, *, closed: bool = False) -> None:
        with self._lock:
            self.refused += 1
            self.closed = reason if closed else ""
            self.last_refusal = reason
            now = time.monotonic()
            due = now - self._reported >= REPORT_EVERY_SECONDS
            if due:
                self._reported = now
        if due:
            self.report(f"an arriving instance was refused, nothing is stored: {reason}")


def refusing(reason: str, report: Callable[[str], None]) -> ReceivedInstances:
    """A hook that refuses everything, for where Sidelight could not start."""

    def refuse(_received: bytes) -> bytes:
        raise ClosedError(reason)

    return ReceivedInstances(refuse, report)
