# SPDX-License-Identifier: AGPL-3.0-or-later
"""The web process's side: what a reviewer sees of an item, and what follows from a decision.

Originals are fetched when somebody looks, held in memory while the next ones are looked at, and
never written.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from deid import DeidentifiedScan
from deid.errors import CorrectionError
from deid.reading import read
from deid.tag_paths import parsed_path
from plugin.archive import NotFoundError
from plugin.deid_review.accesses import AccessAudit, Shown, Sight
from plugin.deid_review.ledger import ReviewLedger, timestamp
from plugin.deid_review.pictures import Window, picture, size_of, window_of
from plugin.deid_review.records import Decision, Draft, Item, State
from plugin.deid_review.tags import tag_table
from plugin.deid_review.terms import Term, TermBook
from plugin.deid_review.workshop import Workshop, content_of
from plugin.queue import QueueError

LOGGER = logging.getLogger(__name__)

_LOOKED_AT = 6
_OWED_SECONDS = 1.0


class ItemGoneError(RuntimeError):
    """Orthanc no longer has what the item is about, or has other bytes."""


class NotDecidableError(RuntimeError):
    """The item is not in a state in which this can be decided."""


class NotAReviewerError(RuntimeError):
    """The account may see no original."""


class Files(Protocol):
    """Orthanc."""

    def file(self, instance: str, /) -> bytes:
        """The DICOM file as stored."""

    def series(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of a series."""


class Queue(Protocol):
    """Where scans are queued again."""

    def pending_for(self, resources: Iterable[str], /) -> int:
        """How many arrivals and jobs of these Orthanc identifiers are not finished."""

    def analyse_again(self, instance: str, /) -> None:
        """Queue an instance again, before what arrives by itself."""


@dataclass(frozen=True)
class Look:
    """An image as it is and as it would leave, now.

    Attributes:
        window: in which both are drawn.
        frames: of the image, or images of the series.
    """

    item: Item
    original: bytes
    result: DeidentifiedScan
    window: Window
    rows: int
    columns: int
    frames: int
    frame: int


