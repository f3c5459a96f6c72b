# SPDX-License-Identifier: AGPL-3.0-or-later
"""What makes a corrected object tell that it is one, who corrected it, and what it follows.

The report names the reader as its author (Author Observer Sequence) and the report before it as its
predecessor (Predecessor Documents Sequence, both PS3.3 C.17.2); segmentation and presentation state
name the reader as content creator, and the segmentation says in Image Comments what it follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID

from plugin.results import ResultObject
from plugin.review.records import Review

_LONG_STRING = 64


@dataclass(frozen=True)
class Predecessor:
    """An object of the version before."""

    kind: str
    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str


def add_provenance(made: ResultObject, review: Review, before: Sequence[Predecessor]) -> None:
    """Write who corrected an object and what it follows into its data set."""
    dataset = made.dataset
    ending = f", review {review.number}"
    dataset.SeriesDescription = (
        str(dataset.SeriesDescription)[: _LONG_STRING - len(ending)].rstrip() + ending
    )
    same_kind = [one for one in before if one.kind == made.kind]
    if made.kind == "SR":
        dataset.AuthorObserverSequence = [_author(review)]
        if same_kind:
            dataset.PredecessorDocumentsSequence = [_document(one) for one in same_kind]
        return
    dataset.ContentCreatorName = person_name(review.reader)
    if "ImageComments" in dataset:
        uids = ", ".join(one.sop_instance_uid for one in same_kind)
        follows = f" It follows {uids}." if uids else ""
        said = f"Corrected by a reader, review {review.number}.{follows}"
        dataset.ImageComments = f"{dataset.ImageComments} {said}"


def person_name(reader: str) -> str:
    """A reader's name as a PN of one component (PS3.5 section 6.2)."""
    plain = "".join(" " if mark in "^=\\" or ord(mark) < 32 else mark for mark in reader)
    return " ".join(plain.split())[:_LONG_STRING] or "Unknown"


def _author(review: Review) -> Dataset:
    """Identified Person or Device Macro (PS3.3 Table C.17-3b)."""
    item = Dataset()
    item.ObserverType = "PSN"
    item.PersonName = person_name(review.reader)
    item.PersonIdentificationCodeSequence = []
    item.InstitutionName = ""
    item.InstitutionCodeSequence = []
    return item


def _document(before: Predecessor) -> Dataset:
    """Hierarchical SOP Instance Reference Macro (PS3.3 Table C.17-3)."""
    instance = Dataset()
    instance.ReferencedSOPClassUID = UID(before.sop_class_uid)
    instance.ReferencedSOPInstanceUID = UID(before.sop_instance_uid)
    series = Dataset()
    series.SeriesInstanceUID = UID(before.series_uid)
    series.ReferencedSOPSequence = [instance]
    study = Dataset()
    study.StudyInstanceUID = UID(before.study_uid)
    study.ReferencedSeriesSequence = [series]
    return study


def said_in_words(review: Review, names: dict[str, str]) -> str:
    """A review as one sentence for a report.

    Args:
        review: what the reader said.
        names: finding key -> name for a reader.
    """
    parts = [f"{names[verdict.finding]}: {verdict.verdict}" for verdict in review.verdicts]
    parts += [
        f"{names[mark.finding]}: {len(mark.cells)} patches {mark.verdict}" for mark in review.marks
    ]
    said = "; ".join(parts).replace("-", " ")
    reader = person_name(review.reader)
    made = f"Corrected by {reader}, {review.made_at[:10]}, review {review.number}"
    return f"{made}: {said}. Reason: {review.reason}."
