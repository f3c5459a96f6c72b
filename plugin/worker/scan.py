# SPDX-License-Identifier: AGPL-3.0-or-later
"""One scan on its way through the pipeline, from bytes to a matched model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset

from deid import (
    BurnedInAnnotationError,
    DeidentificationError,
    DeidentifiedScan,
    Deidentifier,
    DocumentError,
    DocumentForReviewError,
    FaceMaskError,
)
from inference.contract import AnatomyAnswer, ModelDescription
from plugin.anatomy import Agreement, AnatomyBook, UnreadableAnatomyError, effective
from plugin.anatomy.words import ReviewerWords
from plugin.archive import Archive
from plugin.configuration.application_table import ApplicationTable
from plugin.configuration.applications import ApplicationSection
from plugin.deid_review.door import WAITS, Held, HeldBackError, Place, ReviewDoor
from plugin.gate import Gate
from plugin.queue import Job
from plugin.results import is_own_object
from plugin.results.header import text
from plugin.routing.facts import facts, tags_of
from plugin.standardization.incoming import as_it_came
from plugin.subject import of_no_patient
from plugin.worker.anatomist import Anatomist, Case, NoPixelsError
from plugin.worker.beginnings import Beginning, has_frames, told_by
from plugin.worker.catalogue import (
    Verdict,
    choose,
    described,
    narrowed,
    no_application,
    verdicts,
)
from plugin.worker.header_files import UnreadableScanError, file_with, header_in
from plugin.worker.no_image import holds_no_image
from plugin.worker.orders import Orders
from plugin.worker.slices import along, spread
from plugin.worker.stopwatch import Stopwatch
from plugin.worker.study_names import headers_of_others

_BURNED_IN = "the image says that it carries burned-in annotation"


@dataclass
class Scan:
    """What is known of a scan so far."""

    job: Job
    instances: list[str]
    watch: Stopwatch = field(default_factory=Stopwatch)
    header: Dataset | None = None
    """The original's, with identity: it never leaves the PHI zone."""
    passes: DeidentifiedScan | None = None
    header_only: bool = False
    """Whether of its first instance, which is large, no pixels were fetched so far."""
    told: DeidentifiedScan | None = None
    """Its header as it came, where ours has standard entries since: what anatomy is read from."""
    recognized: AnatomyAnswer | None = None
    """By the models alone."""
    agreement: Agreement | None = None
    """How the models, and who else was heard, came to it."""
    anatomy: AnatomyAnswer | None = None
    """What counts: the same, unless a reviewer said otherwise."""
    verdicts: Sequence[Verdict] = ()
    """Of every model on this scan."""
    model: ModelDescription | None = None
    sources: dict[str, str] = field(default_factory=dict)
    """De-identified SOP Instance UID -> Orthanc identifier: the link back stays here."""
    headers: dict[str, Dataset] = field(default_factory=dict)
    """De-identified SOP Instance UID -> the original's header, with identity."""
    slices: dict[str, tuple[DeidentifiedScan, Dataset]] = field(default_factory=dict)
    """Orthanc identifier -> de-identified instance and original header, where already made."""
    refusal: str = ""
    """Why the pixels may not pass the gate, if they may not."""
    no_patient: str = ""
    """What it is of, where that is no patient: then nobody looks at it."""
    held: list[Held] = field(default_factory=list)
    """What a person should look at before they may."""

    @property
    def own(self) -> bool:
        """Whether Sidelight made this object itself."""
        return self.header is not None and is_own_object(self.header)

    @property
    def without_image(self) -> bool:
        """Whether there is nothing to look at."""
        return self.header is not None and holds_no_image(self.header)

    @property
    def unsettled(self) -> bool:
        """Whether pixels are to be asked when the series is complete."""
        return self.agreement is not None and self.agreement.pending

    @property
    def category(self) -> str:
        """Modality and anatomy in words."""
        known = described(self.anatomy) if self.anatomy else "scan of unknown anatomy"
        return self.no_patient or known

    @property
    def no_application(self) -> str:
        """Why no model runs, in words."""
        return no_application(self.category, choose(self.verdicts).dry)


