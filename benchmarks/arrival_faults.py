# SPDX-License-Identifier: Apache-2.0
"""An arrival process that goes wrong on purpose: ``python -m benchmarks.arrival_faults FILE``.

It holds the token and de-identifies like the real one, until FILE names a fault; then it answers
each question with that fault.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from plugin.arrival import protocol
from plugin.arrival.__main__ import assemble
from plugin.arrival.protocol import Deadline, Kind, Message
from plugin.arrival.service import ArrivalService
from plugin.handover import receive

LONG = 20.0
_YES, _NO = b"\x12\x00\x62\x00CS\x04\x00YES ", b"\x12\x00\x62\x00CS\x04\x00NO  "


@dataclass
class Conversation:
    """One question, and what a faulty process has at hand to answer it."""

    connection: socket.socket
    asked: Message
    service: ArrivalService

    def deidentified(self) -> bytes:
        """What the real process would answer."""
        return self.service.admission.rule(self.asked.content)[1]

    def answer(self, kind: Kind, content: bytes) -> None:
        """Answer in due form."""
        answer = protocol.answer(kind, content, self.service.token, self.asked)
        protocol.send(self.connection, answer, Deadline(LONG))

    def good_bytes(self) -> bytes:
        """All bytes of the right answer."""
        content = self.deidentified()
        answer = protocol.answer(Kind.STORE, content, self.service.token, self.asked)
        head = protocol.MAGIC + b"S" + len(content).to_bytes(8, "big") + answer.digest
        return head + content

    def half(self) -> None:
        """Send half of the right answer."""
        whole = self.good_bytes()
        self.connection.sendall(whole[: len(whole) // 2])


def _crash(_talk: Conversation) -> None:
    os._exit(9)


def _crash_in_answer(talk: Conversation) -> None:
    talk.half()
    os._exit(9)


def _hang(_talk: Conversation) -> None:
    time.sleep(LONG)


def _hang_in_answer(talk: Conversation) -> None:
    talk.half()
    time.sleep(LONG)


def _dribble(talk: Conversation) -> None:
    for byte in talk.good_bytes():
        talk.connection.sendall(bytes([byte]))
        time.sleep(0.05)


def _hang_up(_talk: Conversation) -> None:
    """Not a word."""


def _truncated(talk: Conversation) -> None:
    talk.connection.sendall(talk.good_bytes()[:-1])


def _bit_flipped(talk: Conversation) -> None:
    answer = bytearray(talk.good_bytes())
    answer[-1] ^= 1
    talk.connection.sendall(answer)


def _length_too_large(talk: Conversation) -> None:
    head = protocol.MAGIC + b"S" + b"\x0f" + b"\xff" * 7 + bytes(32)
    talk.connection.sendall(head + talk.asked.content)


def _another_protocol(talk: Conversation) -> None:
    talk.connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + talk.asked.content)


def _unknown_kind(talk: Conversation) -> None:
    talk.connection.sendall(protocol.MAGIC + b"?" + bytes(40) + talk.asked.content)


def _wrong_kind(talk: Conversation) -> None:
    talk.answer(Kind.EXPECT, talk.deidentified())


def _impostor(talk: Conversation) -> None:
    answer = protocol.answer(Kind.KEEP, b"", b"not the token", talk.asked)
    protocol.send(talk.connection, answer, Deadline(LONG))


def _of_another_question(talk: Conversation) -> None:
    other = protocol.question(Kind.DEIDENTIFY, b"another file", talk.service.token)
    answer = protocol.answer(Kind.KEEP, b"", talk.service.token, other)
    protocol.send(talk.connection, answer, Deadline(LONG))


def _empty(talk: Conversation) -> None:
    talk.answer(Kind.STORE, b"")


def _original(talk: Conversation) -> None:
    talk.answer(Kind.STORE, talk.asked.content)


def _mark_missing(talk: Conversation) -> None:
    talk.answer(Kind.STORE, talk.deidentified().replace(_YES, _NO))


def _no_dicom(talk: Conversation) -> None:
    talk.answer(Kind.STORE, b"no DICOM " * 100)


def _refusal_without_text(talk: Conversation) -> None:
    talk.answer(Kind.REFUSE, b"\xff\x00 refused")


FAULTS: dict[str, Callable[[Conversation], None]] = {
    "the process ends before it answers": _crash,
    "the process ends in the middle of its answer": _crash_in_answer,
    "the process hangs": _hang,
    "the process hangs in the middle of its answer": _hang_in_answer,
    "the answer dribbles in byte by byte": _dribble,
    "the process hangs up": _hang_up,
    "the answer lacks its last byte": _truncated,
    "one bit of the answer is wrong": _bit_flipped,
    "the answer claims 10^18 bytes": _length_too_large,
    "the answer is of another protocol": _another_protocol,
    "the answer is of an unknown kind": _unknown_kind,
    "the answer is of a question's kind": _wrong_kind,
    "an impostor without the token answers": _impostor,
    "the answer belongs to another question": _of_another_question,
    "the answer is empty": _empty,
    "the original comes back": _original,
    "PatientIdentityRemoved is not YES": _mark_missing,
    "what comes back is no DICOM": _no_dicom,
    "the process refuses in bytes that are no text": _refusal_without_text,
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
            fault(Conversation(connection, asked, service))

    service.converse = converse  # type: ignore[method-assign]
    service.serve_forever(handover.arrival_socket)


if __name__ == "__main__":
    main()
