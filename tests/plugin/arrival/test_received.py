# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc's side: whatever happens to the arrival process, no original is stored."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from deid import Deidentifier
from plugin.arrival import protocol
from plugin.arrival.protocol import Deadline, Kind, Message
from plugin.arrival.received import ArrivalDoor, ReceivedInstances
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of
from tests.plugin.arrival.faulty import TOKEN, Answer, answering, raw, whole

ORIGINAL = file_of(ct(PatientIdentityRemoved="NO"))
DEIDENTIFIED = Deidentifier(KEY, PIPELINE, once=True).deidentify(ORIGINAL).to_bytes()


def hook(path: str, seconds: float = 2.0, megabytes: int = 1) -> ReceivedInstances:
    return ReceivedInstances(ArrivalDoor(path, TOKEN, seconds, megabytes).stored_for, print)


def cut_off(connection: socket.socket, asked: Message) -> None:
    """Half of a valid answer."""
    answered = protocol.answer(Kind.STORE, DEIDENTIFIED, TOKEN, asked)
    left, right = socket.socketpair()
    with left, right:
        protocol.send(left, answered, Deadline(5))
        content = right.recv(1 << 20)
    connection.sendall(content[: len(content) // 2])


def of_another_question(connection: socket.socket, _asked: Message) -> None:
    other = protocol.question(Kind.DEIDENTIFY, b"another file", TOKEN)
    protocol.send(connection, protocol.answer(Kind.STORE, DEIDENTIFIED, TOKEN, other), Deadline(5))


def changed_on_the_way(connection: socket.socket, asked: Message) -> None:
    answered = protocol.answer(Kind.STORE, DEIDENTIFIED, TOKEN, asked)
    protocol.send(connection, answered._replace(content=DEIDENTIFIED[:-1] + b"X"), Deadline(5))


def dribbling(connection: socket.socket, asked: Message) -> None:
    for _ in range(30):
        try:
            connection.sendall(protocol.MAGIC[:1])
        except OSError:
            return
        time.sleep(0.1)


def test_what_comes_back_is_stored(tmp_path: Path) -> None:
    with answering(tmp_path / "s", whole(Kind.STORE, DEIDENTIFIED)) as path:
        received = hook(path)
        assert received.on_received_instance(ORIGINAL) == DEIDENTIFIED
    assert received.status()["deidentified"] == 1


def test_an_object_of_sidelights_own_is_stored_as_it_is(tmp_path: Path) -> None:
    with answering(tmp_path / "s", whole(Kind.KEEP, b"")) as path:
        received = hook(path)
        assert received.on_received_instance(ORIGINAL) is ORIGINAL
    assert received.status()["own_objects"] == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (whole(Kind.REFUSE, b"NotDicomError: no DICOM"), "NotDicomError: no DICOM"),
        (whole(Kind.REFUSE, b"\xff\x00 refused"), "? refused"),
        (whole(Kind.EXPECT, DEIDENTIFIED), "something else"),
        (whole(Kind.STORE, b""), "identity was removed"),
        (whole(Kind.STORE, ORIGINAL), "identity was removed"),
        (whole(Kind.STORE, b"no DICOM file at all" * 20), "identity was removed"),
        (whole(Kind.STORE, DEIDENTIFIED, b"a token of somebody else"), "token"),
        (whole(Kind.STORE, bytes(3 << 20)), "too large"),
        (raw(b""), "ends too early"),
        (raw(b"HTTP/1.1 200 OK\r\n\r\n".ljust(64)), "none of the arrival process"),
        (raw(protocol.MAGIC + b"?" + bytes(40)), "none of the arrival process"),
        (raw(protocol.MAGIC + b"S" + b"\xff" * 8 + bytes(32)), "too large"),
        (cut_off, "ends too early"),
        (of_another_question, "token"),
        (changed_on_the_way, "token"),
    ],
)
def test_any_other_answer_stores_nothing(tmp_path: Path, answer: Answer, reason: str) -> None:
    with answering(tmp_path / "s", answer) as path:
        received = hook(path)
        assert received.on_received_instance(ORIGINAL) is None
    assert reason in str(received.status()["last_refusal"])


def test_nobody_at_the_socket_stores_nothing(tmp_path: Path) -> None:
    received = hook(str(tmp_path / "s"))
    assert received.on_received_instance(ORIGINAL) is None
    (tmp_path / "s").write_text("no socket", encoding="ascii")
    assert received.on_received_instance(ORIGINAL) is None
    assert received.status()["refused"] == 2


@pytest.mark.parametrize("answer", [lambda _c, _a: time.sleep(2), dribbling])
def test_an_answer_that_does_not_come_in_time_stores_nothing(
    tmp_path: Path, answer: Answer
) -> None:
    with answering(tmp_path / "s", answer) as path:
        received = hook(path, seconds=0.4)
        began = time.monotonic()
        assert received.on_received_instance(ORIGINAL) is None
        assert time.monotonic() - began < 1.5
    assert "in time" in str(received.status()["last_refusal"])


def test_a_file_beyond_the_limit_is_not_even_asked_about(tmp_path: Path) -> None:
    received = hook(str(tmp_path / "nobody"), megabytes=1)
    assert received.on_received_instance(bytes((1 << 20) + 1)) is None
    assert "MaximumMegabytes" in str(received.status()["last_refusal"])


def test_an_error_that_nobody_foresaw_stores_nothing_and_quotes_nothing() -> None:
    def broken(_content: bytes) -> bytes:
        raise MemoryError("Doe^Jane")

    lines: list[str] = []
    received = ReceivedInstances(broken, lines.append)
    for _ in range(5):
        assert received.on_received_instance(ORIGINAL) is None
    assert len(lines) == 1
    assert "MemoryError" in lines[0]
    assert "Doe" not in lines[0]
