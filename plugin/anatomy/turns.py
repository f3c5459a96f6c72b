# SPDX-License-Identifier: AGPL-3.0-or-later
"""One worker at a time changes the record of a series; the others wait for their turn."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOGGER = logging.getLogger(__name__)

FOLDER = "anatomy_turns"
FILES = 16
"""Series that share a file wait for each other, too; it is for as long as two requests."""


class Turns:
    """Locks in a folder that all workers of a node share, by series.

    The system gives back what a worker held that was killed. The files are empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told = False

    @classmethod
    def beside(cls, queue_file: str) -> Turns:
        """The folder that belongs to a queue."""
        return cls(Path(queue_file).with_name(FOLDER))

    @contextmanager
    def turn(self, series: str) -> Iterator[None]:
        """Held from reading the record of a series to writing it; not to be taken twice at once.

        Where no lock can be had, two workers may overwrite each other's answers, with a line in
        the log: no scan is kept back for it.

        Args:
            series: Orthanc identifier.
        """
        held = self._locked(series)
        try:
            yield
        finally:
            if held is not None:
                os.close(held)

    def _locked(self, series: str) -> int | None:
        number = hashlib.blake2b(series.encode(), digest_size=1).digest()[0] % FILES
        held: int | None = None
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            held = os.open(self._folder / f"{number:02d}", flags, 0o600)
            fcntl.flock(held, fcntl.LOCK_EX)
        except OSError as error:
            self._tell(error)
            if held is not None:
                os.close(held)
            return None
        return held

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            why = error.strerror or type(error).__name__
            LOGGER.error("workers don't wait for each other: %s can't be locked: %s", FOLDER, why)
