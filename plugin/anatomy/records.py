# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept about the anatomy of a series, and how a reviewer's word counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.contract import AnatomyAnswer, AnatomyVote, Probability, RegionName
from plugin.anatomy.agreement import Agreement
from plugin.anatomy.by_image import Images, is_known, still_there, united, with_image
from plugin.anatomy.regions import WHOLE_BODY, body_part_of, codes_of, in_table_order

MOST_EARLIER = 20
"""So many earlier answers are kept; a series that changes more often says nothing new."""
GUESS_BELOW = 0.5
FLAGGED_GUESS_BELOW = 0.8
"""Confidences below which an answer is a guess: of any, and of one that a person should look at."""
_NO_ANATOMY = frozenset(("DOC", "HC", "KO", "OT", "PR", "SC", "SR"))
"""Modalities (PS3.3 C.7.3.1.1.1) of pictures and documents about scans, which are none."""
REVIEWER = "reviewer"
"""Attribute of the vote that stands for a reviewer."""


class _Record(BaseModel):
    # What a newer version keeps beside what is known here is left out, not an error: an older one
    # may have to read it.
    model_config = ConfigDict(frozen=True, extra="ignore")


class EarlierAnatomy(_Record):
    """Regions that were recognized once."""

    regions: tuple[RegionName, ...]
    confidence: Probability
    until: str = Field(description="when another answer took their place; UTC, ISO 8601")
    model: str = Field(default="", description="name and version of the model that said so")


