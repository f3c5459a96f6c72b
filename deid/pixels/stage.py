# SPDX-License-Identifier: Apache-2.0
"""The stage that carries out the Clean Pixel Data Option (PS3.15 section E.3.1)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRBigEndian

from deid.context import encodings_of
from deid.documents.kinds import shows_slide_label
from deid.elements import Element
from deid.errors import TextLeftInPixelsError
from deid.identifiers import denied_words, elements_of
from deid.pixels.barcodes import Barcodes
from deid.pixels.detector import QuickText, TextDetector, ThoroughText
from deid.pixels.finding import Keep, find_text, representatives
from deid.pixels.frames import decoded, masked, without_hidden_text
from deid.pixels.hints import Hints, outside_of_regions
from deid.pixels.keeping import KeptLines
from deid.pixels.reading_kinds import Kinds, NotingDetector, counted
from deid.policy import PixelMarks, PixelSearch, PixelText, Policy, Recompression
from deid.report import Action, ElementRecord
from deid.revealed import denied_by
from deid.stages import Instance
from deid.videos.syntaxes import is_video

CODE, MEANING = "113101", "Clean Pixel Data Option"
_BURNED_IN_ANNOTATION = 0x00280301
_CHARACTER_SET = 0x00080005
_MOST_PASSES = 8
_SAMPLED = 262144
_RULE = "text in pixels"
_RULE_OF_HIDDEN = "text in pixels and in unused bits"


class PixelSettings(NamedTuple):
    """How masks are made.

    Attributes
    ----------
    keep:
        What text may stay.
    marks:
        What stands where text was.
    recompression:
        How compressed pixels are written.
    """

    keep: Keep = Keep.NOTHING
    marks: PixelMarks = PixelMarks.FILL
    recompression: Recompression = Recompression.RLE


class CleanPixelStage:
    """Masks the text and codes of every image and looks again until none is found.

    Parameters
    ----------
    detector:
        Finds text; the quick one by default.
    settings:
        How masks are made.
    """

    def __init__(
        self, detector: TextDetector | None = None, settings: PixelSettings | None = None
    ) -> None:
        settings = settings or PixelSettings()
        self._detector = detector or QuickText(reading=settings != PixelSettings())
        self._settings = settings
        self._barcodes = Barcodes()

    def apply(self, instance: Instance) -> None:
        """Clean the pixels, and say so in the header.

        Every second look is at the image turned by a right angle: it verifies what the one before
        did, and lines that stood upright lie.

        Raises
        ------
        PixelsNotReadableError
            If they can't be decoded, or what has text can't be masked.
        TextLeftInPixelsError
            If text is still found after eight looks.
        """
        image = instance.image
        if image is None:
            return
        if is_video(instance.original.transfer_syntax):
            return  # ``deid.videos`` decodes those
        picture = decoded(instance)
        hidden = without_hidden_text(
            instance, picture, self._has_text, self._settings.recompression
        )
        if hidden:
            picture = decoded(instance)
        # Frames of a slide are places on it, of which none stands for another.
        every = shows_slide_label(instance.original)
        seen = picture.visible if every else representatives(picture.visible)
        header, shape = instance.original.header, (seen.shape[1], seen.shape[2])
        encodings = encodings_of(header.text(_CHARACTER_SET))
        little = instance.original.transfer_syntax != ExplicitVRBigEndian
        hints = Hints(
            outside_of_regions(header, shape, little_endian=little),
            denied_words(elements_of(header), encodings) | denied_by(instance.original.revealed),
        )
        kinds = None
        if self._settings.marks is PixelMarks.FIDUCIALS:
            kinds = Kinds(header, encodings, shape)
        covered = self.text_in(seen, hints, kinds)
        rule = _RULE_OF_HIDDEN if hidden else _RULE
        if covered.any():
            told = None if kinds is None else kinds.of_pixels(covered)
            masked(instance, covered, picture, self._settings.recompression, told)
            rule = rule if told is None else f"{rule}: {counted(told, covered)}"
        self._mark(instance, image.tag, hidden or bool(covered.any()), rule)

    def _has_text(self, plane: NDArray[np.uint8]) -> bool:
        """Whether a plane of bits shows text, lying or standing."""
        return any(
            bool(find_text(plane[np.newaxis], self._detector, turned=turned).any())
            for turned in (False, True)
        )

    def text_in(
        self, seen: NDArray[Any], hints: Hints, kinds: Kinds | None = None
    ) -> NDArray[np.bool_]:
        """Where text is, ``(rows, columns)``, of all frames together.

        Parameters
        ----------
        seen:
            ``(frames, rows, columns)`` or ``(frames, rows, columns, 3)``; see ``representatives``.
        hints:
            What is known of the image.
        kinds:
            Is told what each line is taken for.

        Raises
        ------
        TextLeftInPixelsError
            If text is still found after eight looks.
        """
        covered = find_text(seen, self._barcodes)
        if kinds is not None:
            kinds.add_codes(covered)
        shown = _blacked(seen, covered)
        kept = KeptLines(self._settings.keep, seen.shape[:3])
        for look in range(_MOST_PASSES):
            turned = bool(look % 2)
            noting = NotingDetector(self._detector)
            found = find_text(shown, noting, keep=kept, hints=hints, covered=covered, turned=turned)
            if kinds is not None:
                kinds.add(noting.lines, turned=turned)
            if not (found & ~covered).any():
                if look:
                    return covered
                continue
            covered |= found
            shown = _blacked(seen, covered)
        raise TextLeftInPixelsError(
            "text is still found in the pixels after they were masked: look at the image"
        )

    @staticmethod
    def claim(instance: Instance) -> None:
        """Say in the header that its pixels were looked at, and hold no text any more."""
        instance.elements[_BURNED_IN_ANNOTATION] = Element(_BURNED_IN_ANNOTATION, "CS", b"NO")
        instance.methods[CODE] = MEANING

    def _mark(self, instance: Instance, tag: int, changed: bool, rule: str) -> None:
        self.claim(instance)
        action = Action.CLEANED if changed else Action.KEPT
        instance.records.append(ElementRecord(f"{tag:08X}", rule, action))


def clean_pixel_stage(policy: Policy) -> CleanPixelStage:
    """The stage as a policy wants it; where it leaves text in pixels alone, all is masked."""
    technical = policy.pixel_text is PixelText.MASK_IDENTIFYING
    settings = PixelSettings(
        Keep.TECHNICAL if technical else Keep.NOTHING, policy.pixel_marks, policy.recompression
    )
    search = ThoroughText if policy.pixel_search is PixelSearch.THOROUGH else QuickText
    reading = technical or policy.pixel_marks is PixelMarks.FIDUCIALS
    return CleanPixelStage(search(reading=reading), settings)


def _blacked(frames: NDArray[Any], covered: NDArray[np.bool_]) -> NDArray[Any]:
    """Frames to look at again; a mask must not be a bright bar that hides what is beside it."""
    if not covered.any():
        return frames
    shown = frames.copy()
    shown[:, covered] = np.median(frames.ravel()[:: max(1, frames.size // _SAMPLED)])
    return shown