@dataclass
class ReviewDesk:
    """Shows items and takes decisions.

    Attributes:
        reviewers: accounts that may look and decide.
        accesses: keeps who was shown which original.
        auditors: accounts that may read that.
    """

    ledger: ReviewLedger
    terms: TermBook
    workshop: Workshop
    files: Files
    queue: Queue
    reviewers: Sequence[str]
    accesses: AccessAudit
    auditors: Sequence[str] = ()
    _looks: OrderedDict[tuple[int, int, str, int], Look] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def may_review(self, account: str) -> bool:
        """Whether an account may see originals and decide."""
        return bool(account) and account in self.reviewers

    def look(self, item: Item, frame: int = 1) -> Look:
        """An item with original and result.

        Args:
            item: which.
            frame: counted from 1: of the image, or the image of a series.

        Raises:
            ItemGoneError: what it is about is gone or has changed.
            deid.DeidentificationError: the draft can't be carried out.
            NoPictureError: the pixels can't be drawn.
        """
        of_series = item.subject.scope == "series"
        key = (item.id, item.revision, item.subject.content, frame if of_series else 0)
        with self._lock:
            known = self._looks.get(key)
            if known is None:
                known = self._looks[key] = self._made(item, frame if of_series else 1)
            self._looks.move_to_end(key)
            while len(self._looks) > _LOOKED_AT:
                self._looks.popitem(last=False)
        return known

    def may_audit(self, account: str) -> bool:
        """Whether an account may read who has looked at originals."""
        return bool(account) and account in self.auditors

    def original_picture(self, look: Look, frame: int, longest: int, account: str) -> bytes:
        """The original as PNG, for an account; that it was shown is on the disk first.

        Raises:
            NotAReviewerError: the account may see none.
            NoPictureError: the pixels can't be drawn.
            QueueError, deid.errors.VaultError: it can't be kept that it is shown.
        """
        self._shown(look, Shown.PICTURE, frame, account)
        return picture(look.original, self._within(look, frame), look.window, longest)

    def result_picture(self, look: Look, frame: int, longest: int) -> bytes:
        """What would leave as PNG, in the original's window."""
        return picture(look.result.to_bytes(), self._within(look, frame), look.window, longest)

    def tags(self, look: Look, account: str) -> list[dict[str, Any]]:
        """What became of each tag, with both values; that they were shown is on the disk first.

        Raises:
            NotAReviewerError, QueueError, deid.errors.VaultError: as for ``original_picture``.
        """
        self._shown(look, Shown.VALUES, look.frame, account)
        return tag_table(look.original, look.result)

    def paths(self, item: Item, given: Sequence[str]) -> tuple[str, ...]:
        """Paths of elements by numbers, whichever way they were written.

        Raises:
            CorrectionError: one is no path, or names a private creator that is not there.
            ItemGoneError: what the item is about is gone or has changed.
        """
        if not given:
            return ()
        header = read(self.look(item).original, pixels=False).header
        return tuple(sorted({str(parsed_path(text, header)) for text in given}))

    def edit(self, item: Item, draft: Draft, account: str, reason: str) -> Item:
        """Keep another draft, if de-identification can carry it out.

        Raises:
            CorrectionError: it can't; says why.
            ChangedMeanwhileError: somebody else has decided.
            NotDecidableError: the item does not wait, or is a series.
        """
        self._must_wait(item)
        if item.subject.scope == "series" and draft != Draft():
            raise NotDecidableError("boxes and values are corrected image by image, not by series")
        changed = item.model_copy(update={"draft": draft, "revision": item.revision + 1})
        self._made(changed, 1)
        decision = _decision("edit", changed, account, reason)
        return self.ledger.decide(item, decision, State.WAITING, owed=False)

    def accept(self, item: Item, account: str, reason: str) -> Item:
        """What was shown may leave.

        Raises:
            ItemGoneError, DeidentificationError: it can't be made any more.
            ChangedMeanwhileError: somebody else has decided.
            NotDecidableError: the item does not wait.
        """
        self._must_wait(item)
        self.look(item)
        again = item.holds or item.revision > 0
        decided = _decision("accept", item, account, reason)
        return self._decided(item, decided, State.ACCEPTED, again)

    def reject(self, item: Item, account: str, reason: str) -> Item:
        """Nothing of it leaves, for good.

        Raises:
            ChangedMeanwhileError: somebody else has decided.
            NotDecidableError: the item does not wait.
        """
        self._must_wait(item)
        # Where it was let pass meanwhile, its state is to say so.
        decided = _decision("reject", item, account, reason)
        return self._decided(item, decided, State.REJECTED, again=True)

    def take_back(self, item: Item, account: str, reason: str) -> Item:
        """An accepted item waits again.

        Raises:
            ChangedMeanwhileError: somebody else has decided.
            NotDecidableError: the item is not accepted.
        """
        if item.state is not State.ACCEPTED:
            raise NotDecidableError("only what was accepted can be taken back")
        decided = _decision("take-back", item, account, reason)
        return self._decided(item, decided, State.WAITING, again=True)

    def propose(self, item: Item, terms: tuple[Term, ...], account: str) -> None:
        """Keep words for a second person to confirm.

        Raises:
            CorrectionError: a word for the whitelist is a name or number of this very image.
        """
        if not terms:
            return
        wanted = {one.term for one in terms if one.list == "whitelist"}
        if wanted & self._denied(self.look(item).original):
            raise CorrectionError("a word for the whitelist is a name or number of this image")
        self.terms.propose(terms, account)

    def pay(self) -> int:
        """Queue the scans that decisions owe; how many are still owed.

        A scan that is being worked on is queued when that is over: a job that has asked for the
        decision before it was made does not ask again.
        """
        waiting = 0
        for item in self.ledger.owed():
            subject = item.subject
            resources = {subject.resource, subject.series} - {""}
            if self.queue.pending_for(resources):
                waiting += 1
                continue
            instance = self._an_instance(item)
            if instance:
                self.queue.analyse_again(instance)
            self.ledger.paid(item)
        return waiting

    def keep_paying(self) -> None:
        """Queue what is owed, until the process ends."""
        while True:
            try:
                self.pay()
            except (QueueError, OSError, RuntimeError) as error:
                LOGGER.warning("reviewed scans wait to be queued: %s", type(error).__name__)
            time.sleep(_OWED_SECONDS)

    def _shown(self, look: Look, kind: Shown, frame: int, account: str) -> None:
        if not self.may_review(account):
            raise NotAReviewerError("this account may not see originals")
        item = look.item
        within = frame if item.subject.scope == "series" else self._within(look, frame)
        sight = Sight(kind, item.id, item.subject.resource, within, item.reason.value)
        self.accesses.add(account, sight)

    def _an_instance(self, item: Item) -> str:
        if item.subject.scope == "image":
            return item.subject.resource
        try:
            return str(self.files.series(item.subject.resource)["Instances"][0])
        except (NotFoundError, LookupError):
            return ""  # deleted: there is nothing to run again

    def _decided(self, item: Item, decision: Decision, state: State, again: bool) -> Item:
        decided = self.ledger.decide(item, decision, state, owed=again)
        try:
            self.pay()
        except (QueueError, RuntimeError) as error:
            LOGGER.warning("a reviewed scan waits to be queued: %s", type(error).__name__)
        return decided

    def _must_wait(self, item: Item) -> None:
        if item.state is not State.WAITING:
            raise NotDecidableError(f"this was {item.state} already")

    def _made(self, item: Item, frame: int) -> Look:
        instances = self._instances(item)
        of_series = item.subject.scope == "series"
        original = self._original(item, instances, frame)
        result = self.workshop.image(original, item.draft.corrections)
        rows, columns, frames = size_of(original)
        return Look(
            item=item,
            original=original,
            result=result,
            window=window_of(original, 1),
            rows=rows,
            columns=columns,
            frames=len(instances) if of_series else frames,
            frame=frame,
        )

    def _instances(self, item: Item) -> list[str]:
        if item.subject.scope == "image":
            return [item.subject.resource]
        try:
            instances: list[str] = self.files.series(item.subject.resource)["Instances"]
        except NotFoundError:
            raise ItemGoneError("Orthanc no longer has it") from None
        return instances

    def _original(self, item: Item, instances: Sequence[str], frame: int) -> bytes:
        """The file that is looked at; with the first one all are held against the item."""
        try:
            if frame > 1:
                return self.files.file(instances[min(frame, len(instances)) - 1])
            originals = [self.files.file(instance) for instance in instances]
        except NotFoundError:
            raise ItemGoneError("Orthanc no longer has it") from None
        if content_of(originals) != item.subject.content:
            raise ItemGoneError("Orthanc has other bytes now: the next analysis asks again")
        return originals[0]

    @staticmethod
    def _within(look: Look, frame: int) -> int:
        return 1 if look.item.subject.scope == "series" else min(frame, look.frames)

    def _denied(self, original: bytes) -> frozenset[str]:
        from deid.context import encodings_of  # noqa: PLC0415 - for the few who propose words
        from deid.identifiers import denied_words, elements_of  # noqa: PLC0415

        header = read(original, pixels=False).header
        return denied_words(elements_of(header), encodings_of(header.text(0x00080005)))


def _decision(action: Any, item: Item, account: str, reason: str) -> Decision:
    return Decision(
        action=action,
        revision=item.revision,
        by=account,
        at=timestamp(),
        reason=reason,
        draft=item.draft,
    )
