# SPDX-License-Identifier: AGPL-3.0-or-later
"""De-identification as a person corrected it: the same for what is shown and for what leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

import pydicom

from deid import DeidentificationKey, DeidentifiedScan, Deidentifier, Extensions, Option, Policy
from deid.corrected_tags import CorrectedTagsStage
from deid.corrections import CorrectedPixelsStage, Corrections
from deid.deidentifier import pixel_stages
from deid.marks import METHOD
from deid.policy import Documents, Faces, PixelText
from deid.stages import BurnedInAnnotationCheck, Stage
from plugin.configuration.deidentification import DeidentificationSection
from plugin.deid_review.records import MOST_BOXES, PixelBox

if TYPE_CHECKING:
    from deid.pixels import TextDetector


@dataclass(frozen=True)
class Workshop:
    """The site's key, options and policy, to be used with corrections.

    Attributes:
        settings: digest of all that decides what de-identification does.
    """

    key: DeidentificationKey
    options: Collection[Option]
    policy: Policy
    settings: str

    def image(self, original: bytes, corrections: Corrections) -> DeidentifiedScan:
        """One image; faces, which are judged in whole series only, are left.

        Raises:
            deid.DeidentificationError: where nothing may be handed out.
        """
        return self.series([original], {uid_of(original): corrections}, faces=False)[0]

    def series(
        self,
        originals: Sequence[bytes],
        corrections: Mapping[str, Corrections],
        *,
        faces: bool,
    ) -> list[DeidentifiedScan]:
        """A series.

        Args:
            originals: its files.
            corrections: by original SOP Instance UID; instances without one go by the policy.
            faces: whether the policy's word on faces holds.

        Raises:
            deid.DeidentificationError: where nothing may be handed out.
        """
        policy = self.policy if faces else replace(self.policy, faces=Faces.LEAVE)
        pixels: tuple[Stage, ...] = ()
        if any(one.boxes is not None for one in corrections.values()):
            # With a stage on pixels nobody else asks whether text is burned in.
            otherwise = pixel_stages(policy) or (BurnedInAnnotationCheck(policy),)
            pixels = (CorrectedPixelsStage(corrections, otherwise, policy.recompression),)
            # A person has looked: documents are images as others are.
            policy = _documents_as_others(policy)
        extensions = Extensions(pixels=pixels, after=(CorrectedTagsStage(corrections),))
        return Deidentifier(self.key, self.options, policy, extensions).deidentify_series(originals)

    def suggestions(self, original: bytes) -> tuple[PixelBox, ...]:
        """Where text is in the pixels; none where they can't be looked at.

        Raises:
            deid.DeidentificationError: the file can't be read.
        """
        # Looked up here: the web process needs no detector.
        from deid.pixels import Keep, RapidText  # noqa: PLC0415
        from deid.suggestions import SuggestedBoxesStage  # noqa: PLC0415

        technical = self.policy.pixel_text is PixelText.MASK_IDENTIFYING
        keep = Keep.TECHNICAL if technical else Keep.NOTHING
        stage = SuggestedBoxesStage(_detector(RapidText), keep)
        policy = _documents_as_others(replace(self.policy, faces=Faces.LEAVE))
        Deidentifier(self.key, self.options, policy, Extensions(pixels=(stage,))).deidentify(
            original
        )
        boxes = stage.boxes[:MOST_BOXES]
        return tuple(
            PixelBox(left=b.left, top=b.top, width=b.width, height=b.height) for b in boxes
        )


def _documents_as_others(policy: Policy) -> Policy:
    others = Documents.AS_OTHERS
    return replace(
        policy,
        secondary_captures=others,
        scanned_forms=others,
        encapsulated_documents=others,
        videos=others,
    )


@cache
def _detector(kind: Callable[[], TextDetector]) -> TextDetector:
    """One for all images: its networks take a second to load."""
    return kind()


def settings_of(section: DeidentificationSection) -> str:
    """Digest of what de-identifies: a decision holds while it is the same."""
    told = f"{METHOD}\n{section.model_dump_json(exclude={'key_file'})}"
    return hashlib.sha256(told.encode()).hexdigest()


def uid_of(original: bytes) -> str:
    """SOP Instance UID of a file, as ``deid`` reads it."""
    # Looked up here: most scans are corrected by nobody.
    header = pydicom.dcmread(
        BytesIO(original), stop_before_pixels=True, force=True, specific_tags=["SOPInstanceUID"]
    )
    return str(header.get("SOPInstanceUID", ""))


def content_of(originals: Sequence[bytes]) -> str:
    """SHA-256 of a file, or of the files of a series in any order."""
    digests = sorted(hashlib.sha256(original).hexdigest() for original in originals)
    return digests[0] if len(digests) == 1 else _joined(digests)


def _joined(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
