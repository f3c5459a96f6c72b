# SPDX-License-Identifier: AGPL-3.0-or-later
"""Goes through the series of an archive and keeps one de-identified, labelled header of each."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from pydantic import ValidationError
from pydicom.dataset import Dataset

from deid import DeidentificationError, DeidentifiedScan, Deidentifier
from deid.errors import SiteVocabularyError
from inference.contract import PixelAnatomyAnswer, RegionName
from plugin.anatomy.lessons import (
    MODEL,
    PATIENT,
    REVIEWER,
    SOURCE,
    STATION,
    WEIGHT,
    corrected,
    names_patient_as_now,
    patient_of,
    row_of,
)
from plugin.anatomy.records import OverrideLog
from plugin.archive import ArchiveError, ArchiveUnavailableError
from plugin.collecting.answering import Answering
from plugin.collecting.labelling import in_doubt, label_of
from plugin.collecting.notebook import Notebook
from plugin.collecting.pace import OverError, Pace
from plugin.collecting.plain_header import header_of, is_untold
from plugin.collecting.quota import Quota
from plugin.gate import AnatomyGate, InferenceRefusedError, InferenceUnavailableError
from plugin.standardization.incoming import as_it_came, changed_on_arrival
from plugin.states import Metadata
from plugin.subject import of_no_patient
from plugin.worker.header_files import UnreadableScanError, header_in
from plugin.worker.slices import MOST, along, spread

LOGGER = logging.getLogger(__name__)

_PAGE = 100
_IMAGES = frozenset(("CR", "CT", "DX", "MG", "MR", "NM", "PT", "RF", "US", "XA"))
_NO_ROW = (ArchiveError, DeidentificationError, InferenceRefusedError, UnreadableScanError)
_Answer = TypeVar("_Answer")


class Shelf(Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``. Nothing is written to it."""

    def series_page(self, since: int, limit: int, /) -> list[dict[str, Any]]:
        """Orthanc's JSON of some series, in an order that stays."""

    def simplified_tags(self, instance: str, /) -> dict[str, Any]:
        """The tags of an instance by keyword."""

    def short_tags(self, instance: str, /) -> dict[str, Any]:
        """The tags of an instance by number, private ones too."""

    def file(self, instance: str, /) -> bytes:
        """The DICOM file as stored."""

    def children(self, level: Literal["series"], identifier: str, /) -> list[Any]:
        """Orthanc's JSON of all instances of a series."""

    def metadata_of(
        self, resources: Sequence[str], level: Literal["series"], names: Sequence[Metadata], /
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        """Metadata values of many resources at once."""


@dataclass(frozen=True)
class Collector:
    """One run.

    Args:
        deidentifier: for files with pixels, as the site's workers have it.
        header_deidentifier: for headers alone.
        doubt_below: confidence of the tags below which the pixel model is asked.
        pixel_teacher: False: it is never asked, and no pixel is fetched.
        quota: how many series are looked at.
        answering: the models that answer now, as far as they are known.
    """

    shelf: Shelf
    pace: Pace
    deidentifier: Deidentifier
    header_deidentifier: Deidentifier
    gate: AnatomyGate
    notebook: Notebook
    doubt_below: float = 0.8
    pixel_teacher: bool = False
    quota: Quota = field(default_factory=Quota)
    answering: Answering = field(default_factory=Answering)

    def run(self) -> str:
        """Go on until all series were looked at; why it ended before that, or nothing.

        Raises:
            NotebookError: rows can't be kept.
            SiteVocabularyError: the site's words can't be read; no series is settled by that.
        """
        self.notebook.answered_by(self.answering.now)
        try:
            for page in self._pages():
                said = self._reviewed(page)
                for series in page:
                    self._look_at(series, said.get(str(series["ID"])))
        except OverError as over:
            return str(over)
        except (ArchiveUnavailableError, InferenceUnavailableError) as error:
            return str(error)
        return ""

    def _pages(self) -> Iterator[list[dict[str, Any]]]:
        """Pages of the listing; each is noted as done when the next is asked for."""
        position = self.notebook.position
        while page := self._page(position):
            yield page
            position += len(page)
            self.notebook.reached(position)
        # Series that came meanwhile may have pushed others back: the next run looks again.
        self.notebook.reached(0)

    def _page(self, since: int) -> list[dict[str, Any]]:
        return self._ask(lambda: self.shelf.series_page(since, _PAGE))

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        self.pace.admit()
        return question()

    def _reviewed(self, page: Sequence[dict[str, Any]]) -> dict[str, tuple[RegionName, ...]]:
        """What reviewers said, by Orthanc's identifier."""
        listed = [str(series["ID"]) for series in page]
        names = (Metadata.ANATOMY_OVERRIDES,)
        held = self._ask(lambda: self.shelf.metadata_of(listed, "series", names))
        found: dict[str, tuple[RegionName, ...]] = {}
        for one, values in held:
            text = values.get(Metadata.ANATOMY_OVERRIDES)
            regions = _in_force(text) if text else None
            if regions:
                found[str(one["ID"])] = regions
        return found

    def _look_at(self, series: dict[str, Any], reviewed: tuple[RegionName, ...] | None) -> None:
        tags, instances = series.get("MainDicomTags", {}), series.get("Instances", [])
        uid = str(tags.get("SeriesInstanceUID", ""))
        if tags.get("Modality") not in _IMAGES or not uid or not instances:
            return
        pseudonym = self.deidentifier.uid(uid)
        if self._is_settled(self.notebook.row(pseudonym), reviewed):
            return
        self.quota.take()
        try:
            row = self._row(str(series["ID"]), [str(one) for one in instances], reviewed)
        except (ArchiveUnavailableError, SiteVocabularyError):
            raise
        except _NO_ROW as error:
            LOGGER.warning("a series gives no row: %s", type(error).__name__)
            row = {}
        self.notebook.keep(pseudonym, row)

    def _is_settled(
        self, kept: Mapping[str, str] | None, reviewed: tuple[RegionName, ...] | None
    ) -> bool:
        """Whether a series was looked at, and reviewers say now what they said then.

        Where none spoke, the model that labelled it has to be one that answers still. A row that
        names its patient as earlier releases did is made again.
        """
        if kept is None or not names_patient_as_now(kept):
            return False
        if reviewed is not None:
            return kept.items() >= corrected(reviewed).items()
        if kept.get(SOURCE) == REVIEWER:
            return False
        return self.answering.stands_by(kept, pixels_are_asked=self.pixel_teacher)

    def _hear(self, model: str) -> None:
        """Remember which model answers, for who takes rows from the notebook."""
        if self.answering.hear(model):
            self.notebook.answered_by(self.answering.now)

    def _row(
        self, series: str, instances: list[str], reviewed: tuple[RegionName, ...] | None
    ) -> dict[str, str]:
        """A row of the table, of de-identified values alone."""
        tags = self._ask(lambda: self.shelf.simplified_tags(instances[0]))
        if of_no_patient(tags):
            return {}
        stored = header_of(tags)
        if changed_on_arrival(stored) is not None:
            # Which attributes were not there before is said by a private one, which has no keyword.
            stored = self._numbered(instances[0])
        # Standard headers at arrival are our own answer; nothing is to be learned from that.
        original = as_it_came(stored) or stored
        passed = self.header_deidentifier.deidentify_header(original)
        answer = self.gate.recognize_anatomy(passed)
        self._hear(answer.model)
        doubtful = in_doubt(answer, self.doubt_below)
        pixels = None
        if doubtful and reviewed is None and self.pixel_teacher:
            pixels = self._taught(series, instances, passed)
        label = label_of(answer, pixels, reviewed, doubtful)
        row = row_of(passed.dataset, label.regions)
        row[STATION] = self._group("station", original.get("StationName"), original)
        row[PATIENT] = patient_of(passed.dataset)
        if label.source:
            row |= {SOURCE: label.source, WEIGHT: str(label.weight)}
        return row | ({MODEL: label.model} if label.model else {})

    def _numbered(self, instance: str) -> Dataset:
        """The header with Sidelight's private attributes."""
        tags = self._ask(lambda: self.shelf.short_tags(instance))
        if not is_untold(tags):
            return header_of(tags)
        # Of implicit VR Orthanc tells no private value; the file has it.
        return header_in(self._ask(lambda: self.shelf.file(instance)))

    def _taught(
        self, series: str, instances: list[str], passed: DeidentifiedScan
    ) -> PixelAnatomyAnswer | None:
        """What the pixel model says: of one image, and of more of the series if it asks for them.

        None where the pixels may not pass the gate, or inference has no pixel model.
        """
        whole = self.deidentifier.needs_series(passed.sop_class_uid)
        try:
            first = None if whole else self._pass([instances[0]])
            seen = None if first is None else self.gate.recognize_pixels(first)
            if len(instances) > 1 and (seen is None or seen.wants_more):
                ordered = self._ask(lambda: along(self.shelf, series))
                # Faces can be masked in a whole series only.
                scans = self._pass(ordered if whole else spread(ordered, MOST))
                seen = self.gate.recognize_pixels(_spread(scans))
        except SiteVocabularyError:
            raise
        except (DeidentificationError, InferenceRefusedError):
            return None
        if seen is not None:
            self._hear(seen.model)
        return seen

    def _pass(self, instances: Sequence[str]) -> list[DeidentifiedScan]:
        def file(instance: str) -> bytes:
            return self._ask(lambda: self.shelf.file(instance))

        return self.deidentifier.deidentify_series([file(one) for one in instances])

    def _group(self, kind: str, name: Any, original: Any) -> str:
        """A pseudonym of a station or patient, by the site's key; it can't be turned back."""
        model = "" if original is None else str(original.get("ManufacturerModelName") or "")
        text = f"{kind} {name or ''} {model}"
        return hashlib.sha256(self.deidentifier.uid(text).encode()).hexdigest()[:12]


def _spread(scans: Sequence[DeidentifiedScan]) -> list[DeidentifiedScan]:
    places = spread([str(number) for number in range(len(scans))], MOST)
    return [scans[int(place)] for place in places]


def _in_force(text: str) -> tuple[RegionName, ...] | None:
    try:
        said = OverrideLog.model_validate_json(text).in_force
    except ValidationError:
        return None  # written by another version: as if nobody had said anything
    return said.regions if said else None
