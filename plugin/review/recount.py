# SPDX-License-Identifier: AGPL-3.0-or-later
"""Making the counts again from the reviews in Orthanc, for a node whose file of counts is new.

Corrected reports are found by their SeriesDescription; the images of their studies are asked for
reviews. Images that were only confirmed have no corrected report: they are not found again, so
that after a loss of the file shares of errors are too high rather than too low.
"""

from __future__ import annotations

import hashlib
import logging

from pydantic import ValidationError

from plugin.archive import Archive, ArchiveError
from plugin.review.ledger import LedgerError
from plugin.review.records import ReviewLog
from plugin.review.reviewer import Reviewed, Reviewer
from plugin.states import Attachment, Findings

LOGGER = logging.getLogger(__name__)

_CORRECTED = {"Modality": "SR", "Manufacturer": "Sidelight", "SeriesDescription": "*, review *"}


def recount_if_new(taking: Reviewer, archive: Archive) -> int:
    """Count all reviews that can be found, if none is counted yet; how many images."""
    try:
        if taking.ledger.reviewed(1)[1]:
            return 0
        reports = archive.find("Series", _CORRECTED, expand=True)
        studies = {str(report["ParentStudy"]) for report in reports}
        return sum(_count_study(taking, archive, study) for study in sorted(studies))
    except (ArchiveError, LedgerError) as error:
        LOGGER.warning("reviews were not counted again: %s", error)
        return 0


def _count_study(taking: Reviewer, archive: Archive, study: str) -> int:
    found = 0
    for instance in archive.study_instances(study):
        kept = archive.attachment("instance", instance, Attachment.REVIEWS)
        if kept is not None:
            found += _count_image(taking, archive, instance, kept)
    return found


def _count_image(taking: Reviewer, archive: Archive, instance: str, kept: bytes) -> int:
    content = archive.attachment("instance", instance, Attachment.FINDINGS)
    if content is None:
        series = str(archive.instance(instance)["ParentSeries"])
        content = archive.attachment("series", series, Attachment.FINDINGS)
    if content is None:
        return 0
    try:
        log, findings = ReviewLog.model_validate_json(kept), Findings.model_validate_json(content)
    except ValidationError:
        LOGGER.warning("the reviews of instance %s can't be read", instance)
        return 0
    digest = hashlib.sha256(content).hexdigest()
    image = next(
        (
            one
            for one in findings.analysis.images
            if findings.images.get(one.sop_instance_uid) == instance
        ),
        None,
    )
    if image is None or not log.of(digest):
        return 0
    taking.count(Reviewed(instance, findings, digest, image, (), log), log)
    return 1
