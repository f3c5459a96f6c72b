# SPDX-License-Identifier: AGPL-3.0-or-later
"""The minimal lower layer protocol (HL7 2.5.1 implementation guide, appendix C), with TLS.

One connection per message: a listener that restarts, or a firewall that forgets, costs nothing.
"""

from __future__ import annotations

import re
import socket
import ssl

from plugin.configuration.doors import Hl7Section
from plugin.doors.errors import RefusedError, UnreachableError

START, END = b"\x0b", b"\x1c\r"
LONGEST_ANSWER = 1 << 20

_ACCEPTED = ("AA", "CA")
_REFUSED = {
    "AE": "application error",
    "CE": "application error",
    "AR": "application reject",
    "CR": "application reject",
}
# What may be repeated of an answer: codes (HL7 table 0357, and those of vendors), never words.
_ERROR_CODE = re.compile(r"[A-Za-z0-9_-]{1,20}")


def send(section: Hl7Section, message: bytes, control_id: str) -> None:
    """Send one message and wait for its acknowledgement.

    Raises:
        UnreachableError: no connection, no answer in time, or an answer that is none.
        RefusedError: acknowledged with AE or AR (or CE, CR).
    """
    try:
        with _connect(section) as connection:
            connection.sendall(START + message + END)
            answer = _read(connection)
    except ssl.SSLError as error:
        reason = error.reason or type(error).__name__
        raise UnreachableError(f"TLS with the listener failed ({reason})") from None
    except TimeoutError:
        raise UnreachableError(
            f"the listener did not answer within {section.timeout_seconds:g} s"
        ) from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UnreachableError(f"the listener can't be reached ({why})") from None
    judge(answer, control_id)


def judge(answer: bytes, control_id: str) -> None:
    """Read an acknowledgement (MSA segment, HL7 2.5.1 section 2.15.8).

    Raises:
        UnreachableError: it is none, or that of another message.
        RefusedError: it says so, with the codes of its ERR segments.
    """
    segments = _segments(answer)
    msa = next((fields for fields in segments if fields[0] == "MSA"), None)
    if msa is None or len(msa) < 3:
        raise UnreachableError("the listener's answer is no acknowledgement")
    if msa[2] != control_id:
        raise UnreachableError("the listener acknowledged another message")
    if msa[1] in _ACCEPTED:
        return
    if msa[1] not in _REFUSED:
        raise UnreachableError("the listener's acknowledgement code is unknown")
    codes = ", ".join(_error_codes(segments))
    said = f"{msa[1]}: {_REFUSED[msa[1]]}" + (f", error {codes}" if codes else "")
    raise RefusedError(f"the listener refused the message ({said})")


def _segments(answer: bytes) -> list[list[str]]:
    text = answer.decode("utf-8", "replace")
    separator = text[3:4] or "|"
    return [line.strip().split(separator) for line in re.split(r"[\r\n]+", text) if line.strip()]


def _error_codes(segments: list[list[str]]) -> list[str]:
    """ERR-3 up to its first component, HL7 error code."""
    codes = [
        fields[3].split("^")[0] for fields in segments if fields[0] == "ERR" and len(fields) > 3
    ]
    return [code for code in codes if _ERROR_CODE.fullmatch(code)]


def _connect(section: Hl7Section) -> socket.socket:
    address = (section.host, section.port)
    plain = socket.create_connection(address, timeout=section.timeout_seconds)
    if not section.tls:
        return plain
    try:
        return _context(section).wrap_socket(plain, server_hostname=section.host)
    except BaseException:
        plain.close()
        raise


def _context(section: Hl7Section) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=section.certificate_authority or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if section.client_certificate:
        context.load_cert_chain(section.client_certificate)
    return context


def _read(connection: socket.socket) -> bytes:
    """The content of one frame."""
    received = b""
    while END not in received:
        chunk = connection.recv(65536)
        if not chunk:
            raise UnreachableError("the listener closed the connection without an answer")
        received += chunk
        if len(received) > LONGEST_ANSWER:
            raise UnreachableError("the listener's answer does not end")
    return received.partition(END)[0].partition(START)[2]
