# SPDX-License-Identifier: AGPL-3.0-or-later
"""What key object selections and encapsulated pages must have."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from plugin.results import header as read
from plugin.results import sr_tree
from plugin.results.viewer_profiles import ViewerProfile


def selection_errors(dataset: Dataset, _profile: ViewerProfile) -> Iterator[str]:
    """Errors of a key object selection."""
    shown = [
        read.text(reference, "ReferencedSOPInstanceUID")
        for item in sr_tree.of_type(dataset, "IMAGE")
        for reference in read.items(item, "ReferencedSOPSequence")
    ]
    if not shown:
        yield "Content Sequence: selects no image"
    listed = {
        read.text(instance, "ReferencedSOPInstanceUID")
        for study in read.items(dataset, "CurrentRequestedProcedureEvidenceSequence")
        for series in read.items(study, "ReferencedSeriesSequence")
        for instance in read.items(series, "ReferencedSOPSequence")
    }
    if not set(shown) <= listed:
        yield "evidence: a selected image isn't listed; viewers look for it there"


def page_errors(dataset: Dataset, _profile: ViewerProfile) -> Iterator[str]:
    """Errors of an encapsulated page."""
    page = read.value(dataset, "EncapsulatedDocument")
    length = read.integer(dataset, "EncapsulatedDocumentLength") or 0
    if not isinstance(page, bytes) or not page.startswith(b"%PDF-"):
        yield "Encapsulated Document: is no PDF"
    elif not page[:length].rstrip().endswith(b"%%EOF") or len(page) - length > 1:
        yield "Encapsulated Document: is cut short, or its length is wrong"
    if read.text(dataset, "MIMETypeOfEncapsulatedDocument") != "application/pdf":
        yield "MIME Type: viewers open application/pdf only"
