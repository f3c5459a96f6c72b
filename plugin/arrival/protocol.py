# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Orthanc's process, the workers and the arrival process say to each other.

One connection to a Unix socket carries one question and one answer. Each is a head (magic, kind,
length of the content, keyed digest) and its content. The digest of an answer covers the question
too: an answer that is cut off, of another question, or of somebody who does not hold the token, is
none.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import socket
import struct
import time
from enum import StrEnum
from typing import NamedTuple

MAGIC = b"SLA1"
TOKEN_BYTES = 32
_HEAD = struct.Struct("!4scQ32s")
_CHUNK = 1 << 20


class Kind(StrEnum):
    """What a message is."""

    DEIDENTIFY = "D"
    """Question: the received file."""
    STANDARDIZE = "H"
    """Question: the received file, whose header alone is to be made standard."""
    EXPECT = "E"
    """Question: SHA-256 of an object of Sidelight's own that is about to be stored."""
    STORE = "S"
    """Answer: the file to store instead, or nothing to an announcement."""
    STANDARD = "N"
    """Answer: as STORE, and the header was made standard."""
    KEEP = "K"
    """Answer: to be stored as it is. Of de-identification: an object of Sidelight's own."""
    REFUSE = "R"
    """Answer: why nothing may be stored, or was made standard, in words without anything of a
    patient."""


Ruling = tuple[Kind, bytes]
"""An answer: its kind and content."""


class ProtocolError(RuntimeError):
    """The other side did not answer, or not as agreed."""


class Message(NamedTuple):
    """A question or an answer, with its digest."""

    kind: Kind
    content: bytes
    digest: bytes


class Deadline:
    """A moment by which a whole conversation must be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def limit(self, connection: socket.socket) -> None:
        """Let the next operation last no longer.

        Raises:
            ProtocolError: the moment has passed.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise ProtocolError("no answer in time")
        connection.settimeout(left)


def question(kind: Kind, content: bytes, token: bytes) -> Message:
    """A question of these bytes."""
    return Message(kind, content, _digest(kind, content, token, b""))


def answer(kind: Kind, content: bytes, token: bytes, to: Message) -> Message:
    """An answer to that question alone."""
    return Message(kind, content, _digest(kind, content, token, to.digest))


def send(connection: socket.socket, message: Message, deadline: Deadline) -> None:
    """Send a whole message."""
    head = _HEAD.pack(MAGIC, message.kind.encode(), len(message.content), message.digest)
    deadline.limit(connection)
    connection.sendall(head)
    # Who reads the head of an answer without content has all of it, and may have gone.
    if message.content:
        deadline.limit(connection)
        connection.sendall(message.content)


def receive(connection: socket.socket, largest: int, deadline: Deadline) -> Message:
    """Receive a whole message of at most ``largest`` bytes; ``verify`` it before use.

    Raises:
        ProtocolError: it ends early, comes late, is too large or no message at all.
    """
    magic, kind, length, digest = _HEAD.unpack(_exactly(connection, _HEAD.size, deadline))
    if magic != MAGIC or kind.decode("latin-1") not in list(Kind):
        raise ProtocolError("the answer is none of the arrival process")
    if length > largest:
        raise ProtocolError("the answer is too large")
    return Message(Kind(kind.decode()), _exactly(connection, length, deadline), digest)


def verify(message: Message, token: bytes, to: Message | None = None) -> None:
    """Check that a message is whole, and an answer to that question.

    Raises:
        ProtocolError: it is not.
    """
    context = b"" if to is None else to.digest
    expected = _digest(message.kind, message.content, token, context)
    if not hmac.compare_digest(expected, message.digest):
        raise ProtocolError("the answer does not bear the token's digest")


def ask(path: str, asked: Message, token: bytes, largest: int, deadline: Deadline) -> Message:
    """Ask the process that listens at ``path``; its verified answer.

    Raises:
        ProtocolError: there is nobody, or no valid answer in time.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            deadline.limit(connection)
            connection.connect(path)
            send(connection, asked, deadline)
            answered = receive(connection, largest, deadline)
    except TimeoutError:
        raise ProtocolError("no answer in time") from None
    except OSError as error:
        raise ProtocolError(f"no arrival process: {error.strerror or 'cut off'}") from None
    verify(answered, token, asked)
    return answered


def _digest(kind: Kind, content: bytes, token: bytes, context: bytes) -> bytes:
    digest = hashlib.blake2b(key=token, digest_size=32, person=b"sidelightarrival")
    digest.update(kind.encode() + context)
    digest.update(content)
    return digest.digest()


def _exactly(connection: socket.socket, length: int, deadline: Deadline) -> bytes:
    # Its value is its own buffer: of a file of hundreds of megabytes no second copy is made.
    found = io.BytesIO()
    while (left := length - found.tell()) > 0:
        deadline.limit(connection)
        chunk = connection.recv(min(_CHUNK, left))
        if not chunk:
            raise ProtocolError("the answer ends too early")
        found.write(chunk)
    return found.getvalue()
