# SPDX-License-Identifier: AGPL-3.0-or-later
"""The source of volumes named ``orthanc``, for ``sidelight train anatomy-pixels``.

Slices are fetched, de-identified as the site's workers do it, shown to who learns from them, and
forgotten: nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar
from warnings import catch_warnings

from deid import (
    DeidentificationError,
    DeidentifiedScan,
    Deidentifier,
    KeyFileError,
)
from deid.errors import SiteVocabularyError
from inference.header_source import HeaderSourceError
from inference.volume_source import VolumeLearner, VolumeRequest, VolumesCollected
from plugin.archive import Archive, ArchiveError, ArchiveUnavailableError
from plugin.collecting.orthanc_load import OrthancLoad
from plugin.collecting.pace import OverError, Pace, QuietHours
from plugin.collecting.source import authorization, in_words, on_loopback, policy_with_words
from plugin.configuration.deidentification import DeidentificationSection
from plugin.deidentification import options_of
from plugin.gate import LearningGate
from plugin.site_key import SiteKey
from plugin.subject import of_no_patient
from plugin.worker.slices import along, spread

LOGGER = logging.getLogger(__name__)

MOST_SLICES = 64
FEWEST_SLICES = 16
_PAGE = 100
_LATER = 1_000
"""Series that may get a second look, at most."""
_UPRIGHT = 0.9
_Answer = TypeVar("_Answer")


class Shelf(Protocol):
    """What is needed of Orthanc; see ``plugin.archive.Archive``. Nothing is written to it."""

    def series_page(self, since: int, limit: int, /) -> list[dict[str, Any]]:
        """Orthanc's JSON of some series, in an order that stays."""

    def simplified_tags(self, instance: str, /) -> dict[str, Any]:
        """The tags of an instance by keyword."""

    def file(self, instance: str, /) -> bytes:
        """The DICOM file as stored."""

    def children(self, level: Literal["series"], identifier: str, /) -> list[Any]:
        """Orthanc's JSON of all instances of a series."""


@dataclass(frozen=True)
class VolumeCollector:
    """One run."""

    shelf: Shelf
    pace: Pace
    deidentifier: Deidentifier
    learner: VolumeLearner
    gate: LearningGate
    modalities: Sequence[str] = ("CT",)

    def run(self) -> str:
        """Go on until the learner has enough or all were looked at; why it ended before.

        Raises:
            SiteVocabularyError: the site's words can't be read; no series is passed by for that.
        """
        try:
            # Who judges is wanted first: what was passed over for that gets its turn at the end.
            later = self._passed_over(self._all())
            self._passed_over(later)
        except OverError as over:
            return str(over)
        except ArchiveUnavailableError as error:
            return str(error)
        return ""

    def _passed_over(self, listed: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Look at series until the learner has enough; those that may be wanted later."""
        later: list[dict[str, Any]] = []
        for series in listed:
            if self.learner.satisfied:
                return []
            if not self._look_at(series) and len(later) < _LATER:
                later.append(series)
        return later

    def _all(self) -> Iterator[dict[str, Any]]:
        since = 0
        while page := self._page(since):
            yield from page
            since += len(page)

    def _page(self, since: int) -> list[dict[str, Any]]:
        return self._ask(lambda: self.shelf.series_page(since, _PAGE))

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        self.pace.admit()
        return question()

    def _look_at(self, series: dict[str, Any]) -> bool:
        """Whether there is nothing more to be had of it."""
        tags, instances = series.get("MainDicomTags", {}), series.get("Instances", [])
        uid, modality = str(tags.get("SeriesInstanceUID", "")), str(tags.get("Modality", ""))
        if modality not in self.modalities or not uid or len(instances) < FEWEST_SLICES:
            return True
        name = self.deidentifier.uid(uid)
        if self.learner.knows(name):
            return True
        first = self._ask(lambda: self.shelf.simplified_tags(str(instances[0])))
        patient = self.deidentifier.uid(f"patient {first.get('PatientID') or uid}")
        if not self.learner.wants(patient, modality):
            return False
        try:
            fits = is_axial(first) and not of_no_patient(first)
            scans = self._scans(str(series["ID"]), first) if fits else []
        except (ArchiveUnavailableError, SiteVocabularyError):
            raise
        except (ArchiveError, DeidentificationError) as error:
            LOGGER.warning("a series gives no volume: %s", type(error).__name__)
            scans = []
        if scans:
            self.gate.take(name, patient, scans)
        else:
            self.learner.pass_by(name)
        return True

    def _scans(self, series: str, tags: dict[str, Any]) -> list[DeidentifiedScan]:
        ordered = self._ask(lambda: along(self.shelf, series))
        # Faces can be masked in a whole series only.
        whole = self.deidentifier.needs_series(str(tags.get("SOPClassUID", "")))
        files = [self._file(one) for one in (ordered if whole else spread(ordered, MOST_SLICES))]
        scans = self.deidentifier.deidentify_series(files)
        places = spread([str(number) for number in range(len(scans))], MOST_SLICES)
        return [scans[int(place)] for place in places]

    def _file(self, instance: str) -> bytes:
        return self._ask(lambda: self.shelf.file(instance))


def collect_volumes(request: VolumeRequest, learner: VolumeLearner) -> VolumesCollected:
    """Show the learner volumes of an Orthanc on this machine.

    Raises:
        HeaderSourceError: Orthanc or the key can't be used.
    """
    archive = Archive(on_loopback(request.url), authorization(request.user))
    try:
        key = SiteKey.of(request.key_file, Path(request.key_file).parent).existing()
        section = DeidentificationSection()
        hours = QuietHours(request.from_hour, request.until_hour)
        collector = VolumeCollector(
            shelf=archive,
            pace=Pace(hours, request.queries, OrthancLoad(archive)),
            deidentifier=Deidentifier(
                key, options=options_of(section), policy=policy_with_words(section, request)
            ),
            learner=learner,
            gate=LearningGate(learner),
            modalities=request.modalities,
        )
        with catch_warnings(action="ignore"):  # those of DICOM libraries quote values
            reason = collector.run()
    except (ArchiveError, DeidentificationError, KeyFileError, OSError) as error:
        raise HeaderSourceError(in_words(error)) from None
    return VolumesCollected(finished=not reason, reason=reason)


def is_axial(tags: dict[str, Any]) -> bool:
    """Whether an instance is one axial slice, and no localizer (PS3.3 C.8.2.1.1.1)."""
    if "LOCALIZER" in str(tags.get("ImageType", "")).upper() or tags.get("NumberOfFrames"):
        return False
    try:
        directions = [float(n) for n in str(tags["ImageOrientationPatient"]).split("\\")]
        return abs(directions[0]) >= _UPRIGHT and abs(directions[4]) >= _UPRIGHT
    except (KeyError, ValueError, IndexError):
        return False
