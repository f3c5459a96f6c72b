# SPDX-License-Identifier: Apache-2.0
"""The transfer syntaxes whose pixel data is a stream of video (PS3.5 section 8.2)."""

from __future__ import annotations

import re
from enum import StrEnum

_VIDEO = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.(10[0-8])(?:\.1)?", re.ASCII)
_REAL_TIME = re.compile(r"1\.2\.840\.10008\.1\.2\.7\.\d", re.ASCII)
"""SMPTE ST 2110 (PS3.22), which no file has."""


class Codec(StrEnum):
    """How pictures are coded; the value is the defined term of Lossy Image Compression Method."""

    MPEG_2 = "ISO_13818_2"
    H_264 = "ISO_14496_10"
    HEVC = "ISO_23008_2"


def is_video(transfer_syntax: str) -> bool:
    """Whether pixel data of this transfer syntax is a stream of video."""
    named = _VIDEO.fullmatch(transfer_syntax) or _REAL_TIME.fullmatch(transfer_syntax)
    return named is not None


def codec_of(transfer_syntax: str) -> Codec | None:
    """How its pictures are coded; None of what is no video in a file."""
    match = _VIDEO.fullmatch(transfer_syntax)
    if match is None:
        return None
    number = int(match[1])
    if number < 102:
        return Codec.MPEG_2
    return Codec.H_264 if number < 107 else Codec.HEVC
