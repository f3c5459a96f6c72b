# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept of a review: places, tags and who decided, never a value of the header."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from deid.corrections import Box, Corrections
from deid.tag_paths import parsed_path

MOST_BOXES = 400
_PATH = r"^([0-9A-F]{8}\[[1-9][0-9]{0,6}\]\.){0,32}[0-9A-F]{8}$"
Path = Annotated[str, Field(pattern=_PATH)]
Pixel = Annotated[int, Field(ge=0, le=65535)]
Extent = Annotated[int, Field(ge=1, le=65536)]


class Reason(StrEnum):
    """Why a person should look."""

    BURNED_IN = "burned-in-annotation"
    TEXT_LEFT = "text-left-in-pixels"
    FACE = "face-not-masked"
    DOCUMENT = "document-for-review"
    SAMPLED = "sampled"


class State(StrEnum):
    """How far an item is."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PixelBox(_Record):
    """A rectangle in pixels of the image."""

    left: Pixel
    top: Pixel
    width: Extent
    height: Extent


class Draft(_Record):
    """What is done otherwise with an image; ``boxes`` None: pixels as the policy has them.

    Paths are numbers alone: a private creator's name would be a value of the header. The bytes to
    which they belong are those of the item, in which blocks lie where they lay.
    """

    boxes: Annotated[tuple[PixelBox, ...], Field(max_length=MOST_BOXES)] | None = None
    redact: Annotated[tuple[Path, ...], Field(max_length=256)] = ()
    keep: Annotated[tuple[Path, ...], Field(max_length=256)] = ()

    @property
    def corrections(self) -> Corrections:
        """The same in the words of ``deid``."""
        boxes = None
        if self.boxes is not None:
            boxes = tuple(Box(one.left, one.top, one.width, one.height) for one in self.boxes)
        redacted, kept = (frozenset(map(parsed_path, part)) for part in (self.redact, self.keep))
        return Corrections(boxes, redacted, kept)


class Subject(_Record):
    """What is looked at: one image, or a whole series."""

    scope: Literal["image", "series"]
    resource: str = Field(description="Orthanc identifier of the instance or series")
    series: str
    study: str
    content: str = Field(description="SHA-256 of the original, so that a decision is on it alone")


class Opened(_Record):
    """Why and how an item is put before a person."""

    reason: Reason
    settings: str = Field(description="digest of what de-identifies")
    holds: bool = Field(description="whether nothing passes before the decision")
    draft: Draft = Draft()
    detections: tuple[PixelBox, ...] = ()


class Item(_Record):
    """One item of the queue as it is now."""

    id: int
    subject: Subject
    reason: Reason
    settings: str
    holds: bool
    state: State
    revision: int = Field(description="counts edits")
    draft: Draft
    detections: tuple[PixelBox, ...]
    opened_at: str


class Decision(_Record):
    """What one person said about an item, as it is kept for good."""

    action: Literal["accept", "edit", "reject", "take-back"]
    revision: int
    by: str
    at: str
    reason: str
    draft: Draft