class RecognizedAnatomy(AnatomyAnswer):
    """What is recognized now, and what was before.

    Of a series whose images are scans of their own, ``images`` says what each shows, and the rest
    is their union.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    history: tuple[EarlierAnatomy, ...] = ()
    agreement: Agreement | None = Field(
        default=None, description="None: nothing but the tags was heard, and no rule acted"
    )
    images: Images = ()

    @property
    def answer(self) -> AnatomyAnswer:
        """The answer alone."""
        return AnatomyAnswer(**{name: getattr(self, name) for name in AnatomyAnswer.model_fields})

    @classmethod
    def first(
        cls, answer: AnatomyAnswer, agreement: Agreement | None = None, image: str = ""
    ) -> RecognizedAnatomy:
        """The record of a series that nobody has looked at before."""
        images = with_image((), image, answer) if image else ()
        return cls(**dict(answer), agreement=agreement, images=images)

    def followed_by(
        self, answer: AnatomyAnswer, now: str, agreement: Agreement | None = None, image: str = ""
    ) -> RecognizedAnatomy:
        """The record after a new answer.

        Only other regions make history: in one series, views and confidences differ from image to
        image. Nor does an image that was not looked at before, where it only adds to the others.

        Args:
            answer: of the series, or of one image of it.
            now: UTC, ISO 8601.
            agreement: how it came about.
            image: Orthanc identifier, where each image is a scan of its own.
        """
        images = with_image(self.images, image, answer) if image else ()
        whole = united(answer, images)
        added = bool(image) and not is_known(self.images, image)
        grown = added and set(whole.regions) >= set(self.regions)
        history = self.history if grown else self._history_before(whole, now)
        return RecognizedAnatomy(**dict(whole), history=history, agreement=agreement, images=images)

    @property
    def is_guess(self) -> bool:
        """Whether it is so unsure that other series of its study may count before it."""
        flagged = self.agreement is not None and bool(self.agreement.review)
        return self.confidence < (FLAGGED_GUESS_BELOW if flagged else GUESS_BELOW)

    @property
    def named_images(self) -> tuple[str, ...]:
        """First digits of the Orthanc identifiers of all images that are told apart."""
        return tuple(name for one in self.images for name in one.images)

    def without_images_but(self, instances: Collection[str], now: str) -> RecognizedAnatomy:
        """The record of the images that are still there; the same where none is gone.

        Args:
            instances: Orthanc identifiers of all that the series has, or their first digits.
            now: for the history.
        """
        images = still_there(self.images, instances)
        if not images or images == self.images:
            return self
        whole = united(self.answer, images)
        history = self._history_before(whole, now)
        return RecognizedAnatomy(
            **dict(whole), history=history, agreement=self.agreement, images=images
        )

    def _history_before(self, answer: AnatomyAnswer, now: str) -> tuple[EarlierAnatomy, ...]:
        if set(answer.regions) == set(self.regions):
            return self.history
        earlier = EarlierAnatomy(
            regions=self.regions, confidence=self.confidence, until=now, model=self.model
        )
        return (*self.history, earlier)[-MOST_EARLIER:]

    def as_text(self) -> str:
        """JSON; without history, agreement and images exactly that of the answer."""
        optional = ("history", "agreement", "images")
        empty = {name for name in optional if not getattr(self, name)}
        return self.model_dump_json(exclude=empty)


class AnatomyOverride(_Record):
    """What a reviewer said; ``regions`` is None where an earlier override was withdrawn."""

    regions: tuple[RegionName, ...] | None
    view: str | None = None
    laterality: Literal["L", "R", "B", "U"] | None = None
    by: str
    account: str = Field(
        default="", description="whom Orthanc authenticated; several readers may share one"
    )
    reason: str
    at: str = Field(description="UTC, ISO 8601")


class OverrideLog(_Record):
    """Everything that reviewers said about a series, the first word first."""

    overrides: tuple[AnatomyOverride, ...] = ()

    @property
    def in_force(self) -> AnatomyOverride | None:
        """The last override, unless it withdrew the one before."""
        last = self.overrides[-1] if self.overrides else None
        return last if last is not None and last.regions is not None else None


class StudyAnatomy(_Record):
    """The regions that the series of a study show."""

    regions: tuple[RegionName, ...]
    by_modality: dict[str, tuple[RegionName, ...]]

    @classmethod
    def of_series(
        cls, series: Iterable[tuple[RecognizedAnatomy, AnatomyOverride | None]]
    ) -> StudyAnatomy:
        """Sum up all series of a study, but for guesses that are worth nothing beside a sure one.

        Those are of what shows no anatomy of its own, such as a screen capture, and "whole body",
        which would stand for all. What a sure series shows, too, stays.

        Args:
            series: what was recognized in each, and the reviewer's word that is in force.
        """
        told = [(effective(known, said), said is None and known.is_guess) for known, said in series]
        sure = {region for answer, guessed in told if not guessed for region in answer.regions}
        return cls.of([_beside(answer, sure) if guessed else answer for answer, guessed in told])

    @classmethod
    def of(cls, answers: list[AnatomyAnswer]) -> StudyAnatomy:
        """Sum up answers, whoever gave them."""
        found: dict[str, list[RegionName]] = {}
        for answer in answers:
            found.setdefault(answer.modality, []).extend(answer.regions)
        by_modality = {key: in_table_order(found[key]) for key in sorted(found)}
        every = [region for regions in by_modality.values() for region in regions]
        return cls(regions=in_table_order(every), by_modality=by_modality)


def _beside(guess: AnatomyAnswer, sure: Collection[RegionName]) -> AnatomyAnswer:
    """What counts of a guess where other series surely show these regions; all, where none does."""
    is_worth_it = guess.modality not in _NO_ANATOMY and WHOLE_BODY not in guess.regions
    if is_worth_it or not sure:
        return guess
    shared = tuple(region for region in guess.regions if region in sure)
    return guess.model_copy(update={"regions": shared})


def effective(answer: AnatomyAnswer, override: AnatomyOverride | None) -> AnatomyAnswer:
    """The anatomy that counts: a reviewer's word before any model's.

    View and laterality stay as recognized where the reviewer named none.
    """
    if override is None or override.regions is None:
        return answer
    regions = in_table_order(override.regions)
    vote = AnatomyVote(attribute=REVIEWER, regions=regions, weight=1.0)
    return AnatomyAnswer(
        modality=answer.modality,
        regions=regions,
        codes=codes_of(regions),
        body_part_examined=body_part_of(regions),
        view=override.view or answer.view,
        laterality=override.laterality or answer.laterality,
        confidence=1.0,
        votes=(vote, *answer.votes),
    )
