# SPDX-License-Identifier: AGPL-3.0-or-later
"""The gate before storing: Orthanc stores invalid objects without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from plugin.results import header as read
from plugin.results.discretion import values_unquoted
from plugin.results.document_checks import page_errors, selection_errors
from plugin.results.external_validators import external_errors
from plugin.results.image_checks import capture_errors, map_errors, segmentation_errors
from plugin.results.objects import Kind, ResultObject, ResultOptions
from plugin.results.presentation_checks import colouring_errors, presentation_errors
from plugin.results.private import is_own_object
from plugin.results.report_checks import report_errors
from plugin.results.viewer_profiles import PROFILES, ViewerProfile


def validate(obj: ResultObject, options: ResultOptions | None = None) -> list[str]:
    """Why an object must not be stored; empty if it may.

    Runs the checks for what viewers need, then those of ``options.validators`` that are installed.
    The words name attributes and viewers, and hold nothing of the patient.
    """
    options = options or ResultOptions()
    # pydicom's warnings about odd values quote them.
    with values_unquoted():
        errors = list(_own_errors(obj, PROFILES[options.viewer_profile]))
        return errors + external_errors(obj, options.validators)


def validate_together(objects: Sequence[ResultObject]) -> list[str]:
    """Why objects must not be stored side by side in one study; empty if they may."""
    reports = [obj.dataset for obj in objects if obj.kind == "SR"]
    errors = []
    series = Counter(read.text(report, "SeriesInstanceUID") for report in reports)
    if any(count > 1 for count in series.values()):
        errors.append("Series: viewers show one SR per series only")
    classes = {read.text(report, "SOPClassUID") for report in reports}
    if {str(ComprehensiveSRStorage), str(Comprehensive3DSRStorage)} <= classes:
        errors.append("SOP Class: the study would hold the same report in two classes")
    names = Counter(obj.sop_instance_uid for obj in objects)
    if any(count > 1 for count in names.values()):
        errors.append("SOP Instance UID: two objects share one")
    return errors


def _own_errors(obj: ResultObject, profile: ViewerProfile) -> Iterator[str]:
    dataset = obj.dataset
    yield from _common_errors(dataset)
    yield from _CHECKS[obj.kind](dataset, profile)


def _common_errors(dataset: Dataset) -> Iterator[str]:
    if not is_own_object(dataset):
        yield "private creator: missing; the stored object would be analysed in turn"
    if "BodyPartExamined" in dataset:
        # The original's value may be no term of PS3.16 Annex L.
        yield "Body Part Examined: results don't carry it over"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        if not read.text(dataset, keyword):
            yield f"{keyword}: empty"


_CHECKS: dict[Kind, Callable[[Dataset, ViewerProfile], Iterator[str]]] = {
    "SR": report_errors,
    "SEG": segmentation_errors,
    "SEG-LABELMAP": segmentation_errors,
    "SEG-FRACTIONAL": segmentation_errors,
    "PR": presentation_errors,
    "PR-HEATMAP": colouring_errors,
    "PM": map_errors,
    "SC": capture_errors,
    "KO": selection_errors,
    "PDF": page_errors,
}
