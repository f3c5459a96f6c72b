# SPDX-License-Identifier: AGPL-3.0-or-later
"""Taking reviews: checked, kept beside the image, counted, and turned into corrected objects."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from inference.contract import ImageAnalysis
from plugin.review.correction import check
from plugin.review.ledger import Judgement, Ledger, LedgerError
from plugin.review.records import Review, ReviewLog, ReviewRequest, class_verdicts
from plugin.review.remediation import timestamp
from plugin.review.versions import Corrected, Subject, VersionMaker
from plugin.states import Attachment, Findings, StoredObject

LOGGER = logging.getLogger(__name__)


class ReviewConflictError(RuntimeError):
    """Somebody else has reviewed the image since the reader looked at it."""


class NamelessReviewError(ValueError):
    """Nobody is named who made the review."""


class Store(Protocol):
    """Where attachments are kept."""

    def put_attachment(
        self, level: Literal["instance"], resource: str, name: Attachment, content: bytes, /
    ) -> None:
        """Set the content of one attachment."""


@dataclass(frozen=True)
class Reviewed:
    """The image under review, with what is known of it now.

    Attributes:
        instance: Orthanc identifier.
        digest: SHA-256 of the stored findings.
        image: the model's own answer, uncorrected.
        objects: the model's own objects.
        log: the reviews before this one.
    """

    instance: str
    findings: Findings
    digest: str
    image: ImageAnalysis
    objects: Sequence[StoredObject]
    log: ReviewLog


@dataclass
class Reviewer:
    """Takes reviews, one at a time.

    Args:
        store: Orthanc.
        objects: makes the corrected objects; called only when something is corrected.
        ledger: counts.
    """

    store: Store
    objects: Callable[[], VersionMaker]
    ledger: Ledger
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, look_up: Callable[[], Reviewed], request: ReviewRequest, account: str
    ) -> tuple[Review, ReviewLog]:
        """Take one review and make its corrected version.

        Args:
            look_up: reads the image; called when no other review can come in between.
            request: what the reader says.
            account: who Orthanc says it is; empty where it can't.

        Raises:
            NamelessReviewError: neither the account nor the request names a reader.
            ReviewConflictError: there is a later review than the reader has seen.
            UnfitReviewError: the review speaks of something that the answer does not have.
        """
        if not (account or request.user.strip()):
            raise NamelessReviewError("name the reader in user: Orthanc does not know who asks")
        with self._one_at_a_time:
            reviewed = look_up()
            last = reviewed.log.reviews[-1].number if reviewed.log.reviews else 0
            if request.based_on is not None and request.based_on != last:
                raise ReviewConflictError(f"the image has a review {last} by now; look at it first")
            review = _review(reviewed, request, account, last + 1)
            check(reviewed.image, review)
            made = self._corrected(reviewed, review)
            review = review.model_copy(
                update={"objects": made.stored, "quarantined": made.quarantined}
            )
            log = ReviewLog(reviews=(*reviewed.log.reviews, review))
            content = log.model_dump_json().encode()
            self.store.put_attachment("instance", reviewed.instance, Attachment.REVIEWS, content)
        try:
            self.count(reviewed, log)
        except LedgerError as error:
            # The review itself is kept; the counts are made again from all reviews at start.
            LOGGER.error("a review was kept but not counted: %s", error)  # noqa: TRY400
        return review, log

    def count(self, reviewed: Reviewed, log: ReviewLog) -> None:
        """Count what the reviews of one image say."""
        said = log.of(reviewed.digest)
        model = (reviewed.findings.model.name, reviewed.findings.model.version)
        at = said[-1].made_at
        self.ledger.record(reviewed.instance, model, judgements(reviewed.image, said), at)

    def _corrected(self, reviewed: Reviewed, review: Review) -> Corrected:
        if not review.changes:
            return Corrected((), {})
        earlier = reviewed.log.of(reviewed.digest)
        corrected = [one for one in earlier if one.changes and one.objects]
        before = corrected[-1].objects if corrected else reviewed.objects
        subject = Subject(reviewed.instance, reviewed.findings, reviewed.image, before)
        return self.objects().make(subject, (*earlier, review))


def judgements(image: ImageAnalysis, reviews: Sequence[Review]) -> list[Judgement]:
    """Which classes were right or wrong on an image; none of a class that nobody judged."""
    verdicts = class_verdicts(tuple(reviews))
    marks: dict[str, bool] = {}
    for mark in (mark for review in reviews for mark in review.marks):
        marks[mark.finding] = mark.verdict != "as-model"
    complete = any(review.complete for review in reviews)
    found = []
    for item in image.classes:
        wrong = verdicts.get(item.key, item.present) != item.present or marks.get(item.key, False)
        if wrong or complete or item.key in verdicts:
            found.append(Judgement(item.key, wrong))
    return found


def _review(reviewed: Reviewed, request: ReviewRequest, account: str, number: int) -> Review:
    model = reviewed.findings.model
    return Review(
        number=number,
        made_at=timestamp(datetime.now(UTC)),
        account=account,
        user=request.user.strip(),
        reason=request.reason.strip(),
        comment=request.comment.strip(),
        marks=request.marks,
        verdicts=request.verdicts,
        complete=request.complete,
        model=model.name,
        model_version=model.version,
        findings_digest=reviewed.digest,
    )
