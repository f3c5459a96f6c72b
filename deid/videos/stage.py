# SPDX-License-Identifier: Apache-2.0
"""The stage that cleans videos: their streams always, text in their pictures where asked for."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deid.context import encodings_of
from deid.elements import Element
from deid.errors import PixelsNotReadableError
from deid.identifiers import denied_words, elements_of
from deid.pixels.hints import Hints, outside_of_regions
from deid.policy import Documents, PixelText, Policy
from deid.report import Action, ElementRecord
from deid.revealed import denied_by
from deid.stages import Instance
from deid.videos.coded import masked_frames, put_frames
from deid.videos.errors import StreamError
from deid.videos.pictures import Seen, digest_of, pictures_of, seen
from deid.videos.streams import cleaned, fragments_of
from deid.videos.syntaxes import Codec, codec_of

if TYPE_CHECKING:
    from deid.pixels.stage import CleanPixelStage

_PIXEL_DATA, _BURNED_IN, _CHARACTER_SET, _SOUND = 0x7FE00010, 0x00280301, 0x00080005, 0x003A0300
_ITEM = b"\xfe\xff\x00\xe0"


class VideoStage:
    """Takes sound, user data and metadata out of a video, and masks text where the policy says so.

    Parameters
    ----------
    policy:
        What the site decides.
    masking:
        Finds text in frames.
    """

    def __init__(self, policy: Policy, masking: CleanPixelStage) -> None:
        self._masks = policy.videos is Documents.MASK or policy.pixel_text is not PixelText.LEAVE
        self._masking = masking

    def apply(self, instance: Instance) -> None:
        """Do so for a video, and nothing to any other.

        A video without text keeps its coded pictures bit by bit, and is decoded twice to see that
        it shows the same as before. One with text becomes frames of JPEG.

        Raises
        ------
        PixelsNotReadableError
            If the stream can't be read to its end or decoded.
        TextLeftInPixelsError
            If text is still found in it after it was masked.
        """
        codec = codec_of(instance.original.transfer_syntax)
        at = next((i for i, one in enumerate(instance.pixels) if one.tag == _PIXEL_DATA), None)
        if codec is None or at is None:
            return
        try:
            fragments = list(fragments_of(bytes(instance.pixels[at].value)))
            self._clean(instance, b"".join(fragments), [len(one) for one in fragments], codec)
        except StreamError as error:
            raise PixelsNotReadableError(
                f"the video can't be made safe ({error}): look at it, or convert it first"
            ) from None

    def _clean(self, instance: Instance, stream: bytes, lengths: list[int], codec: Codec) -> None:
        clean = cleaned(stream, codec)
        look = seen(stream)
        if self._masks:
            mask = self._text(instance, look)
            if mask.any():
                frames = masked_frames(pictures_of(clean), mask)
                if len(frames.coded) != look.pictures:
                    raise StreamError("pictures were lost")
                put_frames(instance, frames, codec, len(stream))
                self._mark(instance, "text in the pictures of a video", Action.CLEANED)
                return
        if digest_of(clean) != look.digest:
            raise StreamError("it shows something else without its user data")
        value = _encapsulated(clean, lengths)
        instance.pixels = [Element(_PIXEL_DATA, "OB", value, encapsulated=True)]
        instance.elements.pop(_SOUND, None)
        changed = Action.KEPT if clean == stream else Action.CLEANED
        self._mark(instance, "stream of a video", changed)

    def _text(self, instance: Instance, look: Seen) -> NDArray[np.bool_]:
        header, shape = instance.original.header, (look.views.shape[1], look.views.shape[2])
        encodings = encodings_of(header.text(_CHARACTER_SET))
        hints = Hints(
            outside_of_regions(header, shape, little_endian=True),
            denied_words(elements_of(header), encodings) | denied_by(instance.original.revealed),
        )
        return self._masking.text_in(look.views, hints)

    def _mark(self, instance: Instance, rule: str, action: Action) -> None:
        if self._masks:
            self._masking.claim(instance)
        instance.records.append(ElementRecord(f"{_PIXEL_DATA:08X}", rule, action))


def _encapsulated(stream: bytes, lengths: list[int]) -> bytes:
    """An empty Basic Offset Table, and fragments as long as they were."""
    parts, at = [_ITEM + bytes(4)], 0
    for length in lengths:
        parts += [_ITEM + struct.pack("<I", length), stream[at : at + length]]
        at += length
    return b"".join(parts)
