# SPDX-License-Identifier: Apache-2.0
"""Part 10 files (PS3.10 chapter 7), with a file meta information of our own."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

from pydicom.uid import DeflatedExplicitVRLittleEndian

from deid.elements import Element, Encoding

IMPLEMENTATION_CLASS_UID = "2.25.112617312733172519706427117063214217297"
IMPLEMENTATION_VERSION_NAME = "SIDELIGHT_DEID_1"

_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018


def encoded_header(elements: Mapping[int, Element], encoding: Encoding) -> bytes:
    """The data set without pixel data."""
    return b"".join(encoding.encode([elements[tag] for tag in sorted(elements)]))


def part_10(
    elements: Mapping[int, Element], chunks: Sequence[bytes | memoryview], transfer_syntax: str
) -> bytes:
    """The file: zeroed preamble, prefix, file meta information, data set.

    Parameters
    ----------
    elements:
        The header, for the UIDs that the file meta information repeats.
    chunks:
        The encoded data set in pieces.
    transfer_syntax:
        Its UID; a deflated one deflates the pieces.
    """
    if transfer_syntax == DeflatedExplicitVRLittleEndian:
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        deflated = b"".join([*map(deflate.compress, chunks), deflate.flush()])
        # PS3.5 section A.5: an odd stream is padded.
        chunks = [deflated, b"\0" * (len(deflated) & 1)]
    return b"".join([file_meta(elements, transfer_syntax), *chunks])


def file_meta(elements: Mapping[int, Element], transfer_syntax: str) -> bytes:
    """Preamble, prefix and file meta information: nothing of the source but its two UIDs."""
    meta = Encoding(implicit=False, little_endian=True)
    content = b"".join(
        meta.encode(
            [
                Element(0x00020001, "OB", b"\0\1"),
                Element(0x00020002, "UI", elements[_SOP_CLASS].value),
                Element(0x00020003, "UI", elements[_SOP_INSTANCE].value),
                Element(0x00020010, "UI", transfer_syntax.encode("ascii")),
                Element(0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
                Element(0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
            ]
        )
    )
    length = Element(0x00020000, "UL", len(content).to_bytes(4, "little"))
    return b"".join([bytes(128), b"DICM", *meta.encode([length]), content])
