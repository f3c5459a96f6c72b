# SPDX-License-Identifier: Apache-2.0
"""The record, in the output folder, of the inputs that are done: what a killed run had finished.

One line of JSON for each, appended after the file is under its name (and its originals are in the
vault, where there is one). A line cut off by a kill is no line: that input is done once more, with
the same result. Digests are keyed, so that the journal tells nobody which inputs there were.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from deid.batch.outcome import Written
from deid.errors import OutputError

FOLDER, UNFINISHED = ".sidelight-deid", ".part"
_NAME = "journal.jsonl"


class Finished(NamedTuple):
    """One input that is done.

    Attributes
    ----------
    written:
        What was made of it.
    vault:
        Identifier of the vault that has its originals, ``""`` where none has.
    """

    written: Written
    vault: str


class Journal:
    """The journal of one output folder; one run at a time may hold it.

    Raises
    ------
    OutputError
        If the folder can't be written, or another run is at work in it.
    """

    def __init__(self, out: Path) -> None:
        file = out / FOLDER / _NAME
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # Without a buffer: what a full disk does not take must not be tried again at the end.
            self._stream = file.open("a+b", buffering=0)
        except OSError as error:
            raise OutputError(f"can't write to the output folder: {error.strerror}") from None
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._stream.close()
            raise OutputError("another run is writing to this output folder: wait for it") from None
        try:
            for left in file.parent.glob(f"*{UNFINISHED}"):
                left.unlink()
            self.finished = self._read()
        except OSError as error:
            self._stream.close()
            raise OutputError(f"can't write to the output folder: {error.strerror}") from None

    def add(self, digest: str, finished: Finished) -> None:
        """Note that an input is done.

        Raises
        ------
        OutputError
            If the disk is full.
        """
        made = finished.written._asdict()
        line = json.dumps({"input": digest, "vault": finished.vault, "written": made})
        content = line.encode() + b"\n"
        try:
            written = self._stream.write(content)
        except OSError as error:
            raise OutputError(f"can't write the journal: {error.strerror}") from None
        if written != len(content):
            raise OutputError("can't write the journal: the disk is full")

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def _read(self) -> dict[str, Finished]:
        self._stream.seek(0)
        content = self._stream.read()
        if content and not content.endswith(b"\n"):
            whole = content.rfind(b"\n") + 1
            os.truncate(self._stream.fileno(), whole)
            content = content[:whole]
        return dict(filter(None, map(_entry, content.splitlines())))


def started(out: Path) -> bool:
    """Whether a run has written to an output folder before."""
    return (out / FOLDER / _NAME).exists()


def _entry(line: bytes) -> tuple[str, Finished] | None:
    """Digest and record of a line; ``None`` of what is none, whose input is then done again."""
    try:
        read = json.loads(line)
        return str(read["input"]), Finished(_written(read["written"]), str(read["vault"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _written(read: dict[str, Any]) -> Written:
    records = read.pop("records")
    methods = tuple(read.pop("methods"))
    told = None if records is None else tuple(map(tuple, records))
    return Written(**read, methods=methods, records=told)
