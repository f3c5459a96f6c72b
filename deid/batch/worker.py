# SPDX-License-Identifier: Apache-2.0
"""De-identifies one file after another, in whatever process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from deid.batch.journal import FOLDER, UNFINISHED, Finished
from deid.batch.outcome import Outcome, Result, Written
from deid.batch.settings import Settings
from deid.deidentifier import Deidentifier
from deid.documents import FlaggingStage
from deid.errors import (
    DeidentificationError,
    DocumentDroppedError,
    DocumentForReviewError,
    FaceMaskError,
    NotDicomError,
    OutputError,
)
from deid.extensions import Extensions
from deid.policy import Faces, Policy
from deid.reading import study_of
from deid.report import ElementRecord
from deid.revealed import Revealed
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
    set_aside:
        Folder, outside of ``out``, for series whose faces can't be masked, and for documents that
        wait for a person: de-identified but for these; ``None`` where they are only refused.
    revealed:
        What reports say of the studies.
    """

    settings: Settings
    out: Path
    detailed: bool
    vault: str
    finished: Mapping[str, Finished]
    set_aside: Path | None = None
    revealed: Revealed | None = None


class Worker:
    """Carries out a task, file by file."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._deidentifier = task.settings.deidentifier(task.revealed)
        self._pseudonyms = task.settings.pseudonyms()
        self._digest_key = task.settings.key().derive("journal")
        self._digest_start = task.settings.digest()

    @property
    def by_series(self) -> bool:
        """Whether files are to be handed over as whole series."""
        return self._task.settings.policy.faces is not Faces.LEAVE

    def process(self, file: SourceFile) -> Outcome:
        """De-identify a file, unless that is done already.

        Raises
        ------
        OutputError
            If the result can't be written; what can't be read or de-identified is an outcome.
        """
        content = b""
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
            return self._refused(error, [content])
        return Outcome(Result.WRITTEN, digest, self._write(scan), originals=kept)

    def process_series(self, files: Sequence[SourceFile]) -> list[Outcome]:
        """De-identify the files of one series together: all of them are written, or none.

        Raises
        ------
        OutputError
            As ``process``.
        """
        contents: list[bytes] = []
        try:
            contents += [file.read() for file in files]
            digests = self._digests(contents)
            done = [self._done(digest) for digest in digests]
            if None not in done:
                return [
                    Outcome(Result.WRITTEN, digest, made, resumed=True)
                    for digest, made in zip(digests, done, strict=True)
                ]
            scans = self._deidentifier.deidentify_series(contents)
            kept = [self._originals(one) if self._task.vault else () for one in contents]
        except NotDicomError:
            return [Outcome(Result.NOT_DICOM) for _ in files]
        except DeidentificationError as error:
            return [self._refused(error, contents)] * len(files)
        return [
            Outcome(Result.WRITTEN, digest, self._write(scan), originals=originals)
            for digest, scan, originals in zip(digests, scans, kept, strict=True)
        ]

    def _refused(self, error: DeidentificationError, contents: Sequence[bytes]) -> Outcome:
        policy = self._task.settings.policy
        if isinstance(error, DocumentDroppedError):
            return Outcome(Result.DROPPED, reason=error.kind)
        if isinstance(error, DocumentForReviewError):
            # Its pixels stay as they are: a person is to look at them.
            seen = replace(policy.without_pixels(), faces=policy.faces)
            self._set_aside(contents, seen, Extensions(after=(FlaggingStage(),)))
            return Outcome(Result.FOR_REVIEW, reason=error.kind)
        if isinstance(error, FaceMaskError):
            self._set_aside(contents, replace(policy, faces=Faces.FLAG))
        return Outcome(Result.REFUSED, reason=f"{type(error).__name__}: {error}")

    def _set_aside(
        self, contents: Sequence[bytes], policy: Policy, extensions: Extensions | None = None
    ) -> None:
        """Write copies for a person to look at, de-identified but for what kept them back."""
        folder = self._task.set_aside
        if folder is None:
            return
        settings = self._task.settings
        revealed = self._task.revealed
        deidentifier = Deidentifier(
            settings.key(), settings.options, policy, extensions, revealed=revealed
        )
        try:
            scans = deidentifier.deidentify_series(contents)
        except DeidentificationError:
            # Not even so can it be shown to anybody, such as a video that can't be read to its end.
            return
        for scan in scans:
            file = folder / scan.series_instance_uid / f"{scan.sop_instance_uid}.dcm"
            try:
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                file.write_bytes(scan.to_bytes())
            except OSError as error:
                raise OutputError(f"can't set a file aside: {error.strerror}") from None

    def _digest(self, content: bytes, series: bytes = b"") -> str:
        keyed = hashlib.blake2b(self._digest_start, digest_size=16, key=self._digest_key)
        keyed.update(series)
        if self._task.revealed is not None:
            keyed.update(self._task.revealed.digest(study_of(content)))
        keyed.update(content)
        return keyed.hexdigest()

    def _digests(self, contents: Sequence[bytes]) -> list[str]:
        """Digests of files that depend on the others of their series, as their results do."""
        series = "".join(sorted(map(self._digest, contents))).encode("ascii")
        return [self._digest(content, series) for content in contents]

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
            tuple(map(_told, report.elements)) if self._task.detailed else None,
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
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise OutputError(f"can't write to the output folder: {error.strerror}") from None
        return made


def _told(record: ElementRecord) -> tuple[str, ...]:
    told = (record.path, record.rule, str(record.action))
    return (*told, record.digest) if record.digest else told
