# SPDX-License-Identifier: Apache-2.0
"""What training of the pixel model asks of whoever can reach an archive: slices, de-identified.

As for headers (:mod:`inference.header_source`), the source is found as an entry point of the group
:data:`GROUP`: a function that takes a :class:`VolumeRequest` and a :class:`VolumeLearner`. Slices
are handed over in memory and nothing of them is written anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Protocol

from pydantic import Field

from inference.contract import Message
from inference.header_source import HeaderSourceError

GROUP = "sidelight.volume_sources"


class VolumeRequest(Message):
    """Which volumes are wanted, and how gently they are to be asked for.

    ``from_hour`` and ``until_hour`` are the quiet hours in local time; equal hours are the whole
    day.
    """

    url: str
    key_file: str = Field(description="the site's de-identification key")
    data: str = Field(
        default="", description="the site's data directory, for its words; empty: the key's folder"
    )
    user: str = ""
    from_hour: int = Field(default=0, ge=0, le=23)
    until_hour: int = Field(default=0, ge=0, le=23)
    queries: int = Field(default=20_000, ge=1, description="questions to the archive, at most")
    modalities: tuple[str, ...] = ("CT",)


class VolumesCollected(Message):
    """What collecting came to."""

    finished: bool = Field(description="whether every series of the archive was looked at")
    reason: str = Field(default="", description="why not, in words")


class VolumeLearner(Protocol):
    """Who learns from volumes; knows them by pseudonyms of the site's key."""

    def knows(self, series: str) -> bool:
        """Whether a series was learned from, or is no volume, as this or an earlier run found."""

    def wants(self, patient: str, modality: str) -> bool:
        """Whether the slices of another series of a patient should be fetched."""

    @property
    def satisfied(self) -> bool:
        """Whether nothing more is wanted in this run."""

    def take(self, series: str, patient: str, instances: Sequence[bytes]) -> None:
        """De-identified DICOM files of one series in any order; kept as coarse slices."""

    def pass_by(self, series: str) -> None:
        """A series can't be shown, now and later."""


VolumeSource = Callable[[VolumeRequest, VolumeLearner], VolumesCollected]


def volume_source(name: str) -> VolumeSource:
    """The source of a kind of archive.

    :raises HeaderSourceError: if none of that name is installed.
    """
    for point in metadata.entry_points(group=GROUP, name=name):
        found: VolumeSource = point.load()
        return found
    raise HeaderSourceError(f"no source of volumes named {name} is installed; install sidelight")
