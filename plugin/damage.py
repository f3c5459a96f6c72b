# SPDX-License-Identifier: AGPL-3.0-or-later
"""Damaged SQLite files of the data directory: told by their names, with what is to be done."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

LOGGER = logging.getLogger(__name__)

# With its -wal, which would be read into the file that takes its place.
_MOVE = "move {name}* away"
_REPLACE = "move {name}* away and put its backup there"
_REPLACE_OR_MOVE = "move {name}* away, and put its backup there if there is one"
_REMEDIES = {
    "anatomy.sqlite": _MOVE,
    "anatomy_words.sqlite": _MOVE,
    "copies.sqlite": _REPLACE_OR_MOVE,
    "deid-review-audit.sqlite": _REPLACE_OR_MOVE,
    "deid-review.sqlite": _REPLACE,
    "outbox.sqlite": _REPLACE_OR_MOVE,
    "queue.sqlite": _MOVE,
    "reviews.sqlite": _MOVE,
    "routing.sqlite": _MOVE,
    "standard_headers.sqlite": _MOVE,
    "study_sums.sqlite": _MOVE,
}
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damage(error: BaseException | None) -> bool:
    """Whether a file is damaged; what is locked, or a full disk, comes and goes."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def tells_of_damage(error: BaseException | None) -> bool:
    """Whether an error goes back to a damaged file."""
    while error is not None:
        if is_damage(error):
            return True
        error = error.__cause__
    return False


def in_words(path: Path, error: sqlite3.Error) -> str:
    """The file's name, what is wrong, and what to do where it is damaged."""
    name = path.name
    if not is_damage(error):
        return f"{name}: {error}"
    remedy = _REMEDIES.get(name, _MOVE).format(name=name)
    return f"{name} is damaged ({error}): stop Orthanc, {remedy}, start it again"


def problems(data: Path) -> list[str]:
    """What is wrong with files of a data directory, but for the queue, which is looked at anyhow.

    A look at the first page of each: a file that is damaged further behind is told of where it is
    used.
    """
    return [said for name in _REMEDIES if name != "queue.sqlite" and (said := _look(data / name))]


class Forgiving:
    """Goes on without a file that is damaged, with one line in the log.

    Args:
        lost: what can't be kept or said without it.
    """

    def __init__(self, lost: str) -> None:
        self._lost = lost
        self._told = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Errors of the body that tell of a damaged file end here."""
        try:
            yield
        except OSError as error:
            if not tells_of_damage(error):
                raise
            if not self._told:
                self._told = True
                LOGGER.error("%s: %s", self._lost, error)  # noqa: TRY400 - it is foreseen


def _look(path: Path) -> str:
    if not path.exists():
        return ""
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=0.0)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return "" if _code(error) in _PASSING else in_words(path, error)
    return ""


def _code(error: BaseException | None) -> int:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code & 0xFF
