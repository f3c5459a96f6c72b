# SPDX-License-Identifier: AGPL-3.0-or-later
"""What goes in and what comes out: options, result objects, the error."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Literal, get_args

from pydicom.dataset import Dataset

from plugin.results.viewer_profiles import PROFILES, ProfileName

Kind = Literal["SR", "SEG", "PR"]
SegmentationForm = Literal["BINARY", "FRACTIONAL", "NONE"]
Validator = Literal["dciodvfy", "dsrdump", "dcmpschk"]

ALL_VALIDATORS: tuple[Validator, ...] = get_args(Validator)
SERIES_NUMBER_OFFSET: dict[Kind, int] = {"SR": 0, "SEG": 1, "PR": 2}


class ResultBuildError(ValueError):
    """No object can be made; the message names the attribute or answer that is at fault.

    It never holds a value of the original's header.
    """


@dataclass(frozen=True)
class ResultOptions:
    """How results are written.

    Attributes:
        segmentation: BINARY writes iso-probability bands, FRACTIONAL the whole probability map of
            each present class (an archive copy: OHIF can't draw it), NONE no SEG.
        viewer_profile: whose accommodations apply, see ``viewer_profiles``.
        series_number_base: SeriesNumber of SR series; SEG is one, PR two above it.
        configuration_digest: digest of all configuration that shapes results; part of every UID.
        bands: lower limits of the bands of a BINARY SEG as fractions of the way from the class's
            patch threshold (0) to certainty (1), rising, the first one 0.
        validators: external validators that ``validate`` runs where they are installed.
    """

    segmentation: SegmentationForm = "BINARY"
    viewer_profile: ProfileName = "stone+ohif"
    series_number_base: int = 9100
    configuration_digest: str = ""
    bands: tuple[float, ...] = (0.0, 1 / 3, 2 / 3)
    validators: tuple[Validator, ...] = field(default=ALL_VALIDATORS)

    def __post_init__(self) -> None:
        if self.segmentation not in get_args(SegmentationForm):
            raise ValueError(
                f"segmentation: {self.segmentation!r} is none of BINARY, FRACTIONAL, NONE"
            )
        if self.viewer_profile not in PROFILES:
            raise ValueError(f"viewer_profile: there is no {self.viewer_profile!r}")
        if not 1 <= self.series_number_base <= 2**31 - 1 - len(SERIES_NUMBER_OFFSET):
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
        buffer = BytesIO()
        self.dataset.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()
