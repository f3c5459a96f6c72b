# SPDX-License-Identifier: Apache-2.0
"""Cuts a file or stream into HL7 version 2 messages, and decodes them.

A file may hold several, in the blocks of the Minimal Lower Layer Protocol or in batches (HL7 2.5.1
sections 2.10.3 and C.4 of the implementation support guide).
"""

from __future__ import annotations

import re

from deid.reports.errors import ReportError

_FRAME = "\x0b\x1c"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_LONGEST_START = 64
_START = re.compile(rb"[\x0b\s]*(?:\xef\xbb\xbf)?(?:MSH|FHS|BHS)[^\w\s]")
_BEGINS = re.compile(r"(?:^|(?<=[\r\n\x0b\x1c]))(?=MSH[^\w\s])")
_CHARACTER_SET = re.compile(rb"MSH([^\w\s])(?:[^\r\n]*?\1){16}([^\r\n]*)")
_CODECS = {
    "ASCII": "cp1252", "8859/1": "latin-1", "8859/2": "iso8859-2", "8859/3": "iso8859-3",
    "8859/4": "iso8859-4", "8859/5": "iso8859-5", "8859/6": "iso8859-6", "8859/7": "iso8859-7",
    "8859/8": "iso8859-8", "8859/9": "iso8859-9", "8859/15": "iso8859-15", "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp", "ISO IR159": "iso2022_jp_2", "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr", "BIG-5": "big5", "UNICODE UTF-8": "utf-8-sig",
    "UNICODE UTF-16": "utf-16",
}  # fmt: skip
"""By the names of HL7 table 0211 (MSH-18)."""


def is_hl7(content: bytes) -> bool:
    """Whether it begins as a message, a batch or a file of batches does."""
    marked = content.startswith(_WIDE_MARKS)
    begin = decoded_message(content[:_LONGEST_START]).encode() if marked else content
    return _START.match(begin) is not None


def messages_of(text: str) -> list[str]:
    """The messages, without frames, headers and trailers of batches.

    Raises
    ------
    ReportError
        If there is none.
    """
    found = [part.strip(_FRAME + "\r\n ") for part in _BEGINS.split(text)]
    found = [part for part in found if part.startswith("MSH")]
    if not found:
        raise ReportError("the report has no HL7 message header (MSH): send ORU^R01 messages")
    return found


def decoded_message(content: bytes) -> str:
    """Messages as text, by the character set that the first of them names.

    One that can't be as it says is read as UTF-8, or as the code page of Western Windows; one with
    the mark of UTF-16 is in that, whatever it says.
    """
    if content.startswith(_WIDE_MARKS):
        return content.decode("utf-16", "replace")
    named = _CHARACTER_SET.search(content)
    field = (
        ""
        if named is None
        else re.split(rb"[~\x1c" + named[1] + b"]", named[2])[0].decode("latin-1")
    )
    codec = _CODECS.get(field.strip().upper())
    for one in (codec, "utf-8-sig") if codec else ("utf-8-sig",):
        try:
            return content.decode(one)
        except UnicodeDecodeError:
            continue
    return content.decode("cp1252", "replace")
