# SPDX-License-Identifier: Apache-2.0
"""Spreads files over processes and brings the outcomes together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from deid.batch.gathering import gathered
from deid.batch.journal import Finished, Journal
from deid.batch.outcome import Outcome
from deid.batch.worker import Task, Worker
from deid.errors import OutputError
from deid.policy import Faces
from deid.quiet import quiet_libraries
from deid.source_files import SourceFile
from deid.vault.originals import Pair

_BATCH = 8
# A process starts in about the time in which one of them treats so many headers.
_WORTH_A_PROCESS = 64


class Keeper(Protocol):
    """Keeps originals: the vault."""

    @property
    def identifier(self) -> str:
        """Which vault it is."""

    def keep(self, pairs: Sequence[Pair]) -> None:
        """Keep originals; they are on the disk when it returns."""


def jobs_for(files: int) -> int:
    """How many processes are worth their start for so many files, at most one per core."""
    return max(1, min(len(os.sched_getaffinity(0)), files // _WORTH_A_PROCESS))


def run(
    files: Sequence[SourceFile],
    task: Task,
    journal: Journal,
    jobs: int = 1,
    keeper: Keeper | None = None,
) -> Iterator[Outcome]:
    """De-identify files and note each in the journal.

    Parameters
    ----------
    files:
        What to read.
    task:
        What to do.
    journal:
        Of the output folder.
    jobs:
        Processes; with 1 this one does the work.
    keeper:
        Gets the originals, before the journal says that a file is done.

    Raises
    ------
    OutputError
        If results can't be written or a process was killed; what is done stays done.
    """
    for outcomes in _outcomes(files, task, jobs):
        if keeper is not None:
            keeper.keep([original for outcome in outcomes for original in outcome.originals])
        for outcome in outcomes:
            if outcome.written is not None and not outcome.resumed:
                journal.add(outcome.digest, Finished(outcome.written, task.vault))
            yield outcome._replace(originals=())


def _outcomes(files: Sequence[SourceFile], task: Task, jobs: int) -> Iterator[list[Outcome]]:
    if jobs > 1:
        yield from _in_processes(files, task, jobs)
        return
    worker = Worker(task)
    for some in _batches(files, task):
        yield _processed(worker, some)


def _in_processes(files: Sequence[SourceFile], task: Task, jobs: int) -> Iterator[list[Outcome]]:
    # Not forked: the progress bar's thread would be copied in the middle of whatever it does.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _start, (task,)) as pool:
        waiting: deque[Future[list[Outcome]]] = deque()
        try:
            for some in _batches(files, task):
                waiting.append(pool.submit(_process, some))
                # No more under way than keeps all busy: outcomes with records are large.
                if len(waiting) >= 4 * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise OutputError(
                "a process of the run was killed, most often for want of memory: run again with "
                "fewer --jobs, what is done stays done"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _batches(files: Sequence[SourceFile], task: Task) -> Iterator[Sequence[SourceFile]]:
    if task.settings.policy.faces is not Faces.LEAVE:
        # One series at a time, or one file that needs no others.
        yield from gathered(files)
        return
    for start in range(0, len(files), _BATCH):
        yield files[start : start + _BATCH]


def _processed(worker: Worker, files: Sequence[SourceFile]) -> list[Outcome]:
    if worker.by_series:
        return worker.process_series(files)
    return [worker.process(file) for file in files]


_WORKERS: list[Worker] = []


def _start(task: Task) -> None:
    """Called once in each process of the pool."""
    # An interrupt from the terminal reaches all processes; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    quiet_libraries()
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    _WORKERS.append(Worker(task))


def _end_with_the_run() -> None:
    """End when the run was killed: the pool's queue never tells, and its processes would stay."""
    run_process = multiprocessing.parent_process()
    if run_process is not None:
        run_process.join()
        os._exit(1)


def _process(files: Sequence[SourceFile]) -> list[Outcome]:
    return _processed(_WORKERS[0], files)
