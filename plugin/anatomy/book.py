# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads and writes the anatomy of series and studies in Orthanc's metadata."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from inference.contract import AnatomyAnswer
from plugin.anatomy.agreement import Agreement, flagged_first
from plugin.anatomy.by_image import is_known, stands_for_all, with_image
from plugin.anatomy.records import (
    AnatomyOverride,
    OverrideLog,
    RecognizedAnatomy,
    StudyAnatomy,
    effective,
)
from plugin.anatomy.words import ReviewerWords
from plugin.queue_file import QueueError
from plugin.states import Metadata

LOGGER = logging.getLogger(__name__)

_Kept = TypeVar("_Kept", bound=BaseModel)
_NAMES = (Metadata.ANATOMY, Metadata.ANATOMY_OVERRIDES)
_ROUNDS = 3
"""Workers that end series of one study at once see each other's answers by the second look."""


class UnreadableAnatomyError(ValueError):
    """What is kept about a series was written by another version of Sidelight."""


class Shelf(Protocol):
    """What the book needs of Orthanc; see ``plugin.archive.Archive``."""

    def metadata(
        self, level: Literal["study", "series"], identifier: str, name: Metadata, /
    ) -> str | None:
        """One metadata value, or None."""

    def put_metadata(
        self, level: Literal["study", "series"], identifier: str, name: Metadata, value: str, /
    ) -> None:
        """Set one metadata value."""

    def delete_metadata(
        self, level: Literal["study", "series"], identifier: str, name: Metadata, /
    ) -> None:
        """Remove one metadata value, if it is there."""

    def metadata_of(
        self,
        resources: Sequence[str],
        level: Literal["series", "instance"],
        names: Sequence[Metadata],
        /,
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        """Metadata values of many resources at once."""


@dataclass(frozen=True)
class SeriesAnatomy:
    """All that is known of the anatomy of one series.

    ``changed`` says that just now other regions, or another confidence, were noted.
    """

    recognized: RecognizedAnatomy
    log: OverrideLog
    changed: bool = field(default=False, compare=False)

    @property
    def effective(self) -> AnatomyAnswer:
        """What counts."""
        return effective(self.recognized.answer, self.log.in_force)

    @property
    def review(self) -> str:
        """Why a person should look at the series; empty where no one need, or a reviewer has."""
        agreement = self.recognized.agreement
        return agreement.review if agreement and self.log.in_force is None else ""


_Found = list[tuple[dict[str, Any], SeriesAnatomy]]


@dataclass(frozen=True)
class AnatomyBook:
    """The anatomy that Orthanc keeps; ``words`` outlast there what reviewers said of a series.

    ``turn`` is held, by series, while a record in which several images have a part is changed.
    ``sum_later`` sums up the study of a whole series; without it that is done at once.
    """

    shelf: Shelf
    words: ReviewerWords | None = None
    turn: Callable[[str], AbstractContextManager[object]] = nullcontext
    sum_later: Callable[[str], None] | None = None

    def recognized(self, series: str) -> RecognizedAnatomy | None:
        """What was recognized in a series; None while nobody has looked.

        Raises:
            UnreadableAnatomyError: another version wrote it.
        """
        text = self.shelf.metadata("series", series, Metadata.ANATOMY)
        return None if text is None else _read(RecognizedAnatomy, text)

    def overrides(self, series: str) -> OverrideLog:
        """What reviewers said about a series.

        Raises:
            UnreadableAnatomyError: another version wrote it.
        """
        text = self.shelf.metadata("series", series, Metadata.ANATOMY_OVERRIDES)
        return OverrideLog() if text is None else _read(OverrideLog, text)

    def in_force(self, series: str) -> AnatomyOverride | None:
        """The reviewer's word that counts, also of a series that was sent again since.

        Raises:
            UnreadableAnatomyError: another version wrote what was said.
            QueueError: the words kept beside Orthanc can't be read.
        """
        log = self.overrides(series)
        return (log if log.overrides else self._outlasted(series) or log).in_force

    def series(self, series: str) -> SeriesAnatomy | None:
        """All that is known of a series; None while nobody has looked.

        Raises:
            UnreadableAnatomyError: another version wrote it.
        """
        recognized = self.recognized(series)
        return None if recognized is None else SeriesAnatomy(recognized, self.overrides(series))

    def many(self, resources: Sequence[str]) -> list[tuple[dict[str, Any], SeriesAnatomy]]:
        """What is known of these series, or of the series of these studies, in one question.

        What another version wrote is left out, with a line in the log.
        """
        found = self.shelf.metadata_of(resources, "series", _NAMES) if resources else []
        return [(one, anatomy) for one, held in found if (anatomy := read_both(held)) is not None]

    def note(
        self,
        series: str,
        study: str,
        answer: AnatomyAnswer,
        agreement: Agreement | None = None,
        image: str = "",
    ) -> SeriesAnatomy:
        """Keep what was recognized, and say what counts now.

        Nothing is written where it is known already. A flag for review that another image of the
        series got stays until that image is looked at again.

        Args:
            series: Orthanc identifier.
            study: its study, whose sum is kept true; empty to leave that.
            answer: by the models alone.
            agreement: how it came about.
            image: Orthanc identifier, where each image is a scan of its own and adds to the series.

        Raises:
            QueueError: the words kept beside Orthanc can't be read.
        """
        look = _Look(series, image, answer, agreement)
        with self._turn_of(look):
            known = self._readable(series)
            if known is None:
                self._put_back(series)
            record = look.follows(known)
            if record != known:
                self.shelf.put_metadata("series", series, Metadata.ANATOMY, record.as_text())
        if study:
            record = self._summed(look, study, known, record)
        log = self._said(series) if record.agreement else OverrideLog()
        now = SeriesAnatomy(record, log, changed=_says(record) != _says(known))
        self._mark(series, now, before=known)
        return now

    def override(self, series: str, study: str, said: AnatomyOverride) -> OverrideLog:
        """Keep what a reviewer says, after all that was said before.

        Raises:
            UnreadableAnatomyError: another version wrote what was said before.
        """
        log = OverrideLog(overrides=(*self.overrides(series).overrides, said))
        text = log.model_dump_json()
        self.shelf.put_metadata("series", series, Metadata.ANATOMY_OVERRIDES, text)
        self._keep_beside(series, text)
        recognized = self.recognized(series)
        if recognized is not None:
            self._mark(series, SeriesAnatomy(recognized, log), before=recognized)
        self.sum_up(study)
        return log

    def _mark(self, series: str, now: SeriesAnatomy, before: RecognizedAnatomy | None) -> None:
        """Keep apart whether a person should look: Orthanc searches by whole values."""
        if now.review:
            self.shelf.put_metadata("series", series, Metadata.FOR_REVIEW, "1")
        elif before is not None and before.agreement is not None and before.agreement.review:
            self.shelf.delete_metadata("series", series, Metadata.FOR_REVIEW)

    def _said(self, series: str) -> OverrideLog:
        try:
            return self.overrides(series)
        except UnreadableAnatomyError:
            return OverrideLog()  # a flag too many is better than one too few

    def _outlasted(self, series: str) -> OverrideLog | None:
        """What was said of a series that Orthanc has anew; None of one that was looked at since."""
        text = self.words.of(series) if self.words is not None else None
        if text is None or self.shelf.metadata("series", series, Metadata.ANATOMY) is not None:
            return None
        try:
            return _read(OverrideLog, text)
        except UnreadableAnatomyError:
            LOGGER.warning("what a reviewer said was kept by another version: not put back")
            return None

    def _put_back(self, series: str) -> None:
        log = self._outlasted(series)
        name = Metadata.ANATOMY_OVERRIDES
        if log is not None and self.shelf.metadata("series", series, name) is None:
            LOGGER.info("a series was sent again: what a reviewer said of it is put back")
            self.shelf.put_metadata("series", series, name, log.model_dump_json())
        if self.words is not None:
            self.words.tidy(self._still_there)

    def _keep_beside(self, series: str, text: str) -> None:
        if self.words is None:
            return
        try:
            self.words.keep(series, text)
        except QueueError as error:
            # Orthanc has it: what was said stands as long as the series does.
            LOGGER.error("a reviewer's word is kept in Orthanc alone: %s", error)  # noqa: TRY400

    def _still_there(self, series: list[str]) -> list[str]:
        found = self.shelf.metadata_of(series, "series", (Metadata.ANATOMY_OVERRIDES,))
        return [str(one["ID"]) for one, _ in found]

    def _readable(self, series: str) -> RecognizedAnatomy | None:
        try:
            return self.recognized(series)
        except UnreadableAnatomyError:
            LOGGER.warning("the anatomy of a series was written by another version: replaced")
            return None

    def sum_up(self, study: str) -> None:
        """Keep on a study the regions of its series, where they have changed."""
        self._summed_up(study, lambda found: found)

    def _summed(
        self, look: _Look, study: str, known: RecognizedAnatomy | None, record: RecognizedAnatomy
    ) -> RecognizedAnatomy:
        """See to the sum of the study; the record, which may have been mended on the way."""
        if self.sum_later is not None and not look.image:
            self.sum_later(study)
        elif look.may_change_sum(known, record):
            found = self._summed_up(study, partial(self._mended, look))
            there = {str(one["ID"]): anatomy.recognized for one, anatomy in found}
            return there.get(look.series, record) if look.image else record
        return record

    def _summed_up(self, study: str, mended: Callable[[_Found], _Found]) -> _Found:
        seen: str | None = None
        found: _Found = []
        for _ in range(_ROUNDS):
            found = mended(self.many([study]))
            told = ((one.recognized, one.log.in_force) for _, one in found)
            now = StudyAnatomy.of_series(told).model_dump_json()
            if now == seen or self.shelf.metadata("study", study, Metadata.ANATOMY) == now:
                break  # whoever writes something older afterwards looks again, too
            self.shelf.put_metadata("study", study, Metadata.ANATOMY, now)
            seen = now
        return found

    def _turn_of(self, look: _Look) -> AbstractContextManager[object]:
        return self.turn(look.series) if look.image else nullcontext()

    def _mended(self, look: _Look, found: _Found) -> _Found:
        """The same with the image that was looked at, and without those that are gone."""
        return [
            (one, self._mend(look, one, anatomy) if str(one["ID"]) == look.series else anatomy)
            for one, anatomy in found
        ]

    def _mend(self, look: _Look, one: Mapping[str, Any], anatomy: SeriesAnatomy) -> SeriesAnatomy:
        seen = anatomy.recognized
        if look.mended(seen, seen, one) == seen:
            return anatomy
        with self._turn_of(look):
            before = self._readable(look.series) or seen
            record = look.mended(before, seen, one)
            if record != before:
                self.shelf.put_metadata("series", look.series, Metadata.ANATOMY, record.as_text())
        return SeriesAnatomy(record, anatomy.log)


@dataclass(frozen=True)
class _Look:
    """One answer to keep; ``image`` is empty where it is of the whole series."""

    series: str
    image: str
    answer: AnatomyAnswer
    agreement: Agreement | None

    def follows(self, known: RecognizedAnatomy | None) -> RecognizedAnatomy:
        agreement = flagged_first(known.agreement if known else None, self.agreement)
        if known is None:
            return RecognizedAnatomy.first(self.answer, agreement, self.image)
        return known.followed_by(self.answer, _now(), agreement, self.image)

    def mended(
        self, known: RecognizedAnatomy, seen: RecognizedAnatomy, one: Mapping[str, Any]
    ) -> RecognizedAnatomy:
        """A record with this image, and without those that are gone.

        Args:
            known: the record as it is now.
            seen: the record as it was when Orthanc said which images the series has; an image that
                came since then is there.
            one: Orthanc's JSON of the series.
        """
        record = known if self.is_kept(known) else self.follows(known)
        if "Instances" not in one:
            return record
        came = set(known.named_images) - set(seen.named_images)
        return record.without_images_but({*one["Instances"], *came}, _now())

    def is_kept(self, known: RecognizedAnatomy) -> bool:
        return not self.image or with_image(known.images, self.image, self.answer) == known.images

    def may_change_sum(self, known: RecognizedAnatomy | None, now: RecognizedAnatomy) -> bool:
        """Whether the study is to be looked at.

        Where the series shows what it did, another one may have been deleted since. That is looked
        for once for all images of a series, and for images whose deletion would change something.
        """
        if known is None or set(known.regions) != set(now.regions) or not self.image:
            return True
        if known.is_guess != now.is_guess:
            return True
        mixed = set(now.regions) != set(self.answer.regions)
        again = is_known(known.images, self.image)
        return again and (mixed or stands_for_all(known.images, self.image))


def _says(record: RecognizedAnatomy | None) -> tuple[frozenset[str], float] | None:
    return None if record is None else (frozenset(record.regions), record.confidence)


def read_both(held: Mapping[Metadata, str]) -> SeriesAnatomy | None:
    """What a series' metadata say; None where they say nothing, or in another version's words."""
    text = held.get(Metadata.ANATOMY)
    if text is None:
        return None
    said = held.get(Metadata.ANATOMY_OVERRIDES)
    try:
        log = OverrideLog() if said is None else _read(OverrideLog, said)
        return SeriesAnatomy(_read(RecognizedAnatomy, text), log)
    except UnreadableAnatomyError:
        LOGGER.warning("the anatomy of a series was written by another version: left out")
        return None


def _read(kind: type[_Kept], text: str) -> _Kept:
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        raise UnreadableAnatomyError(
            "the anatomy kept with this series was written by another version of Sidelight: "
            "install that version again; what reviewers said is kept for it"
        ) from None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
