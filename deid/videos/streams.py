# SPDX-License-Identifier: Apache-2.0
"""A stream of video without what is no picture: in its container, and as long as it was.

PS3.5 section 8.2 admits elementary streams, MPEG-2 program and transport streams, and MP4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from deid.videos.elementary import gathered, scatter
from deid.videos.errors import StreamError
from deid.videos.mp4 import clean_mp4, is_mp4
from deid.videos.program import clean_program, is_program
from deid.videos.syntaxes import Codec
from deid.videos.transport import clean_transport, is_transport
from deid.videos.units import clean_start_codes

_ITEM = b"\xfe\xff\x00\xe0"


def cleaned(content: bytes, codec: Codec) -> bytes:
    """The stream without sound, user data, metadata and times of creation.

    Coded pictures are the same bit by bit, and lie where they were.

    Parameters
    ----------
    content:
        The stream.
    codec:
        How its pictures are coded, by the transfer syntax.

    Raises
    ------
    StreamError
        If it can't be read to its end.
    """
    stream = bytearray(content)
    try:
        if is_mp4(stream):
            clean_mp4(stream, codec)
        elif is_transport(stream) or is_program(stream):
            pieces = (
                clean_transport(stream, codec) if is_transport(stream) else clean_program(stream)
            )
            video = gathered(stream, pieces)
            clean_start_codes(video, codec)
            scatter(video, stream, pieces)
        else:
            clean_start_codes(stream, codec)
    except IndexError:
        raise StreamError("the stream is cut off") from None
    return bytes(stream)


def fragments_of(value: bytes) -> Iterator[bytes]:
    """The fragments of encapsulated pixel data, behind its offset table (PS3.5 section A.4).

    Raises
    ------
    StreamError
        If it has none, or one is cut off.
    """
    at = first = 0
    while at < len(value):
        if value[at : at + 4] != _ITEM or at + 8 > len(value):
            raise StreamError("the pixel data has no fragments")
        (length,) = struct.unpack_from("<I", value, at + 4)
        if at + 8 + length > len(value):
            raise StreamError("a fragment is cut off")
        if first:
            yield value[at + 8 : at + 8 + length]
        at, first = at + 8 + length, 1
