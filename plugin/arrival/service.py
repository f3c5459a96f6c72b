# SPDX-License-Identifier: AGPL-3.0-or-later
"""The listening side: takes questions from a Unix socket, one thread each, one file at a time."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from plugin.arrival import protocol
from plugin.arrival.own_objects import Announced, content_digest
from plugin.arrival.protocol import Deadline, Kind, Message, ProtocolError, Ruling

LOGGER = logging.getLogger(__name__)

STUCK = 3
"""Exit code of a process that could not finish a file in time; another takes its place."""
_WAITING = 128
_DIGEST_BYTES = len(content_digest(b""))


def _end_process() -> None:
    LOGGER.error("an instance took longer than Arrival.TimeoutSeconds; the process starts again")
    os._exit(STUCK)


class Rules(Protocol):
    """Whoever decides about files, one at a time."""

    answers: Kind
    """The question about a file that is answered here."""
    announced: Announced

    def prepare(self) -> None:
        """Load what the first file needs."""

    def rule(self, received: bytes, /) -> Ruling:
        """What to store in place of a file, or why not."""


@dataclass
class ArrivalService:
    """Answers Orthanc's process and the workers.

    ``give_up`` ends this process when a file takes longer than ``seconds``: Orthanc has refused it
    by then, and all that come after would wait behind it.
    """

    admission: Rules
    token: bytes = field(repr=False)
    seconds: float
    largest: int
    give_up: Callable[[], None] = _end_process
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def serve_forever(self, path: str) -> None:
        """Listen at ``path`` until the process ends."""
        listener = listening(path)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def converse(self, connection: socket.socket) -> None:
        """Answer the one question of a connection; who does not hold the token gets no answer."""
        deadline = Deadline(self.seconds)
        try:
            with connection:
                asked = protocol.receive(connection, self.largest, deadline)
                protocol.verify(asked, self.token)
                kind, content = self._answer(asked)
                answered = protocol.answer(kind, content, self.token, asked)
                protocol.send(connection, answered, deadline)
        except (ProtocolError, OSError) as error:
            LOGGER.warning("a question was not answered: %s", type(error).__name__)

    def _answer(self, asked: Message) -> Ruling:
        if asked.kind is Kind.EXPECT and len(asked.content) == _DIGEST_BYTES:
            self.admission.announced.add(asked.content)
            return Kind.STORE, b""
        if asked.kind is not self.admission.answers:
            return Kind.REFUSE, b"no such question"
        with self._one_at_a_time:
            watch = threading.Timer(self.seconds, self.give_up)
            watch.daemon = True
            watch.start()
            try:
                return self.admission.rule(asked.content)
            finally:
                watch.cancel()


def listening(path: str) -> socket.socket:
    """A socket that only this user reaches, in place of one that a killed process left."""
    place, new = Path(path), Path(f"{path}.new")
    new.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(new))
    new.chmod(0o600)
    listener.listen(_WAITING)
    # Renamed when it listens: nobody meets a socket that does not answer yet.
    new.rename(place)
    return listener
