# SPDX-License-Identifier: AGPL-3.0-or-later
"""The loop of one worker process."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from inference.contract import ModelDescription
from plugin.archive import ArchiveError, ArchiveUnavailableError
from plugin.configuration import Configuration
from plugin.damage import tells_of_damage
from plugin.doors.errors import OutboxError
from plugin.gate import Gate, InferenceRefusedError, InferenceUnavailableError
from plugin.queue import Job, JobQueue, LeaseLostError, QueueError
from plugin.set_back import LongestWaits
from plugin.worker.catalogue import application_version
from plugin.worker.catch_up import CatchUp
from plugin.worker.giving_way import GivingWay
from plugin.worker.pipeline import Pipeline
from plugin.worker.triage import Triage

LOGGER = logging.getLogger(__name__)

IDLE_SECONDS = 0.03
TROUBLE_SECONDS = 1.0
MODELS_EVERY_SECONDS = 15.0
DAMAGE_SECONDS = 60.0
"""A scan that needs a damaged file leaves its turn to others for so long."""
TIDY_EVERY_SECONDS = 5.0


@dataclass
class ModelList:
    """The models that inference serves, asked for again every now and then."""

    gate: Gate
    configuration: Configuration
    table: str = ""
    """Digest of the table of applications."""
    models: Sequence[ModelDescription] = ()
    application: str = ""
    _next: float = 0.0
    _refused: str = ""
    """The last refusal that was logged."""

    def refresh(self) -> bool:
        """Ask if it is time; False while inference is not ready."""
        if self.application and time.monotonic() < self._next:
            return True
        try:
            health = self.gate.health()
            if health.status != "ok":
                return False
            self.models = self.gate.models()
        except InferenceUnavailableError:
            # No job is leased while inference is away: its attempts are for what the scan does.
            return False
        except InferenceRefusedError as error:
            # Such as a wrong token: it may be mended there, and this process needs no restart.
            if self._refused != str(error):
                self._refused = str(error)
                LOGGER.error("no scan is worked on: inference refuses: %s", error)  # noqa: TRY400
            return False
        self._refused = ""
        self.application = application_version(
            self.models, self.configuration, self.table, health.anatomy
        )
        self._next = time.monotonic() + MODELS_EVERY_SECONDS
        return True

    def doubt(self) -> None:
        """Ask again before the next job."""
        self._next = 0.0


@dataclass
class WorkerService:
    """Triage, lease, process, acknowledge; again and again."""

    owner: str
    queue: JobQueue
    triage: Triage
    catch_up: CatchUp
    pipeline: Pipeline
    models: ModelList
    lease_seconds: float
    giving_way: GivingWay
    trouble: Callable[[], str] = str
    """Says why the key can't be used any more; empty while it can."""
    sums: Callable[[], int] = int
    """Sums up a study that has changed a while ago; how many."""
    _current: Job | None = field(default=None)
    _next_tidy: float = 0.0
    _said: str = ""
    """Why it waits, as the log has it."""

    def run_forever(self) -> None:
        """Work until the process ends."""
        threading.Thread(target=self._keep_lease, name="lease", daemon=True).start()
        self._release()
        while True:
            try:
                busy = self.step()
            except (QueueError, ArchiveError) as error:
                self._wait(error)
                continue
            self._said = ""
            if not busy:
                time.sleep(IDLE_SECONDS)

    def step(self) -> bool:
        """Do one thing; False when there is nothing to do now."""
        # First: it needs neither inference nor the key.
        found = self.sums()
        if self.trouble():
            time.sleep(TROUBLE_SECONDS)
            return False
        if not self.models.refresh():
            time.sleep(0.1)
            return False
        self.triage.application = self.models.application
        found += self.catch_up.run_if_due()
        found += self.triage.settle_arrivals() + self.triage.settle_series()
        job = self.queue.lease(self.owner, self.lease_seconds)
        if job is None:
            self._tidy()
            return bool(found)
        started = time.perf_counter()
        self._work(job)
        self.giving_way.after(time.perf_counter() - started)
        return True

    def _work(self, job: Job) -> None:
        self._current = job
        try:
            if self.queue.exhausted(job):
                self._fail(job, "processing was cut off each time it was tried")
            else:
                self.queue.done(job, self.pipeline.process(job))
        except LeaseLostError:
            LOGGER.warning("a job took longer than its lease; its result is another worker's")
        except (ArchiveUnavailableError, QueueError) as error:
            # What is missing is outside of the scan: no attempt of its own is spent on it.
            self.queue.postpone(job, _pause(error))
            raise
        except Exception as error:  # noqa: BLE001
            self.models.doubt()
            self._fail(job, _explain(error))
        finally:
            self._current = None

    def _fail(self, job: Job, reason: str) -> None:
        last = self.queue.is_last_attempt(job)
        follows = "given up" if last else "tried again later"
        LOGGER.error("job %d, attempt %d, %s: %s", job.id, job.attempts, follows, reason)
        if last:
            # Before the job is dead: whom nobody could be told of yet is told of the next time.
            self._give_up(job, reason)
        self.queue.fail(job, reason)

    def _give_up(self, job: Job, reason: str) -> None:
        try:
            self.pipeline.give_up(job, reason)
        except OutboxError as error:
            self.queue.postpone(job, _pause(error))
            raise
        except Exception as error:  # noqa: BLE001
            # The dead letter itself is kept; only the note on the scan is missing.
            LOGGER.error("job %d: not marked on its scan: %s", job.id, _explain(error))  # noqa: TRY400

    def _tidy(self) -> None:
        if time.monotonic() >= self._next_tidy:
            self._next_tidy = time.monotonic() + TIDY_EVERY_SECONDS
            self.queue.tidy(self._longest_waits())
            self.triage.forget_gone()

    def _longest_waits(self) -> LongestWaits:
        retry = self.queue.retry
        wait = retry.backoff_seconds * 2.0**retry.maximum_attempts
        return LongestWaits(self.triage.wait, max(DAMAGE_SECONDS, wait), self.lease_seconds)

    def _release(self) -> None:
        while True:
            try:
                self.queue.release(self.owner)
            except QueueError as error:
                self._wait(error)
            else:
                return

    def _wait(self, error: Exception) -> None:
        if self._said != str(error):
            self._said = str(error)
            LOGGER.warning("waiting: %s", error)
        time.sleep(TROUBLE_SECONDS)

    def _keep_lease(self) -> None:
        while True:
            time.sleep(self.lease_seconds / 3)
            job = self._current
            if job is None:
                continue
            try:
                self.queue.extend(job, self.lease_seconds)
            except (QueueError, LeaseLostError) as error:
                LOGGER.warning("lease not extended: %s", type(error).__name__)


def _pause(error: Exception) -> float:
    return DAMAGE_SECONDS if tells_of_damage(error) else TROUBLE_SECONDS


def _explain(error: Exception) -> str:
    """Type and place of an error. Its text may quote the scan, unless the error is one of ours."""
    module = type(error).__module__.split(".")[0]
    if module in ("plugin", "inference", "deid"):
        return f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    where = next((f for f in reversed(frames) if "site-packages" not in f.filename), None)
    place = f" at {where.filename.rsplit('/', 1)[-1]}:{where.lineno}" if where else ""
    return f"{type(error).__name__}{place}"