@dataclass
class Reader:
    """Fetches, de-identifies and recognizes.

    ``header_deidentifier`` takes images with burned-in text too: it hands out headers alone.
    Without ``anatomist`` the shipped rules hold; without ``orders`` no order is heard; without
    ``door`` what is refused stays refused. ``aside`` is told of documents that wait for a person:
    original, kind, and Orthanc identifier. ``words`` tells what reviewers said of series that
    Orthanc has anew. ``beginning`` fetches large files as far as their pixels; without it all are
    fetched as a whole.
    """

    archive: Archive
    deidentifier: Deidentifier
    header_deidentifier: Deidentifier
    gate: Gate
    applications: ApplicationSection = field(default_factory=ApplicationSection)
    table: ApplicationTable = field(default_factory=ApplicationTable)
    anatomist: Anatomist | None = None
    orders: Orders | None = None
    aside: Callable[[bytes, str, str], None] | None = None
    door: ReviewDoor | None = None
    words: ReviewerWords | None = None
    beginning: Callable[[str], Beginning] | None = None

    def read(self, scan: Scan, models: Sequence[ModelDescription], works_on: str) -> None:
        """Fill in header, de-identified scan, anatomy and the matching model.

        Raises:
            UnreadableScanError: the file can't be read or de-identified at all.
        """
        with scan.watch.stage("fetch"):
            fetched = self._fetched(scan.instances[0])
        scan.header = header_in(fetched.content)
        if scan.own or scan.without_image:
            return
        scan.no_patient = of_no_patient(scan.header)
        if scan.no_patient:
            return
        with scan.watch.stage("deidentify"):
            scan.passes = self._first(scan, fetched)
        scan.headers[scan.passes.sop_instance_uid] = scan.header
        came = as_it_came(scan.header)
        scan.told = scan.passes if came is None else self._header_alone(file_with(came))
        with scan.watch.stage("anatomy"):
            anatomist = self.anatomist or Anatomist(self.archive, self.gate)
            scan.recognized, scan.agreement = anatomist.recognize(
                self._case(scan, came or scan.header, scan.passes, models, works_on)
            )
            scan.anatomy = self._reviewed(scan, scan.recognized)
        scan.verdicts = verdicts(scan.anatomy, models, works_on, self.applications)
        if self.table.applications:
            # At the first look most of a series may still be on its way.
            images = None if scan.job.level == "recognition" else len(scan.instances)
            known = facts(scan.anatomy, tags_of(scan.header), images)
            scan.verdicts = narrowed(scan.verdicts, self.table, known)
        scan.model = choose(scan.verdicts).model
        if scan.model is not None and scan.job.level != "recognition":
            self._complete(scan, scan.passes)

    def passed(self, scan: Scan) -> list[DeidentifiedScan]:
        """All instances of the scan, de-identified; none, and a refusal, where they may not pass.

        Raises:
            UnreadableScanError: a file can't be read or de-identified at all.
        """
        if scan.passes is None:
            return []
        if not self.deidentifier.needs_series(scan.passes.sop_class_uid):
            return [scan.passes, *self._others(scan)]
        with scan.watch.stage("fetch"):
            originals = [self.archive.file(instance) for instance in scan.instances]
        with scan.watch.stage("deidentify"):
            passed = self._whole(scan, originals)
        for one, original, instance in zip(passed, originals, scan.instances, strict=False):
            scan.sources[one.sop_instance_uid] = instance
            scan.headers[one.sop_instance_uid] = header_in(original)
        return passed

    def put_before_a_person(self, scan: Scan) -> None:
        """Ask for a review of what was refused, and of drawn scans, which may then have to wait."""
        if self.door is None or scan.own:
            return
        place = Place(scan.job.series, scan.job.study)
        for held in scan.held:
            self.door.open(held, place, self.archive.file)
        if not scan.refusal:
            waits = self.door.draw(scan.job.resource, scan.instances, place, self.archive.file)
            scan.refusal = WAITS if waits else ""

    def _whole(self, scan: Scan, originals: Sequence[bytes]) -> list[DeidentifiedScan]:
        try:
            if self.door is not None:
                series = self._series(scan)
                return self.door.deidentify_series(series, scan.instances, originals)
            return self.deidentifier.deidentify_series(originals)
        except HeldBackError as error:
            _hold(scan, error)
        except FaceMaskError:
            scan.refusal = "it may show a face that can't be masked"
        except BurnedInAnnotationError:
            scan.refusal = _BURNED_IN
        except DocumentError as error:
            scan.refusal = str(error)
        except DeidentificationError as error:
            raise UnreadableScanError(str(error)) from error
        return []

    def _others(self, scan: Scan) -> list[DeidentifiedScan]:
        """The remaining instances of a series, de-identified."""
        passed = []
        for instance in scan.instances[1:]:
            one, header = scan.slices.get(instance) or self._slice(scan, instance)
            passed.append(one)
            scan.headers[one.sop_instance_uid] = header
        return passed

    def _slice(self, scan: Scan, instance: str) -> tuple[DeidentifiedScan, Dataset]:
        with scan.watch.stage("fetch"):
            original = self.archive.file(instance)
        with scan.watch.stage("deidentify"):
            return self._deidentify(scan, original, instance), header_in(original)

    def _case(
        self,
        scan: Scan,
        header: Dataset,
        passed: DeidentifiedScan,
        models: Sequence[ModelDescription],
        works_on: str,
    ) -> Case:
        def application(anatomy: AnatomyAnswer) -> str:
            model = choose(verdicts(anatomy, models, works_on, self.applications)).model
            return model.name if model else ""

        # At the first look a series is still arriving.
        whole = scan.job.level != "recognition"
        return Case(
            header=header,
            passed=scan.told or passed,
            resource=scan.job.resource,
            study=lambda: self._study(scan),
            series=lambda: self._series(scan),
            slices=(lambda most: self._slices(scan, passed, most)) if whole else None,
            application=application,
            ordered=self._ordered(header),
            others=lambda study: self._others_called(scan, header, study),
        )

    def _slices(self, scan: Scan, passed: DeidentifiedScan, most: int) -> list[DeidentifiedScan]:
        """What the pixel model is shown: the first image alone, or some of the whole series.

        Raises:
            NoPixelsError: an image may not pass the gate, or can't be read.
        """
        if scan.header_only and has_frames(scan.header):
            raise NoPixelsError("large objects of several frames are not fetched for it")
        # It has its pixels already where one image was shown before.
        first = self._complete(scan, scan.passes or passed)
        if self.deidentifier.needs_series(first.sop_class_uid):
            raise NoPixelsError(
                "faces are masked in whole series only, which anatomy does not wait for"
            )
        alone = most == 1 or len(scan.instances) == 1
        shown = [first] if alone else []
        chosen = [] if alone else spread(along(self.archive, self._series(scan)), most)
        for instance in chosen:
            if scan.refusal:
                break
            shown.append(first if instance == scan.instances[0] else self._shown(scan, instance))
        if scan.refusal:
            raise NoPixelsError(scan.refusal)
        return shown

    def _shown(self, scan: Scan, instance: str) -> DeidentifiedScan:
        try:
            scan.slices[instance] = self._slice(scan, instance)
        except UnreadableScanError as error:
            # The analysis, if there is one, stumbles over it by itself.
            raise NoPixelsError(str(error)) from error
        return scan.slices[instance][0]

    def _ordered(self, header: Dataset) -> list[DeidentifiedScan]:
        told = []
        for words in self.orders.headers_of(header) if self.orders else ():
            # An order that can't be told without identity is not heard.
            with contextlib.suppress(DeidentificationError):
                told.append(self.header_deidentifier.deidentify_header(words))
        return told

    def _others_called(
        self, scan: Scan, header: Dataset, study: Sequence[Mapping[str, Any]]
    ) -> list[DeidentifiedScan]:
        """What the other series of the study are called; those that can't be told are left out."""
        told = []
        for other in headers_of_others(header, study, self._series(scan)):
            with contextlib.suppress(DeidentificationError, UnreadableScanError):
                told.append(self.header_deidentifier.deidentify_header(file_with(other)))
        return told

    def _reviewed(self, scan: Scan, recognized: AnatomyAnswer) -> AnatomyAnswer:
        """The anatomy that counts, with what a reviewer said about the series."""
        try:
            said = AnatomyBook(self.archive, self.words).in_force(self._series(scan))
        except UnreadableAnatomyError as error:
            raise UnreadableScanError(str(error)) from error
        return effective(recognized, said)

    def _series(self, scan: Scan) -> str:
        """Orthanc identifier; a plan's scan may not know it."""
        return scan.job.series or str(self.archive.instance(scan.instances[0])["ParentSeries"])

    def _study(self, scan: Scan) -> str:
        return scan.job.study or str(self.archive.series(self._series(scan))["ParentStudy"])

    def _fetched(self, instance: str) -> Beginning:
        if self.beginning is not None:
            return self.beginning(instance)
        return Beginning(self.archive.file(instance), is_whole=True)

    def _first(self, scan: Scan, fetched: Beginning) -> DeidentifiedScan:
        """The first instance; of a large one the header, as long as nobody wants its pixels."""
        instance, sop_class = scan.instances[0], text(scan.header or Dataset(), "SOPClassUID")
        if fetched.is_whole or self.deidentifier.needs_series(sop_class):
            return self._deidentify(scan, fetched.content, instance)
        told = told_by(fetched.content, sop_class, self.deidentifier, self.header_deidentifier)
        if told is None:
            return self._deidentify(scan, self.archive.file(instance), instance)
        scan.header_only, scan.sources[told.sop_instance_uid] = True, instance
        return told

    def _complete(self, scan: Scan, first: DeidentifiedScan) -> DeidentifiedScan:
        """The first instance with its pixels, where they may pass."""
        if not scan.header_only:
            return first
        with scan.watch.stage("fetch"):
            original = self.archive.file(scan.instances[0])
        scan.sources.clear()
        scan.headers.clear()
        with scan.watch.stage("deidentify"):
            first = self._deidentify(scan, original, scan.instances[0])
        scan.header_only = False
        scan.passes, scan.headers[first.sop_instance_uid] = first, header_in(original)
        return first

    def _deidentify(self, scan: Scan, original: bytes, instance: str) -> DeidentifiedScan:
        try:
            passed = self._alone(scan, original, instance)
        except HeldBackError as error:
            _hold(scan, error)
            passed = self._header_alone(original)
        except (BurnedInAnnotationError, DocumentError) as error:
            # Its header may still be looked at, to say which application refuses it.
            scan.refusal = str(error) if isinstance(error, DocumentError) else _BURNED_IN
            if isinstance(error, DocumentForReviewError) and self.aside is not None:
                self.aside(original, error.kind, instance)
            passed = self.header_deidentifier.deidentify_header(original)
        except DeidentificationError as error:
            raise UnreadableScanError(str(error)) from error
        scan.sources[passed.sop_instance_uid] = instance
        return passed

    def _header_alone(self, original: bytes) -> DeidentifiedScan:
        try:
            return self.header_deidentifier.deidentify_header(original)
        except DeidentificationError as error:
            raise UnreadableScanError(str(error)) from error

    def _alone(self, scan: Scan, original: bytes, instance: str) -> DeidentifiedScan:
        """One instance; its header alone where pixels are judged in whole series only."""
        sop_class = "" if scan.header is None else str(scan.header.get("SOPClassUID", ""))
        if self.deidentifier.needs_series(sop_class):
            return self.header_deidentifier.deidentify_header(original)
        if self.door is not None:
            return self.door.deidentify(instance, original)
        return self.deidentifier.deidentify(original)


def _hold(scan: Scan, error: HeldBackError) -> None:
    scan.refusal = str(error)
    scan.held += error.held
