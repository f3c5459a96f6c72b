# SPDX-License-Identifier: AGPL-3.0-or-later
"""A listening process in miniature that answers as a test wants it to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from plugin.arrival import protocol
from plugin.arrival.protocol import Deadline, Kind, Message
from plugin.arrival.service import listening

TOKEN = bytes(range(32))
Answer = Callable[[socket.socket, Message], None]


@contextmanager
def answering(path: Path, answer: Answer) -> Iterator[str]:
    """A socket whose every question is answered by ``answer``."""
    listener = listening(str(path))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            # Whoever asked may have hung up.
            with connection, suppress(OSError):
                answer(connection, protocol.receive(connection, 1 << 30, Deadline(5)))

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield str(path)
    finally:
        listener.close()


def whole(kind: Kind, content: bytes, token: bytes = TOKEN) -> Answer:
    """Answer with this, in due form."""

    def answer(connection: socket.socket, asked: Message) -> None:
        protocol.send(connection, protocol.answer(kind, content, token, asked), Deadline(5))

    return answer


def raw(content: bytes) -> Answer:
    """Answer with these bytes, whatever they are, and hang up."""

    def answer(connection: socket.socket, _asked: Message) -> None:
        connection.sendall(content)

    return answer
