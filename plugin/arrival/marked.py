# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a file says of itself that its patient's identity was removed (0012,0062).

It is looked up without a DICOM library, which Orthanc's process does not load, and in the form in
which ``deid`` writes it: a second look at what is about to be stored, not a parser.
"""

from __future__ import annotations

import re
import zlib

_PREAMBLE, _PREFIX = 128, b"DICM"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_META_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
_LARGEST_HEADER = 64 << 20
_MARK = re.compile(
    rb"\x12\x00\x62\x00(?:CS\x04\x00|\x04\x00\x00\x00)YES |\x00\x12\x00\x62CS\x00\x04YES "
)


def says_identity_removed(file: bytes) -> bool:
    """Whether a Part 10 file is marked as de-identified, in any transfer syntax."""
    if file[_PREAMBLE : _PREAMBLE + 4] != _PREFIX:
        return False
    start = _PREAMBLE + 4
    if file[start : start + 8] != _META_LENGTH:
        return False
    end = start + 12 + int.from_bytes(file[start + 8 : start + 12], "little")
    if _DEFLATED in file[start:end]:
        return _MARK.search(_inflated(file[end:])) is not None
    return _MARK.search(file, end) is not None


def _inflated(content: bytes) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, _LARGEST_HEADER)
    except zlib.error:
        return b""
