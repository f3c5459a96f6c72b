# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the header of an arriving instance should say, before Orthanc stores it.

Somebody waits for the answer, so it is remembered: images whose headers say the same of anatomy are
asked about once, whosever they are. All slices of a volume get what was settled for the first of
them, also where that was nothing. So does the Study Description of all images of one modality that
came to a study with the same one: who says something else is not overruled. A series of which a
reviewer says that it shows something else is left as it comes.
"""

from __future__ import annotations

import hashlib
import io
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pydicom
from pydicom.dataset import Dataset

from deid import DeidentificationError, DeidentifiedScan, Deidentifier
from inference.contract import AnatomyAnswer, frames_read
from plugin.anatomy.lessons import CODES, NESTED, PER_FRAME, SPECIMENS, TEXTS
from plugin.configuration.standard_entries import StandardTable
from plugin.configuration.standardization import StandardizationSection
from plugin.gate import AnatomyGate, InferenceRefusedError, InferenceUnavailableError
from plugin.queue import QueueError
from plugin.results import is_own_object
from plugin.results.discretion import values_unquoted
from plugin.results.header import items, text
from plugin.standardization.entries import (
    claims_no_side,
    contradicting,
    spelled,
    standard_header,
    sure_enough,
    tells_the_study,
)
from plugin.standardization.original_attributes import Reason
from plugin.standardization.settled import (
    FAILURE_KEPT_SECONDS,
    KEPT_SECONDS,
    Entries,
    SettledHeaders,
)
from plugin.subject import of_no_patient
from plugin.worker.no_image import holds_no_image
from plugin.worker.sop_classes import is_volume

LOGGER = logging.getLogger(__name__)

REMEMBERED = 4096
REST_SECONDS = 10.0
"""So long inference is not asked again after it did not answer: a sender waits each time."""
_STUDY = "StudyDescription"
_TOLD = (*TEXTS, *CODES, *NESTED, "InstitutionName")
_OF_SPECIMENS = ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence")


@dataclass(frozen=True)
class Wanted:
    """What a header should say.

    ``part`` is what Body Part Examined means, spelled as the standard has it; ``others`` are the
    attributes that name other regions than the scan shows. ``why`` says in words, without PHI, why
    an instance is left as it came.
    """

    entries: Entries = field(default_factory=dict)
    part: str = ""
    others: frozenset[str] = frozenset()
    source: str = ""
    why: str = ""

    @property
    def reason(self) -> Reason:
        """Whether something wrong is replaced, or the same said in other words."""
        replaced = self.entries.get("BodyPartExamined", self.part) != self.part
        wrong = bool(self.part) and replaced
        return "CORRECT" if wrong or self.others & set(self.entries) else "COERCE"

    def changes(self, present: Mapping[str, str]) -> dict[str, str | None]:
        """Which entries a header lacks.

        Args:
            present: by keyword what the header has of them; what is missing in it is absent there.
        """
        return {
            keyword: value
            for keyword, value in self.entries.items()
            # Only what is empty goes: a later slice may say what the first one left out.
            if (present.get(keyword) == "" if value is None else present.get(keyword) != value)
        }


class ArrivingHeaders:
    """Decides for one instance after the other; not for several threads.

    Args:
        gate: to who recognizes anatomy; must answer soon.
        section: from which confidence on, and which attributes.
        table: of rules and spellings.
        settled: what was decided for series and studies.
        originals: whether the stored headers are originals; else they are de-identified, and
            nothing of an original's may decide what they say.
    """

    def __init__(
        self,
        gate: AnatomyGate,
        section: StandardizationSection,
        table: StandardTable,
        settled: SettledHeaders,
        *,
        originals: bool,
    ) -> None:
        self._gate, self._section, self._table = gate, section, table
        self._settled, self._originals = settled, originals
        self._known: OrderedDict[bytes, Wanted] = OrderedDict()
        self._decisions: OrderedDict[bytes, Wanted] = OrderedDict()
        self._rests_until = 0.0
        self._turn = settled.turn()

    def wanted(self, received: bytes, deidentifier: Deidentifier) -> Wanted:
        """What the header of a received file should say; never an error.

        Args:
            received: a PS3.10 file with identity.
            deidentifier: of headers alone.
        """
        try:
            with values_unquoted():
                return self._wanted(received, deidentifier)
        except (DeidentificationError, QueueError) as error:
            return _left(f"{type(error).__name__}")
        except Exception as error:  # noqa: BLE001
            # pydicom raises whatever a broken file provokes, and its messages can quote the file.
            return _left(f"the header can't be read ({type(error).__name__})")

    def _wanted(self, received: bytes, deidentifier: Deidentifier) -> Wanted:
        header = pydicom.dcmread(io.BytesIO(received), stop_before_pixels=True)
        if holds_no_image(header) or is_own_object(header) or of_no_patient(header):
            return Wanted()
        if (turn := self._settled.turn()) != self._turn:
            self._turn = turn
            self._known.clear()
        key = _key(header)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        wanted = Wanted()
        if not self._settled.left_alone(deidentifier.uid(text(header, "SeriesInstanceUID"))):
            decided = self._decided(header, received, deidentifier)
            wanted = self._agreed(decided, header, deidentifier)
        if not wanted.why:
            _remember(self._known, key, wanted)
        return wanted

    def _decided(self, header: Dataset, received: bytes, deidentifier: Deidentifier) -> Wanted:
        """For this one image."""
        content = _content(header)
        if content in self._decisions:
            self._decisions.move_to_end(content)
            return self._decisions[content]
        try:
            self._require_rested()
            scan = deidentifier.deidentify_header(received)
            anatomy = sure_enough(self._asked(scan), self._section.minimum_confidence)
        except (InferenceRefusedError, InferenceUnavailableError) as error:
            part = self._part(header) if self._originals else ""
            return Wanted(part=part, why=f"anatomy is not known: {error}")
        wanted = self._named(header if self._originals else scan.dataset, anatomy)
        _remember(self._decisions, content, wanted)
        return wanted

    def _named(self, stored: Dataset, anatomy: AnatomyAnswer | None) -> Wanted:
        table = self._table
        standard = standard_header(stored, anatomy, table)
        named: dict[str, str | None] = {}
        if standard is not None:
            named = {one.keyword: one.standard for one in standard.entries}
            if anatomy and standard.rule and not tells_the_study(stored, anatomy, standard, table):
                named.pop(_STUDY, None)
                named |= {
                    key: said for key, said in spelled(stored, table).items() if key == _STUDY
                }
        allowed: set[str] = set(self._section.arrival_attributes)
        entries = {keyword: said for keyword, said in named.items() if keyword in allowed}
        if "BodyPartExamined" in entries and claims_no_side(stored, anatomy):
            entries["Laterality"] = None
        source = text(stored, "InstitutionName")
        return Wanted(entries, self._part(stored), contradicting(anatomy), source)

    def _require_rested(self) -> None:
        if time.monotonic() < self._rests_until:
            raise InferenceUnavailableError("inference did not answer a moment ago")

    def _asked(self, scan: DeidentifiedScan) -> AnatomyAnswer:
        try:
            return self._gate.recognize_anatomy(scan)
        except InferenceUnavailableError:
            self._rests_until = time.monotonic() + REST_SECONDS
            raise

    def _part(self, header: Dataset) -> str:
        """What Body Part Examined means, whatever its spelling; empty where it says nothing."""
        said = text(header, "BodyPartExamined")
        return said and spelled(header, self._table).get("BodyPartExamined", said.upper())

    def _agreed(self, wanted: Wanted, header: Dataset, deidentifier: Deidentifier) -> Wanted:
        """The same, or what was settled for its series and study."""
        of_study = {key: value for key, value in wanted.entries.items() if key == _STUDY}
        of_series: Entries = {key: value for key, value in wanted.entries.items() if key != _STUDY}
        seconds = FAILURE_KEPT_SECONDS if wanted.why else KEPT_SECONDS
        if is_volume(text(header, "SOPClassUID")):
            series = deidentifier.uid(text(header, "SeriesInstanceUID"))
            of_series = self._settled.settle("series", series, of_series, seconds)
        if _STUDY in self._section.arrival_attributes:
            study = _called_so(deidentifier.uid(text(header, "StudyInstanceUID")), header)
            settled = self._settled.settle("study", study, of_study, seconds)
            of_series = {**of_series, **settled}
        return replace(wanted, entries=of_series)


def _key(header: Dataset) -> bytes:
    """Equal for images of one series of which the same is wanted."""
    volume = is_volume(text(header, "SOPClassUID"))
    told = ("BodyPartExamined", "SeriesDescription", _STUDY) if volume else _TOLD
    return _digest(header, ("StudyInstanceUID", "SeriesInstanceUID", *told))


def _content(header: Dataset) -> bytes:
    """Equal for images whose headers say the same of anatomy."""
    return _digest(header, _TOLD)


def _called_so(study: str, header: Dataset) -> str:
    """A study, by pseudonymous UID, with what an image of it says: its words are not kept."""
    digest = _digest(header, ("Modality", _STUDY), salt=study)
    return f"{study} {digest.hex()}"


def _digest(header: Dataset, keywords: Iterable[str], salt: str = "") -> bytes:
    digest = hashlib.blake2b(salt.encode("utf-8", "replace"), digest_size=16)
    for keyword in keywords:
        digest.update(f"{keyword}={_said(header, keyword)}\0".encode("utf-8", "replace"))
    return digest.digest()


def _said(header: Dataset, keyword: str) -> str:
    """What a header says; of frames and specimens only their anatomy, since much else is in them.

    Frames are those that inference reads: all of thousands would keep the sender waiting.
    """
    if keyword == PER_FRAME:
        groups = items(header, keyword)
        read = [groups[at] for at in frames_read(len(groups))]
        return "".join(text(group, "FrameAnatomySequence") for group in read)
    if keyword == SPECIMENS:
        specimens = items(header, keyword)
        return "".join(text(one, said) for one in specimens for said in _OF_SPECIMENS)
    return text(header, keyword)


def _remember(known: OrderedDict[bytes, Wanted], key: bytes, wanted: Wanted) -> None:
    known[key] = wanted
    while len(known) > REMEMBERED:
        known.popitem(last=False)


def _left(why: str) -> Wanted:
    return Wanted(why=why)
