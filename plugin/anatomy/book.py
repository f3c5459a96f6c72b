# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads and writes the anatomy of series and studies in Orthanc's metadata."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from inference.contract import AnatomyAnswer
from plugin.anatomy.agreement import Agreement
from plugin.anatomy.records import (
    AnatomyOverride,
    OverrideLog,
    RecognizedAnatomy,
    StudyAnatomy,
    effective,
)
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


@dataclass(frozen=True)
class AnatomyBook:
    """The anatomy that Orthanc keeps."""

    shelf: Shelf

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
    ) -> SeriesAnatomy:
        """Keep what was recognized, and say what counts now.

        Nothing is written where it is known already. A flag for review that another image of the
        series got stays until that image is looked at again.
        """
        try:
            known = self.recognized(series)
        except UnreadableAnatomyError:
            LOGGER.warning("the anatomy of a series was written by another version: replaced")
            known = None
        agreement = _flagged_first(known, agreement)
        if known is None:
            record = RecognizedAnatomy(**dict(answer), agreement=agreement)
        else:
            record = known.followed_by(answer, _now(), agreement)
        if record != known:
            self.shelf.put_metadata("series", series, Metadata.ANATOMY, record.as_text())
        if study and (known is None or set(known.regions) != set(answer.regions)):
            self.sum_up(study)
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

    def sum_up(self, study: str) -> None:
        """Keep on a study the regions of its series, where they have changed."""
        seen: str | None = None
        for _ in range(_ROUNDS):
            answers = [anatomy.effective for _, anatomy in self.many([study])]
            now = StudyAnatomy.of(answers).model_dump_json()
            if now == seen:
                return
            if self.shelf.metadata("study", study, Metadata.ANATOMY) == now:
                return  # whoever writes something older afterwards looks again, too
            self.shelf.put_metadata("study", study, Metadata.ANATOMY, now)
            seen = now


def _says(record: RecognizedAnatomy | None) -> tuple[frozenset[str], float] | None:
    return None if record is None else (frozenset(record.regions), record.confidence)


def _flagged_first(
    known: RecognizedAnatomy | None, agreement: Agreement | None
) -> Agreement | None:
    """The agreement to keep; None where the tags alone were heard."""
    before = known.agreement if known else None
    now = None if agreement is None or agreement.of_tags_alone else agreement
    resource = agreement.resource if agreement else ""
    if before is None or not before.review or (now and now.review):
        return now
    return now if before.resource == resource else before


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
            "the anatomy kept with this series was written by another version of Sidelight; "
            "delete metadata 5401 and 5414 of the series and analyse its study again"
        ) from None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
