# SPDX-License-Identifier: AGPL-3.0-or-later
"""How far all of Orthanc's changes are worked off, once more beside the queue.

The queue's file may be lost: damaged, or moved away. A new one knows nothing, as that of a first
start, where the old archive is not analysed unasked. This small file tells the two apart, and says
from which change on there may be scans that were still to do.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from plugin.queue_file import QueueError

LOGGER = logging.getLogger(__name__)

FILE_NAME = "last-change"


@dataclass
class ChangeMark:
    """The file at ``path``: one number, a sequence number of Orthanc's changes."""

    path: Path
    _known: int | None = None

    @classmethod
    def beside(cls, queue_file: str) -> ChangeMark:
        """The mark that belongs to a queue."""
        return cls(Path(queue_file).with_name(FILE_NAME))

    def read(self) -> int | None:
        """The number; None where there is none.

        Raises:
            QueueError: there is one that can't be read.
        """
        try:
            text = self.path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            self._known = None
            return None
        except (OSError, ValueError) as error:
            raise _unreadable(getattr(error, "strerror", None) or "no number") from error
        if not text.isdecimal():
            raise _unreadable("no number")
        self._known = int(text)
        return self._known

    def restore(self, change: int) -> None:
        """Keep what was known last, else ``change``, where there is none that can be read."""
        known = self._known
        try:
            if self.read() is not None:
                return
        except QueueError as error:
            self._known = None
            LOGGER.warning("%s", error)
        self.write(change if known is None else known)

    def write(self, change: int) -> None:
        """Keep the number, where it is another one than before.

        Never an error: the queue knows it as long as it is there.
        """
        if change == self._known:
            return
        partial = self.path.with_name(f".{FILE_NAME}.{os.getpid()}")
        try:
            with partial.open("w", encoding="ascii") as stream:
                stream.write(f"{change}\n")
                stream.flush()
                os.fsync(stream.fileno())
            partial.rename(self.path)
        except OSError as error:
            LOGGER.warning("%s can't be written: %s", FILE_NAME, error.strerror)
            return
        self._known = change


def _unreadable(why: str) -> QueueError:
    return QueueError(
        f"{FILE_NAME} can't be read ({why}): make it readable, or delete it to analyse only what"
        " comes from now on"
    )
