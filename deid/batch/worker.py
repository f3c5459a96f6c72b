# SPDX-License-Identifier: Apache-2.0
"""De-identifies one file after another, in whatever process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from deid.batch.journal import FOLDER, UNFINISHED, Finished
from deid.batch.outcome import Outcome, Result, Written
from deid.batch.settings import Settings
from deid.errors import DeidentificationError, NotDicomError, OutputError
from deid.scan import DeidentifiedScan
from deid.source_files import SourceFile
from deid.vault.originals import Pair, originals_of


class Task(NamedTuple):
    """What a worker is to do.

    Attributes
    ----------
    settings:
        Key, options, policy.
    out:
        The output folder.
    detailed:
        Whether the record of each element is wanted.
    vault:
        Identifier of the vault that gets the originals, ``""`` where none does.
    finished:
        Inputs that earlier runs have done, by digest.
    """

    settings: Settings
    out: Path
    detailed: bool
    vault: str
    finished: Mapping[str, Finished]


class Worker:
    """Carries out a task, file by file."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._deidentifier = task.settings.deidentifier()
        self._pseudonyms = task.settings.pseudonyms()
        self._digest_key = task.settings.key().derive("journal")
        self._digest_start = task.settings.digest()

    def process(self, file: SourceFile) -> Outcome:
        """De-identify a file, unless that is done already.

        Raises
        ------
        OutputError
            If the result can't be written; what can't be read or de-identified is an outcome.
        """
        try:
            content = file.read()
            digest = self._digest(content)
            done = self._done(digest)
            if done is not None:
                return Outcome(Result.WRITTEN, digest, done, resumed=True)
            scan = self._deidentifier.deidentify(content)
            kept = self._originals(content) if self._task.vault else ()
        except NotDicomError:
            return Outcome(Result.NOT_DICOM)
        except DeidentificationError as error:
            return Outcome(Result.REFUSED, reason=f"{type(error).__name__}: {error}")
        return Outcome(Result.WRITTEN, digest, self._write(scan), originals=kept)

    def _digest(self, content: bytes) -> str:
        keyed = hashlib.blake2b(self._digest_start, digest_size=16, key=self._digest_key)
        keyed.update(content)
        return keyed.hexdigest()

    def _done(self, digest: str) -> Written | None:
        """What an earlier run made of it, if it is all there and tells all that is asked."""
        found = self._task.finished.get(digest)
        if found is None or (self._task.vault and found.vault != self._task.vault):
            return None
        if self._task.detailed and found.written.records is None:
            return None
        file = self._task.out / found.written.place
        complete = file.is_file() and file.stat().st_size == found.written.size
        return found.written if complete else None

    def _originals(self, content: bytes) -> tuple[Pair, ...]:
        return originals_of(content, self._pseudonyms, self._deidentifier.uid)

    def _write(self, scan: DeidentifiedScan) -> Written:
        content, report = scan.to_bytes(), scan.report
        made = Written(
            scan.study_instance_uid,
            scan.series_instance_uid,
            scan.sop_instance_uid,
            len(content),
            {str(action): number for action, number in report.counts.items()},
            tuple(report.methods),
            tuple((record.path, record.rule, str(record.action)) for record in report.elements)
            if self._task.detailed
            else None,
        )
        file = self._task.out / made.place
        # Under its name a file is complete, also after a crash in between; the journal clears what
        # a kill left behind. Processes given the same instance twice don't disturb each other.
        temporary = self._task.out / FOLDER / f"{os.getpid()}{UNFINISHED}"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            temporary.replace(file)
        except OSError as error:
            raise OutputError(f"can't write to the output folder: {error.strerror}") from None
        return made
