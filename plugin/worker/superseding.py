# SPDX-License-Identifier: AGPL-3.0-or-later
"""A new model's result takes the place of the older one of the same application on the same scan.

The older objects stay: somebody may have decided by them. They are marked instead, in Orthanc by a
label (since 1.12.0) and by metadata, in DICOM by the new report's Predecessor Documents Sequence.
"""

from __future__ import annotations

from collections.abc import Iterable

from plugin.archive import Archive, NotFoundError
from plugin.results import DocumentReference, ResultObject
from plugin.states import Metadata, ScanState, StoredObject

LABEL = "superseded"


def superseded_by(
    earlier: ScanState | None, made: Iterable[ResultObject], application: str
) -> tuple[StoredObject, ...]:
    """Objects of an earlier state that ``made`` takes the place of.

    A repeated run supersedes what its first run did.
    """
    if earlier is None or earlier.model != application:
        return ()
    names = {one.sop_instance_uid for one in made}
    if any(one.kind == "SR" and one.sop_instance_uid in names for one in earlier.objects):
        return earlier.supersedes
    return tuple(one for one in earlier.objects if one.sop_instance_uid not in names)


def predecessors(superseded: Iterable[StoredObject]) -> list[DocumentReference]:
    """The reports among superseded objects."""
    return [
        DocumentReference(one.series_uid, one.sop_class_uid, one.sop_instance_uid)
        for one in superseded
        if one.kind == "SR" and one.series_uid and one.sop_class_uid
    ]


def mark(
    archive: Archive, superseded: Iterable[StoredObject], current: Iterable[StoredObject]
) -> None:
    """Mark superseded objects, and unmark current ones: an older model may have come back."""
    reports = [one.sop_instance_uid for one in current if one.kind == "SR"]
    if not reports:
        return
    for one in current:
        archive.delete_metadata("instance", one.instance, Metadata.SUPERSEDED)
        if archive.has_labels():
            archive.delete_label("instance", one.instance, LABEL)
    for one in superseded:
        try:
            archive.put_metadata("instance", one.instance, Metadata.SUPERSEDED, reports[0])
            if archive.has_labels():
                archive.put_label("instance", one.instance, LABEL)
        except NotFoundError:
            continue  # deleted meanwhile
