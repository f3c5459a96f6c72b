# SPDX-License-Identifier: AGPL-3.0-or-later
"""Words that reviewers propose for the site's whitelist and graylist, and that another confirms.

A proposal names no scan: a graylisted word may be somebody's name.
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
TermState = Literal["proposed", "confirmed", "refused"]
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

        Raises:
            SamePersonError: who proposed it may take it back, but not confirm it.
            TermDecidedError: it is decided about already.
            OSError: the vocabulary can't be written; it is written at the next start.
        """
        if confirm and folded(by) == folded(proposal.proposed_by):
            raise SamePersonError("another person than the one who proposed it confirms a term")
        state = "confirmed" if confirm else "refused"
        now = timestamp()
        with self._file.transaction() as db:
            cursor = db.execute(
                "UPDATE terms SET state = ?, decided_by = ?, decided_at = ?, reason = ?"
                " WHERE id = ? AND state = ? AND proposed_by = ?",
                (state, by, now, reason, proposal.id, proposal.state, proposal.proposed_by),
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
            confirmed = self.proposals("confirmed")
            lists = (
                frozenset(one.term for one in confirmed if one.list == name)
                for name in SiteWords._fields
            )
            words = SiteWords(*lists)
            if any(words) or self._path.exists():
                write_vocabulary(self._path, words)


def _proposal(row: tuple[Any, ...]) -> Proposal:
    return Proposal(**dict(zip(_NAMES, row, strict=True)))
