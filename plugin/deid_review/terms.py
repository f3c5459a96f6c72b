# SPDX-License-Identifier: AGPL-3.0-or-later
"""Words that reviewers propose for the site's whitelist and graylist, and that another confirms.

A proposal names no scan: a graylisted word may be somebody's name. A whitelisted word that is
withdrawn lets less pass, and one person does it; one less on the graylist lets more pass, and takes
two people as well.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from deid.site_vocabulary import SiteWords, write_vocabulary
from deid.vocabulary import folded
from plugin.deid_review.ledger import ReviewLedger, timestamp

ListName = Literal["whitelist", "graylist"]
TermState = Literal["proposed", "confirmed", "withdrawal-proposed", "refused"]
IN_FORCE: tuple[TermState, ...] = ("confirmed", "withdrawal-proposed")
_WORD = re.compile(r"[^\W\d_]{2,40}")


class SamePersonError(RuntimeError):
    """A word is confirmed by another person than the one who proposed it."""


class TermDecidedError(RuntimeError):
    """The word was decided about already."""


def _word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise ValueError("a term is one word of 2 to 40 letters")
    return folded(value)


class Term(BaseModel):
    """One word for one list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    term: Annotated[str, Field(max_length=40), AfterValidator(_word)]
    list: ListName


class Proposal(BaseModel):
    """A word, who proposed it, and what became of it."""

    model_config = ConfigDict(frozen=True)

    id: int
    term: str
    list: ListName
    state: TermState
    proposed_by: str
    proposed_at: str
    decided_by: str
    decided_at: str
    reason: str


_NAMES = tuple(Proposal.model_fields)
_COLUMNS = ", ".join(_NAMES)


class TermBook:
    """Proposals in the ledger's file, and the vocabulary that the confirmed ones make.

    Args:
        path: the vocabulary that ``deid`` reads.

    Raises:
        QueueError: from every method, when the file can't be read or written.
    """

    def __init__(self, ledger: ReviewLedger, path: Path) -> None:
        self._file = ledger.file
        self._path = path
        self._writing = threading.Lock()

    def propose(self, terms: tuple[Term, ...], by: str) -> None:
        """Keep proposals; a word that was refused before may be proposed again."""
        now = timestamp()
        rows = [(one.term, one.list, "proposed", by, now) for one in terms]
        with self._file.transaction() as db:
            db.executemany(
                "INSERT INTO terms (term, list, state, proposed_by, proposed_at)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (term, list) DO UPDATE SET"
                " state = excluded.state, proposed_by = excluded.proposed_by,"
                " proposed_at = excluded.proposed_at, decided_by = '', decided_at = '',"
                " reason = '' WHERE state = 'refused'",
                rows,
            )

    def proposals(self, state: TermState | None = None) -> list[Proposal]:
        """Proposals of one state or all, the oldest first."""
        query = f"SELECT {_COLUMNS} FROM terms WHERE ? = '' OR state = ? ORDER BY id"  # noqa: S608
        rows = self._file.read(query, (state or "", state or ""))
        return [_proposal(row) for row in rows]

    def proposal(self, number: int) -> Proposal | None:
        """The proposal of this number."""
        rows = self._file.read(f"SELECT {_COLUMNS} FROM terms WHERE id = ?", (number,))  # noqa: S608
        return _proposal(rows[0]) if rows else None

    def decide(self, proposal: Proposal, *, confirm: bool, by: str, reason: str) -> Proposal:
        """Confirm or refuse a proposal; the vocabulary follows.

        To refuse a word in force is to withdraw it. A graylisted word stays in force until a second
        person refuses it too; to confirm it meanwhile ends that.

        Raises:
            SamePersonError: who proposed a word, or its withdrawal, is the second person too.
            TermDecidedError: it is decided about already.
            OSError: the vocabulary can't be written; it is written at the next start.
        """
        state = _state_after(proposal, confirm=confirm, by=by)
        now = timestamp()
        with self._file.transaction() as db:
            cursor = db.execute(
                "UPDATE terms SET state = ?, decided_by = ?, decided_at = ?, reason = ?"
                " WHERE id = ? AND state = ? AND proposed_by = ? AND decided_by = ?",
                (
                    *(state, by, now, reason, proposal.id),
                    *(proposal.state, proposal.proposed_by, proposal.decided_by),
                ),
            )
            if cursor.rowcount != 1 or proposal.state in ("refused", state):
                raise TermDecidedError("it was decided about already: look again")
        self.write()
        changes = {"state": state, "decided_by": by, "decided_at": now, "reason": reason}
        return proposal.model_copy(update=changes)

    def write(self) -> None:
        """Make the vocabulary say what is confirmed.

        Raises:
            OSError: it can't be written.
        """
        with self._writing:
            confirmed = [one for state in IN_FORCE for one in self.proposals(state)]
            lists = (
                frozenset(one.term for one in confirmed if one.list == name)
                for name in SiteWords._fields
            )
            words = SiteWords(*lists)
            if any(words) or self._path.exists():
                write_vocabulary(self._path, words)


def same_person(one: str, other: str) -> bool:
    """Whether two accounts differ in case at most: those are taken for one person's."""
    return folded(one) == folded(other)


def _state_after(proposal: Proposal, *, confirm: bool, by: str) -> TermState:
    if confirm:
        if proposal.state == "proposed" and same_person(by, proposal.proposed_by):
            raise SamePersonError("another person than the one who proposed it confirms a term")
        return "confirmed"
    if proposal.list == "graylist" and proposal.state == "confirmed":
        return "withdrawal-proposed"
    if proposal.state == "withdrawal-proposed" and same_person(by, proposal.decided_by):
        raise SamePersonError(
            "another person than the one who proposed to withdraw it confirms that"
        )
    return "refused"


def _proposal(row: tuple[Any, ...]) -> Proposal:
    return Proposal(**dict(zip(_NAMES, row, strict=True)))
