# SPDX-License-Identifier: AGPL-3.0-or-later
"""What goes in and what comes out: options, kinds of objects, result objects, errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from PIL import Image
from pydicom.dataset import Dataset

from plugin.results.encoding import encode_file
from plugin.results.viewer_profiles import PROFILES, ProfileName

Kind = Literal[
    "SR", "SEG", "PR", "SEG-LABELMAP", "SEG-FRACTIONAL", "PM", "PR-HEATMAP", "SC", "KO", "PDF"
]
SegmentationForm = Literal["BINARY", "LABELMAP", "FRACTIONAL", "NONE"]
AdditionalKind = Literal["SEG-LABELMAP", "SEG-FRACTIONAL", "PM", "PR-HEATMAP", "SC", "KO", "PDF"]
Validator = Literal["dciodvfy", "dsrdump", "dcmpschk", "pixelmed"]

FAST_VALIDATORS: tuple[Validator, ...] = ("dciodvfy", "dsrdump", "dcmpschk")
"""``pixelmed`` starts a Java machine for every report, which takes seconds: by configuration."""


class KindOfObject(NamedTuple):
    """What all objects of one kind have in common.

    Attributes:
        modality: Modality of their series (PS3.3 C.7.3.1.1.1); empty: the original's.
        series_offset: SeriesNumber above the application's first one.
        words: end of their SeriesDescription.
    """

    modality: str
    series_offset: int
    words: str


KINDS: dict[Kind, KindOfObject] = {
    "SR": KindOfObject("SR", 0, "SR"),
    "SEG": KindOfObject("SEG", 1, "SEG"),
    "PR": KindOfObject("PR", 2, "PR"),
    "SEG-LABELMAP": KindOfObject("SEG", 3, "label map"),
    "SEG-FRACTIONAL": KindOfObject("SEG", 4, "fractions"),
    "PM": KindOfObject("", 5, "map"),
    "PR-HEATMAP": KindOfObject("PR", 6, "colour"),
    "SC": KindOfObject("OT", 7, "picture"),
    "KO": KindOfObject("KO", 8, "KO"),
    "PDF": KindOfObject("DOC", 9, "PDF"),
}
SERIES_NUMBERS_PER_APPLICATION = 10


class ResultBuildError(ValueError):
    """No object can be made; the message names the attribute or answer that is at fault.

    It never holds a value of the original's header.
    """


class KindNotPossibleError(ResultBuildError):
    """An object of one kind can't be made of this original; those of other kinds can."""


Rendering = Callable[[str, int], Image.Image | None]
"""From SOP Instance UID and frame number to the image as a reader sees it, windowed; None where the
archive can't draw it. Needed for the kinds SC and PDF, whose pictures are black without."""


@dataclass(frozen=True)
class DocumentReference:
    """An SR that lies in the same study (PS3.3 Table C.17-3)."""

    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class ResultOptions:
    """How results are written.

    Attributes:
        segmentation: BINARY writes iso-probability bands, LABELMAP the same bands in one frame per
            image, FRACTIONAL the whole probability map of each present class (an archive copy:
            OHIF can't draw it), NONE no SEG.
        additional: kinds to write besides SR, SEG and PR.
        viewer_profile: whose accommodations apply, see ``viewer_profiles``.
        series_number_base: SeriesNumber of SR series; the other kinds follow, see ``KINDS``.
        configuration_digest: digest of all configuration that shapes results; part of every UID.
        bands: lower limits of the bands of a BINARY SEG as fractions of the way from the class's
            patch threshold (0) to certainty (1), rising, the first one 0.
        validators: external validators that ``validate`` runs where they are installed.
    """

    segmentation: SegmentationForm = "BINARY"
    additional: tuple[AdditionalKind, ...] = ()
    viewer_profile: ProfileName = "stone+ohif"
    series_number_base: int = 9100
    configuration_digest: str = ""
    bands: tuple[float, ...] = (0.0, 1 / 3, 2 / 3)
    validators: tuple[Validator, ...] = field(default=FAST_VALIDATORS)

    def __post_init__(self) -> None:
        if self.segmentation not in get_args(SegmentationForm):
            raise ValueError(
                f"segmentation: {self.segmentation!r} is none of "
                + ", ".join(get_args(SegmentationForm))
            )
        unknown = set(self.additional) - set(get_args(AdditionalKind))
        if unknown:
            raise ValueError(f"additional: there is no {min(unknown)!r}")
        if self.viewer_profile not in PROFILES:
            raise ValueError(f"viewer_profile: there is no {self.viewer_profile!r}")
        if not 1 <= self.series_number_base <= 2**31 - 1 - SERIES_NUMBERS_PER_APPLICATION:
            raise ValueError("series_number_base: must be a positive 32-bit integer")
        rising = all(a < b for a, b in zip(self.bands, self.bands[1:], strict=False))
        if not self.bands or self.bands[0] != 0 or not rising or self.bands[-1] >= 1:
            raise ValueError("bands: must rise from 0 and stay below 1")


@dataclass(frozen=True)
class ResultObject:
    """A DICOM object that is ready to be validated and stored.

    The data set carries its own file meta information (Explicit VR Little Endian).
    """

    kind: Kind
    dataset: Dataset

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID; the same for the same source, model and configuration."""
        return str(self.dataset.SOPInstanceUID)

    def to_bytes(self) -> bytes:
        """The object as a PS3.10 file."""
        return encode_file(self.dataset, self.dataset.file_meta)
