# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a review says, as readers send it and as it is kept beside the image.

All reviews of an image stand in one attachment of the instance, in the order in which they were
made; a review is never changed or taken away, a later one may overrule it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from plugin.states import StoredObject

Verdict = Literal["too-high", "too-low", "as-model"]
Presence = Literal["present", "absent", "as-model"]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=64)]
Cell = tuple[Annotated[int, Field(ge=0, le=4095)], Annotated[int, Field(ge=0, le=4095)]]

MOST_CELLS = 4096


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PatchMark(_Record):
    """Patches of one finding's map that the reader judges.

    A patch that is ``too-high`` gets probability 0 in the corrected version and one that is
    ``too-low`` gets 1: the reader's word, unless ``probability`` says otherwise. ``as-model`` takes
    an earlier mark of the same level back.
    """

    finding: Key
    level: int = Field(gt=0, le=4096, description="grid size of the map that was marked")
    cells: tuple[Cell, ...] = Field(min_length=1, max_length=MOST_CELLS, description="row, column")
    verdict: Verdict
    probability: Annotated[float, Field(ge=0.0, le=1.0)] | None = None

    @property
    def value(self) -> float | None:
        """Probability of the corrected patches; None gives the model's own back."""
        if self.verdict == "as-model":
            return None
        if self.probability is not None:
            return self.probability
        return 0.0 if self.verdict == "too-high" else 1.0


class ClassVerdict(_Record):
    """Whether a finding is there, in the reader's judgement."""

    finding: Key
    verdict: Presence


class ReviewRequest(_Record):
    """The body of a request to review one image."""

    user: str = Field(default="", max_length=64, description="the reader, where Orthanc can't say")
    reason: str = Field(default="", max_length=400)
    comment: str = Field(default="", max_length=2000)
    marks: tuple[PatchMark, ...] = Field(default=(), max_length=100)
    verdicts: tuple[ClassVerdict, ...] = Field(default=(), max_length=200)
    complete: bool = Field(
        default=False, description="findings without a verdict are as the model says"
    )
    based_on: int | None = Field(
        default=None, ge=0, description="number of the review that the reader saw last; 0 for none"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.marks or self.verdicts or self.complete or self.comment.strip()):
            raise ValueError("a review needs marks, verdicts, a comment, or complete = true")
        named = [verdict.finding for verdict in self.verdicts]
        if len(set(named)) != len(named):
            raise ValueError("verdicts: one per finding")
        if self.changes and not self.reason.strip():
            raise ValueError("reason: say why the model is wrong")
        return self

    @property
    def changes(self) -> bool:
        """Whether something is corrected, so that a corrected version is made."""
        return bool(self.marks or self.verdicts)


class Review(_Record):
    """One review as it is kept."""

    number: int = Field(ge=1)
    made_at: str = Field(description="UTC, ISO 8601")
    account: str = Field(default="", description="as authenticated by Orthanc or its proxy")
    user: str = Field(default="", description="as named in the request")
    reason: str = ""
    comment: str = ""
    marks: tuple[PatchMark, ...] = ()
    verdicts: tuple[ClassVerdict, ...] = ()
    complete: bool = False
    model: str
    model_version: str
    findings_digest: str = Field(description="SHA-256 of the findings that were reviewed")
    objects: tuple[StoredObject, ...] = Field(default=(), description="the corrected version")
    quarantined: dict[str, str] = Field(default_factory=dict)

    @property
    def reader(self) -> str:
        """Who made it, in words."""
        return self.user or self.account

    @property
    def changes(self) -> bool:
        """Whether something is corrected."""
        return bool(self.marks or self.verdicts)


class ReviewLog(_Record):
    """All reviews of one image."""

    format: Literal[1] = 1
    reviews: tuple[Review, ...] = ()

    def of(self, findings_digest: str, until: int | None = None) -> tuple[Review, ...]:
        """Reviews of one answer of a model: a later analysis is not reviewed by earlier ones.

        Args:
            findings_digest: of the answer.
            until: number of the last review to take.
        """
        return tuple(
            review
            for review in self.reviews
            if review.findings_digest == findings_digest
            and (until is None or review.number <= until)
        )


def class_verdicts(reviews: tuple[Review, ...]) -> dict[str, bool]:
    """By finding, whether the readers' latest word is present (true) or absent."""
    said: dict[str, Presence] = {}
    for review in reviews:
        said.update({verdict.finding: verdict.verdict for verdict in review.verdicts})
    return {key: word == "present" for key, word in said.items() if word != "as-model"}
