# SPDX-License-Identifier: AGPL-3.0-or-later
"""De-identifies what a delivery names, and sends what was not sent yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from deid import (
    DeidentificationError,
    DeidentifiedScan,
    Deidentifier,
    DocumentDroppedError,
    DocumentError,
)
from plugin.archive import ArchiveError, NotFoundError
from plugin.configuration.copy_table import CopyRule
from plugin.copies.deciding import door_of
from plugin.copies.matching import Archive as MatchingArchive
from plugin.copies.matching import CopyMatcher
from plugin.copies.transports import Transport
from plugin.dispatch.ledger import End, Ledger
from plugin.doors.errors import SupersededError, UndeliverableError, UnreachableError
from plugin.doors.outbox import Delivery
from plugin.queue_file import QueueError

_BATCH_BYTES = 64 << 20


class Archive(MatchingArchive, Protocol):
    """What is needed of Orthanc."""

    def file(self, instance: str, /) -> bytes:
        """The DICOM file as stored."""

    def content_digest(self, instance: str, /) -> str:
        """MD5 of the stored DICOM file."""

    def sop_class(self, instance: str, /) -> str:
        """SOP Class UID of an instance."""


@dataclass(frozen=True)
class Batch:
    """The instances of one delivery, by Orthanc identifier."""

    study: str
    instances: tuple[str, ...]


@dataclass(frozen=True)
class Prepared:
    """One instance that may leave."""

    instance: str
    content: str
    """Digest of the original's content."""
    scan: DeidentifiedScan


@dataclass(frozen=True)
class CopySender:
    """Carries out the deliveries of one rule.

    Args:
        rule: whose deliveries.
        archive: Orthanc.
        matcher: says whether a delivery of an earlier configuration still holds.
        deidentifier: as the rule's profile says.
        transport: to the rule's destination.
        ledger: what was sent before.
        keep_aside: told of documents that wait for a person: the original, its kind, where it is.
    """

    rule: CopyRule
    archive: Archive
    matcher: CopyMatcher
    deidentifier: Deidentifier
    transport: Transport
    ledger: Ledger
    keep_aside: Callable[[bytes, str, str], None] | None = field(default=None)

    @property
    def door(self) -> str:
        """Name in the outbox."""
        return door_of(self.rule.name)

    def load(self, delivery: Delivery) -> Batch:
        """Which instances are to be sent, if the rule still wants them.

        Raises:
            SupersededError: they are gone, or the rule has changed.
            UnreachableError: Orthanc can't be asked now.
        """
        try:
            if delivery.level == "instance":
                verdicts = [self.matcher.instance(delivery.resource, self.rule)]
            else:
                verdicts = self.matcher.study(delivery.study).get(self.rule.name, [])
        except NotFoundError:
            raise SupersededError("what was to be copied is no longer in Orthanc") from None
        except ArchiveError as error:
            raise UnreachableError(str(error)) from None
        for one in verdicts:
            if one.fits and delivery.resource in (one.series, *one.instances):
                return Batch(delivery.study, one.instances)
        raise SupersededError("the rule does not fit any longer")

    def send(self, batch: Batch) -> None:
        """Send what was not sent yet; what may not leave holds up nothing else.

        Raises:
            DeliveryError: not all got through; the subclass says what follows.
        """
        refused: Counter[str] = Counter()
        waiting: list[Prepared] = []
        try:
            for one in self._prepared(batch, refused):
                waiting.append(one)
                if len(waiting) >= self.transport.batch or _size(waiting) >= _BATCH_BYTES:
                    self._sent(batch, waiting)
                    waiting = []
            self._sent(batch, waiting)
        except ArchiveError as error:
            raise UnreachableError(str(error)) from None
        except QueueError as error:
            raise UnreachableError(f"the ledger of copies: {error}") from None
        if refused:
            kinds = ", ".join(f"{count} x {why}" for why, count in sorted(refused.items()))
            raise UndeliverableError(
                f"{refused.total()} of {len(batch.instances)} images may not leave: {kinds}"
            )

    def _sent(self, batch: Batch, prepared: Sequence[Prepared]) -> None:
        if prepared:
            self.transport.send([one.scan for one in prepared])
            ended = [(one.instance, one.content) for one in prepared]
            self.ledger.copied(self.door, batch.study, ended, "sent")

    def _prepared(self, batch: Batch, refused: Counter[str]) -> Iterator[Prepared]:
        left = []
        for instance in batch.instances:
            try:
                content = self.archive.content_digest(instance)
            except NotFoundError:
                continue  # deleted meanwhile
            if not self.ledger.has_copied(self.door, instance, content):
                left.append((instance, content))
        if left and self.deidentifier.needs_series(self.archive.sop_class(left[0][0])):
            yield from self._whole(batch, left, refused)
            return
        for one in left:
            yield from self._made(batch, [one], [one[0]], refused)

    def _whole(
        self, batch: Batch, left: Sequence[tuple[str, str]], refused: Counter[str]
    ) -> Iterator[Prepared]:
        """Faces are judged in whole series, those sent before included."""
        yield from self._made(batch, left, batch.instances, refused)

    def _made(
        self,
        batch: Batch,
        left: Sequence[tuple[str, str]],
        together: Sequence[str],
        refused: Counter[str],
    ) -> Iterator[Prepared]:
        originals: dict[str, bytes] = {}
        for instance in together:
            try:
                originals[instance] = self.archive.file(instance)
            except NotFoundError:
                continue  # deleted meanwhile
        wanted = [one for one in left if one[0] in originals]
        try:
            scans = dict(
                zip(originals, self.deidentifier.deidentify_series(originals.values()), strict=True)
            )
            # While a receiver takes its time, no original of hundreds of megabytes waits with it.
            originals.clear()
        except DocumentError as error:
            self._ended(batch, wanted, originals, error)
            return
        except DeidentificationError as error:
            # Its words hold no value, but the name alone tells what to do.
            refused[type(error).__name__] += len(wanted)
            return
        for instance, content in wanted:
            yield Prepared(instance, content, scans.pop(instance))

    def _ended(
        self,
        batch: Batch,
        wanted: Sequence[tuple[str, str]],
        originals: dict[str, bytes],
        error: DocumentError,
    ) -> None:
        ended: End = "dropped" if isinstance(error, DocumentDroppedError) else "review"
        if ended == "review" and self.keep_aside is not None:
            for instance, _ in wanted:
                self.keep_aside(originals[instance], error.kind, instance)
        self.ledger.copied(self.door, batch.study, wanted, ended)


def _size(prepared: Sequence[Prepared]) -> int:
    return sum(len(one.scan.to_bytes()) for one in prepared)
