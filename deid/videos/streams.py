# SPDX-License-Identifier: Apache-2.0
"""A stream of video without what is no picture: in its container, and as long as it was.

PS3.5 section 8.2 admits elementary streams, MPEG-2 program and transport streams, and MP4.
"""

from __future__ import annotations

from deid.videos.elementary import gathered, scatter
from deid.videos.errors import StreamError
from deid.videos.mp4 import clean_mp4, is_mp4
from deid.videos.program import clean_program, is_program
from deid.videos.syntaxes import Codec
from deid.videos.transport import clean_transport, is_transport
from deid.videos.units import clean_start_codes


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
