# SPDX-License-Identifier: Apache-2.0
"""An arrival process that goes wrong on purpose: ``python -m benchmarks.arrival_faults FILE``.

It holds the token and de-identifies like the real one, until FILE names a fault; then it answers
each question of Orthanc's with that fault.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from plugin.arrival import protocol
from plugin.arrival.__main__ import assemble
from plugin.arrival.protocol import Deadline, Kind, Message
from plugin.handover import receive

LONG = 20.0

Deidentified = Callable[[], bytes]
Fault = Callable[[socket.socket, Message, Deidentified, bytes], None]


def _send(
    connection: socket.socket, asked: Message, token: bytes, kind: Kind, content: bytes
) -> None:
    protocol.send(connection, protocol.answer(kind, content, token, asked), Deadline(LONG))


def _bytes_of(asked: Message, token: bytes, content: bytes) -> bytes:
    """A whole answer as it would go over the socket."""
    left, right = socket.socketpair()
    with left, right:
        left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * len(content) + 65536)
        _send(left, asked, token, Kind.STORE, content)
        left.shutdown(socket.SHUT_WR)
        found = b""
        while chunk := right.recv(1 << 20):
            found += chunk
    return found


def _crash(*_: object) -> None:
    os._exit(9)


def _crash_in_answer(
    connection: socket.socket, asked: Message, deidentified: Deidentified, token: bytes
) -> None:
    answer = _bytes_of(asked, token, deidentified())
    connection.sendall(answer[: len(answer) // 2])
    os._exit(9)


def _hang(*_: object) -> None:
    time.sleep(LONG)


def _hang_in_answer(
    connection: socket.socket, asked: Message, deidentified: Deidentified, token: bytes
) -> None:
    answer = _bytes_of(asked, token, deidentified())
    connection.sendall(answer[: len(answer) // 2])
    time.sleep(LONG)


def _dribble(
    connection: socket.socket, asked: Message, deidentified: Deidentified, token: bytes
) -> None:
    for byte in _bytes_of(asked, token, deidentified()):
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def _close(*_: object) -> None:
    """Hang up without a word."""


def _truncated(
    connection: socket.socket, asked: Message, deidentified: Deidentified, token: bytes
) -> None:
    connection.sendall(_bytes_of(asked, token, deidentified())[:-1])


def _bit_flipped(
    connection: socket.socket, asked: Message, deidentified: Deidentified, token: bytes
) -> None:
    answer = bytearray(_bytes_of(asked, token, deidentified()))
    answer[-1] ^= 1
    connection.sendall(answer)


def _length_too_large(
    connection: socket.socket, asked: Message, _deidentified: Deidentified, _token: bytes
) -> None:
    connection.sendall(protocol.MAGIC + b"S" + b"\x0f" + b"\xff" * 7 + bytes(32) + asked.content)


def _not_the_protocol(
    connection: socket.socket, asked: Message, _deidentified: Deidentified, _token: bytes
) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + asked.content)


def _unknown_kind(
    connection: socket.socket, asked: Message, _deidentified: Deidentified, _token: bytes
) -> None:
    connection.sendall(protocol.MAGIC + b"?" + bytes(40))


def _another_token(
    connection: socket.socket, asked: Message, _deidentified: Deidentified, _token: bytes
) -> None:
    _send(connection, asked, b"of an impostor", Kind.KEEP, b"")


def _answer_to_another(
    connection: socket.socket, _asked: Message, deidentified: Deidentified, token: bytes
) -> None:
    other = protocol.question(Kind.DEIDENTIFY, b"another file", token)
    _send(connection, other, token, Kind.STORE, deidentified())


def _wrong_kind(
    connection: socket.socket, asked: Message, deidentified: Deidentified, token: bytes
) -> None:
    _send(connection, asked, token, Kind.EXPECT, deidentified())


def _empty(
    connection: socket.socket, asked: Message, _deidentified: Deidentified, token: bytes
) -> None:
    _send(connection, asked, token, Kind.STORE, b"")


def _original_returned(
    connection: socket.socket, asked: Message, _deidentified: Deidentified, token: bytes
) -> None:
    _send(connection, asked, token, Kind.STORE, asked.content)


def _mark_missing(
    connection: socket.socket, asked: Message, deidentified: Deidentified, token: bytes
) -> None:
    unmarked = deidentified().replace(
        b"\x12\x00\x62\x00CS\x04\x00YES ", b"\x12\x00\x62\x00CS\x04\x00NO  "
    )
    _send(connection, asked, token, Kind.STORE, unmarked)


def _no_dicom(
    connection: socket.socket, asked: Message, _deidentified: Deidentified, token: bytes
) -> None:
    _send(connection, asked, token, Kind.STORE, b"no DICOM " * 100)


def _refused(
    connection: socket.socket, asked: Message, _deidentified: Deidentified, token: bytes
) -> None:
    _send(connection, asked, token, Kind.REFUSE, b"\xff\x00 refused")


FAULTS: dict[str, Fault] = {
    "the process ends before it answers": _crash,
    "the process ends in the middle of its answer": _crash_in_answer,
    "the process hangs": _hang,
    "the process hangs in the middle of its answer": _hang_in_answer,
    "the answer dribbles in byte by byte": _dribble,
    "the process hangs up": _close,
    "the answer lacks its last byte": _truncated,
    "one bit of the answer is wrong": _bit_flipped,
    "the answer claims 10^18 bytes": _length_too_large,
    "the answer is of another protocol": _not_the_protocol,
    "the answer is of an unknown kind": _unknown_kind,
    "the answer is a question's kind": _wrong_kind,
    "an impostor answers": _another_token,
    "the answer belongs to another question": _answer_to_another,
    "the answer is empty": _empty,
    "the original comes back": _original_returned,
    "PatientIdentityRemoved is missing": _mark_missing,
    "what comes back is no DICOM": _no_dicom,
    "the process refuses in bytes that are no text": _refused,
}


def main() -> None:
    """Serve until Orthanc ends."""
    switch = Path(sys.argv[1])
    handover = receive()
    service = assemble(handover)
    service.admission.prepare()
    real = service.converse

    def converse(connection: socket.socket) -> None:
        fault = FAULTS.get(switch.read_text(encoding="utf-8").strip())
        if fault is None:
            real(connection)
            return
        with connection:
            asked = protocol.receive(connection, service.largest, Deadline(LONG))
            fault(
                connection, asked, lambda: service.admission.rule(asked.content)[1], service.token
            )

    service.converse = converse  # type: ignore[method-assign]
    service.serve_forever(handover.arrival_socket)


if __name__ == "__main__":
    main()
