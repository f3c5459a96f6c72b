# SPDX-License-Identifier: AGPL-3.0-or-later
"""The arrivals that Orthanc's hook appends: plain lines in files that only Orthanc writes.

Why not a row in the queue's SQLite file: a writer there waits for the other writers, and those are
workers at a low priority. One that loses the processor while it holds the file's lock stops the
hook, and with it Orthanc's storing, for milliseconds. An append to a file of one's own waits for
nobody.

Each process that writes starts a new segment, so a line cut short by a crash is the last of its
file and never runs into the next one. The newest has the highest name, also where the clock was set
back since the one before: all others count as finished. Readers keep their position in the queue,
in the transaction that makes jobs of what they read.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path

from plugin.queue_file import QueueError

LOGGER = logging.getLogger(__name__)

SEGMENT_BYTES = 1 << 20
_RECENT_BYTES = 1 << 14
_SUFFIX = ".arrivals"
_NAME = re.compile(rf"^\d{{20}}{re.escape(_SUFFIX)}$", re.ASCII)
_LINE = re.compile(rb"^([!-~]+) +([^\s\x80-\xff]+) +([0-9]+\.[0-9]+)\n", re.MULTILINE)
_WORD = re.compile(r"[!-~]+")


class JournalError(QueueError):
    """Arrivals can't be appended or read; the message says why."""


@dataclass(frozen=True)
class Entry:
    """One line: an instance that was stored, and where the line after it begins."""

    segment: str
    end: int
    instance: str
    sop_class: str
    received: float


class JournalWriter:
    """Appends lines, from any thread of one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._file: int | None = None
        self._path = folder
        self._written = 0

    def append(self, instance: str, sop_class: str) -> bool:
        """Append one arrival; it is there when this returns, whatever process ends then.

        Returns:
            Whether all that this process appended before was there to be read: False where the
            file was deleted or moved meanwhile.

        Raises:
            JournalError: disk full, folder unwritable ...
        """
        # Who reads a line asks Orthanc for a class that it doesn't hold.
        kind = sop_class if _WORD.fullmatch(sop_class) else "-"
        line = f"{instance} {kind} {time.time():.6f}\n".encode("ascii")
        with self._lock:
            try:
                return self._append(line)
            except OSError as error:
                self._close()
                raise JournalError(error.strerror or str(error)) from error

    def _append(self, line: bytes) -> bool:
        there = self._file is None or _is_at(self._path, self._file)
        if self._file is None or not there or self._written > SEGMENT_BYTES:
            self._close()
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path = self._folder / self._next_name()
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
            self._written = 0
        if os.write(self._file, line) != len(line):
            raise OSError("the disk is full")
        self._written += len(line)
        return there

    def _next_name(self) -> str:
        """The name of a new segment, after all that are there, whatever the clock says."""
        newest = JournalReader(self._folder).segments()[-1:]
        after = [int(name.removesuffix(_SUFFIX)) + 1 for name in newest]
        return f"{max([time.time_ns(), *after]):020}{_SUFFIX}"

    def _close(self) -> None:
        # A line that was cut short stays the last of its segment.
        if self._file is not None:
            os.close(self._file)
        self._file = None


class JournalReader:
    """Reads lines after given positions; ``positions`` maps segment to the offset read so far.

    What is no arrival, as zeros after a power failure, is passed over with a line in the log: what
    it stood for is found in Orthanc's changes at the start that follows.

    Raises:
        JournalError: from every method, when the folder or a segment can't be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._unread: dict[str, _Unread] = {}

    def entries(self, positions: dict[str, int], limit: int) -> list[Entry]:
        """The oldest unread entries, at most ``limit``."""
        found: list[Entry] = []
        for segment in self.segments():
            for entry in self._read(segment, positions.get(segment, 0)):
                found.append(entry)
                if len(found) == limit:
                    return found
        return found

    def count(self, positions: dict[str, int]) -> int:
        """How many entries are unread."""
        return sum(self._lines(one, positions.get(one, 0)) for one in self.segments())

    def count_of(self, instances: Set[str], positions: dict[str, int]) -> int:
        """How many unread entries are of these instances.

        Each line is parsed once in the life of this reader: it is asked all the time while scans
        pour in.
        """
        with self._lock:
            found = {one: self._unread.get(one) for one in self.segments()}
            self._unread = {
                segment: self._read_on(segment, known, positions.get(segment, 0))
                for segment, known in found.items()
            }
            return sum(
                end > positions.get(segment, 0)
                for segment, known in self._unread.items()
                for instance in instances & known.ends.keys()
                for end in known.ends[instance]
            )

    def arrived(self, seconds: float) -> int:
        """How many of the last lines are not older than ``seconds``; a hundred at most."""
        segments = self.segments()
        if not segments:
            return 0
        # The first may begin within a line, whose rest is no arrival.
        recent = self._content(segments[-1], -_RECENT_BYTES)
        moments = [float(found[3]) for found in _LINE.finditer(recent)]
        since = time.time() - seconds
        return sum(moment >= since for moment in moments[-100:])

    def finished(self, positions: dict[str, int]) -> list[str]:
        """Segments that are read to their end and are not written any more."""
        older = self.segments()[:-1]
        return [one for one in older if not self._lines(one, positions.get(one, 0))]

    def remove(self, segment: str) -> None:
        """Delete a finished segment."""
        try:
            (self._folder / segment).unlink(missing_ok=True)
        except OSError as error:
            raise _unreadable(error) from error

    def segments(self) -> list[str]:
        """Names of all segments, the oldest first."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(error) from error
        return sorted(name for name in names if _NAME.match(name))

    def _lines(self, segment: str, position: int) -> int:
        return sum(1 for _ in _LINE.finditer(self._content(segment, position)))

    def _read_on(self, segment: str, known: _Unread | None, position: int) -> _Unread:
        """What is known of a segment, with the lines that it has got since."""
        if known is None or not known.start <= position < known.end:
            known = _Unread(position, position)
        for entry in self._read(segment, known.end):
            known.ends.setdefault(entry.instance, []).append(entry.end)
            known.end = entry.end
        return known

    def _content(self, segment: str, position: int) -> bytes:
        """What follows a position; where that is negative, so many of the last bytes."""
        try:
            with (self._folder / segment).open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(position if position >= 0 else max(0, end + position))
                return file.read()
        except FileNotFoundError:
            return b""  # another worker was faster
        except OSError as error:
            raise _unreadable(error) from error

    def _read(self, segment: str, position: int) -> Iterator[Entry]:
        content = self._content(segment, position)
        # The last line may be being written, or cut short by a crash.
        for line in content[: content.rfind(b"\n") + 1].split(b"\n")[:-1]:
            position += len(line) + 1
            found = _LINE.fullmatch(line + b"\n")
            if found is None:
                self._tell(segment)
                continue
            instance, sop_class, received = (part.decode("ascii") for part in found.groups())
            yield Entry(
                segment, position, instance, "" if sop_class == "-" else sop_class, float(received)
            )

    def _tell(self, segment: str) -> None:
        if segment not in self._told:
            self._told.add(segment)
            LOGGER.warning("a file of arrivals holds lines that are none; they are passed over")


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _unreadable(error: OSError) -> JournalError:
    return JournalError(f"the folder of arrivals: {error.strerror or type(error).__name__}")


@dataclass
class _Unread:
    """Lines of a segment from ``start`` to ``end``: where those of an instance end."""

    start: int
    end: int
    ends: dict[str, list[int]] = field(default_factory=dict)
