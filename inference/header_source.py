# SPDX-License-Identifier: Apache-2.0
"""What training asks of whoever can reach an archive: de-identified headers, with labels.

Whoever knows archives knows identities, and nothing here does. So the source is found as an entry
point of the group :data:`GROUP`, by the name of the kind of archive: a function that takes a
:class:`HeaderRequest` and :class:`AnatomyWitnesses`, and returns :class:`HeadersCollected`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any, Literal, Protocol

from pydantic import Field

from inference.contract import AnatomyAnswer, Message, PixelAnatomyAnswer

GROUP = "sidelight.header_sources"

LabelSource = Literal["site", "reviewer", "pixels", "tags"]
"""Who gave a label: the site's table, a reviewer, the pixel model, the model of tags."""


class HeaderSourceError(RuntimeError):
    """Headers can't be collected; the message says what to do, without anything of a patient."""


class HeaderRequest(Message):
    """Which headers are wanted, and how gently they are to be asked for.

    ``from_hour`` and ``until_hour`` are the quiet hours in local time; equal
    hours are the whole day.
    """

    url: str
    folder: str = Field(description="where rows are kept between runs; de-identified")
    key_file: str = Field(description="the site's de-identification key")
    data: str = Field(
        default="", description="the site's data directory, for its words; empty: the key's folder"
    )
    user: str = ""
    from_hour: int = Field(default=0, ge=0, le=23)
    until_hour: int = Field(default=0, ge=0, le=23)
    queries: int = Field(default=20_000, ge=1, description="questions to the archive, at most")
    pixel_teacher: bool = False
    doubt_below: float = Field(default=0.8, ge=0.0, le=1.0)


class HeadersCollected(Message):
    """What collecting came to."""

    table: str = Field(description="CSV as ``sidelight train anatomy`` reads it")
    series: int
    labels: dict[str, int] = Field(description="rows by who gave the label; '' is none")
    finished: bool = Field(description="whether every series of the archive was looked at")
    reason: str = Field(default="", description="why not, in words")


class AnatomyWitnesses(Protocol):
    """The two models, asked with de-identified material alone."""

    def recognize_anatomy(self, header: Mapping[str, Any]) -> AnatomyAnswer:
        """The anatomy that a header shows, as DICOM JSON (PS3.18 F.2)."""

    def recognize_pixels(self, instances: Sequence[bytes]) -> PixelAnatomyAnswer:
        """The anatomy that the pixels of DICOM files of one series show."""


HeaderSource = Callable[[HeaderRequest, AnatomyWitnesses], HeadersCollected]


def header_source(name: str) -> HeaderSource:
    """The source of a kind of archive.

    :raises HeaderSourceError: if none of that name is installed.
    """
    for point in metadata.entry_points(group=GROUP, name=name):
        found: HeaderSource = point.load()
        return found
    raise HeaderSourceError(f"no source of headers named {name} is installed; install sidelight")
