# SPDX-License-Identifier: AGPL-3.0-or-later
"""The worker's side: what de-identification refuses waits for a person, whose word then holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from deid import (
    BurnedInAnnotationError,
    DeidentificationError,
    DeidentifiedScan,
    Deidentifier,
    FaceMaskError,
)
from deid.corrections import Corrections
from deid.errors import DocumentForReviewError, TextLeftInPixelsError
from plugin.deid_review.ledger import ReviewLedger
from plugin.deid_review.records import Draft, Item, Opened, PixelBox, Reason, State, Subject
from plugin.deid_review.workshop import Workshop, content_of, uid_of

WAITS = "its de-identification waits for a reviewer"
KEPT_OUT = "a reviewer kept it out"

_REASONS: dict[type[DeidentificationError], Reason] = {
    BurnedInAnnotationError: Reason.BURNED_IN,
    TextLeftInPixelsError: Reason.TEXT_LEFT,
    FaceMaskError: Reason.FACE,
    DocumentForReviewError: Reason.DOCUMENT,
}
REVIEWABLE = tuple(_REASONS)


@dataclass(frozen=True)
class Held:
    """What a person is to look at, and why."""

    scope: Literal["image", "series"]
    resource: str
    content: str
    reason: Reason


class HeldBackError(DeidentificationError):
    """Nothing passes before, or against, a person's decision.

    Attributes:
        held: what no person has been asked about yet.
    """

    def __init__(self, message: str, held: Sequence[Held] = ()) -> None:
        super().__init__(message)
        self.held = tuple(held)


@dataclass(frozen=True)
class Place:
    """Where a scan stands in Orthanc, by its identifiers."""

    series: str
    study: str


@dataclass(frozen=True)
class ReviewDoor:
    """De-identifies, minding what people decided.

    Attributes:
        plain: what de-identifies where nobody decided anything.
        sample: share of scans that pass and are looked at anyway.
        hold_sampled: whether those wait for it.
    """

    ledger: ReviewLedger
    workshop: Workshop
    plain: Deidentifier
    sample: float = 0.0
    hold_sampled: bool = False

    def deidentify(self, instance: str, original: bytes) -> DeidentifiedScan:
        """One image.

        Raises:
            HeldBackError: it waits for a person, or a person kept it out.
            deid.DeidentificationError: it can't be de-identified, whatever a person says.
        """
        corrections = self._decided("image", instance, lambda: content_of([original]))
        try:
            if corrections is None:
                return self.plain.deidentify(original)
            return self.workshop.image(original, corrections)
        except REVIEWABLE as error:
            held = Held("image", instance, content_of([original]), _REASONS[type(error)])
            raise HeldBackError(WAITS, [held]) from None

    def deidentify_series(
        self, series: str, instances: Sequence[str], originals: Sequence[bytes]
    ) -> list[DeidentifiedScan]:
        """A whole series, whose faces may have to be masked.

        Args:
            series: its Orthanc identifier.
            instances: Orthanc identifiers of its instances.
            originals: their files, in the same order.

        Raises:
            HeldBackError: as for ``deidentify``.
            deid.DeidentificationError: as for ``deidentify``.
        """
        faces = self._decided("series", series, lambda: content_of(originals)) is None
        corrections: dict[str, Corrections] = {}
        for instance, original in zip(instances, originals, strict=True):
            decided = self._decided("image", instance, lambda one=original: content_of([one]))  # type: ignore[misc]
            if decided is not None:
                corrections[uid_of(original)] = decided
        try:
            return self.workshop.series(originals, corrections, faces=faces)
        except FaceMaskError:
            held = [Held("series", series, content_of(originals), Reason.FACE)]
        except (BurnedInAnnotationError, TextLeftInPixelsError, DocumentForReviewError):
            held = list(self._refused(instances, originals, corrections))
        raise HeldBackError(WAITS, held)

    def open(self, held: Held, place: Place, file: Callable[[str], bytes]) -> Item:
        """Put something before a person.

        Args:
            held: what.
            place: where it stands.
            file: fetches the file of an instance.
        """
        draft = Draft()
        boxes: tuple[PixelBox, ...] = ()
        if held.scope == "image":
            boxes = self._suggestions(file(held.resource))
            draft = Draft(boxes=boxes)
        opened = Opened(
            reason=held.reason,
            settings=self.workshop.settings,
            holds=True,
            draft=draft,
            detections=boxes,
        )
        return self.ledger.open(_subject(held, place), opened)

    def draw(
        self, scan: str, instances: Sequence[str], place: Place, file: Callable[[str], bytes]
    ) -> bool:
        """Put one image of a scan that passes before a person, if the scan is drawn.

        Args:
            scan: Orthanc identifier of what is analysed as a whole.
            instances: those of its images.

        Returns:
            Whether the scan has to wait for it.
        """
        if not _is_drawn(scan, self.sample):
            return False
        instance = instances[len(instances) // 2]
        original = file(instance)
        held = Held("image", instance, content_of([original]), Reason.SAMPLED)
        item = self._standing("image", instance, lambda: held.content)
        if item is None:
            opened = Opened(
                reason=held.reason,
                settings=self.workshop.settings,
                holds=self.hold_sampled,
                detections=self._suggestions(original),
            )
            item = self.ledger.open(_subject(held, place), opened)
        return item.holds and item.state is State.WAITING

    def _decided(
        self, scope: Literal["image", "series"], resource: str, content: Callable[[], str]
    ) -> Corrections | None:
        """What a person made of it; None where nobody was asked or the policy's result is right."""
        item = self._standing(scope, resource, content)
        if item is None or (item.state is State.WAITING and not item.holds):
            return None
        if item.state is State.REJECTED:
            raise HeldBackError(KEPT_OUT)
        if item.state is State.WAITING:
            raise HeldBackError(WAITS)
        return item.draft.corrections

    def _standing(self, scope: str, resource: str, content: Callable[[], str]) -> Item | None:
        """The item, where it is about these very bytes and this way of de-identifying."""
        item = self.ledger.of(scope, resource)
        if item is None or item.subject.content != content():
            return None
        same = item.settings == self.workshop.settings
        return item if same or item.state is State.REJECTED else None

    def _refused(
        self,
        instances: Sequence[str],
        originals: Sequence[bytes],
        corrections: dict[str, Corrections],
    ) -> Iterator[Held]:
        """The images of a refused series that are to blame."""
        for instance, original in zip(instances, originals, strict=True):
            correction = corrections.get(uid_of(original), Corrections())
            try:
                self.workshop.image(original, correction)
            except REVIEWABLE as error:
                yield Held("image", instance, content_of([original]), _REASONS[type(error)])

    def _suggestions(self, original: bytes) -> tuple[PixelBox, ...]:
        try:
            return self.workshop.suggestions(original)
        except DeidentificationError:
            return ()  # a person looks without them


def _subject(held: Held, place: Place) -> Subject:
    return Subject(
        scope=held.scope,
        resource=held.resource,
        series=place.series,
        study=place.study,
        content=held.content,
    )


def _is_drawn(scan: str, share: float) -> bool:
    """The same scans on every node and at every run."""
    drawn = hashlib.sha256(f"review {scan}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") < share * 2.0**64
