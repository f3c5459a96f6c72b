# SPDX-License-Identifier: AGPL-3.0-or-later
"""A message over a real socket: framed, acknowledged, refused, or not answered at all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.receivers import MllpListener
from plugin.configuration.doors import Hl7Section
from plugin.demo.server import free_port
from plugin.doors import mllp
from plugin.doors.errors import RefusedError, UnreachableError
from tests.plugin.doors import certificates

MESSAGE = (
    "MSH|^~\\&|SIDELIGHT||||20261103||ORU^R01^ORU_R01|c0ffee|P|2.5.1\rPID|1||Müller\r".encode()
)


@pytest.fixture
def listener() -> Iterator[MllpListener]:
    with MllpListener() as started:
        yield started


def section(port: int, **more: object) -> Hl7Section:
    return Hl7Section(host="127.0.0.1", port=port, timeout_seconds=2.0, **more)


def test_a_message_arrives_as_it_was_sent(listener: MllpListener) -> None:
    mllp.send(section(listener.port), MESSAGE, "c0ffee")
    assert listener.messages == [MESSAGE]


@pytest.mark.parametrize("code", ["AA", "CA"])
def test_both_ways_to_accept_are_understood(listener: MllpListener, code: str) -> None:
    listener.answers = [code]
    mllp.send(section(listener.port), MESSAGE, "c0ffee")


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_says_its_code_and_repeats_no_words(listener: MllpListener, code: str) -> None:
    listener.answers = [code]
    listener.more = "ERR||PID^1^3|204^Unknown key^HL70357|E||||Müller is not known here\r"
    with pytest.raises(RefusedError) as caught:
        mllp.send(section(listener.port), MESSAGE, "c0ffee")
    assert f"{code}: application" in str(caught.value)
    assert "error 204" in str(caught.value)
    assert "Müller" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"hello",
        b"",
        b"MSH|^~\\&|RIS\rMSA|AA\r",
        b"MSH|^~\\&|RIS\rMSA|AA|another\r",
        b"MSH|^~\\&|RIS\rMSA|XX|c0ffee\r",
    ],
)
def test_what_is_no_acknowledgement_of_this_message_is_not_taken_for_one(answer: bytes) -> None:
    with pytest.raises(UnreachableError):
        mllp.judge(answer, "c0ffee")


def test_other_separators_and_line_ends_are_read() -> None:
    mllp.judge(b"MSH#^~\\&#RIS\r\nMSA#AA#c0ffee\r\n", "c0ffee")


def test_a_listener_that_hangs_up_is_tried_again(listener: MllpListener) -> None:
    listener.answers = [None]
    with pytest.raises(UnreachableError, match="closed the connection"):
        mllp.send(section(listener.port), MESSAGE, "c0ffee")


def test_a_listener_that_is_not_there_is_tried_again() -> None:
    with pytest.raises(UnreachableError, match="refused"):
        mllp.send(section(free_port()), MESSAGE, "c0ffee")


def test_a_listener_that_never_answers_costs_its_time_only() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        quick = Hl7Section(host="127.0.0.1", port=port, timeout_seconds=0.2)
        with pytest.raises(UnreachableError, match=r"did not answer within 0\.2 s"):
            mllp.send(quick, MESSAGE, "c0ffee")


def test_tls_is_spoken_where_it_is_asked_for(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    with MllpListener(context=made.server()) as listener:
        asked = section(listener.port, tls=True, certificate_authority=str(made.authority))
        mllp.send(asked, MESSAGE, "c0ffee")
        assert listener.messages == [MESSAGE]


def test_a_listener_that_wants_to_know_us_gets_our_certificate(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    with MllpListener(context=made.server(ask_client=True)) as listener:
        port, authority = listener.port, str(made.authority)
        known = section(
            port, tls=True, certificate_authority=authority, client_certificate=str(made.loopback)
        )
        mllp.send(known, MESSAGE, "c0ffee")
        with pytest.raises(UnreachableError):
            mllp.send(section(port, tls=True, certificate_authority=authority), MESSAGE, "c0ffee")
        assert listener.messages == [MESSAGE]


def test_a_listener_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    with MllpListener(context=made.server()) as listener:
        with pytest.raises(UnreachableError, match="TLS"):
            mllp.send(section(listener.port, tls=True), MESSAGE, "c0ffee")
        assert listener.messages == []
