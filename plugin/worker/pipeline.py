# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way of one scan: fetch, de-identify, recognize, analyse through the gate, publish.

Every way ends in a state beside the scan. What another try could mend is raised as an error for the
queue to retry; what the scan itself is, is a state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inference.contract import AnalysisAnswer, ModelDescription, Outcome
from plugin.archive import Archive, NotFoundError
from plugin.gate import Gate, InferenceRefusedError
from plugin.queue import Job, JobQueue
from plugin.states import Status
from plugin.worker.header_files import UnreadableScanError
from plugin.worker.publisher import Publisher
from plugin.worker.scan import Reader, Scan

GONE = "gone"
WAITING = "waiting for the rest of the series"


@dataclass
class Pipeline:
    """Processes one job after the other.

    ``models`` gives the models that inference serves now; ``wait`` is how long a series must have
    been quiet before it is complete, in seconds. ``whole_series`` waits for that even where no
    application fits, for what is done with every series.
    """

    archive: Archive
    queue: JobQueue
    reader: Reader
    gate: Gate
    publisher: Publisher
    models: Callable[[], Sequence[ModelDescription]]
    wait: float
    whole_series: bool = False

    def process(self, job: Job) -> str:
        """Work off one job and say in a word how it ended.

        Raises:
            Exception: what may go better at another try.
        """
        try:
            scan = Scan(job, self._instances(job))
        except NotFoundError:
            return GONE
        scan.watch.add("queue", (time.time() - job.arrived) * 1000.0)
        try:
            self.reader.read(scan, self.models(), _works_on(job))
            return self._judge(scan)
        except NotFoundError:
            return GONE  # deleted while it was worked on
        except UnreadableScanError as error:
            return self._end(scan, Status.FAILED, str(error))

    def give_up(self, job: Job, reason: str) -> None:
        """Say on the scan itself that its job became a dead letter, if possible with an SR."""
        scan = Scan(job, self._instances(job))
        try:
            self._publish_dead(scan, reason)
        except Exception:
            # What stopped the analysis may stop the report too; the state needs nothing else.
            self.publisher.state(Scan(job, scan.instances), Status.FAILED, reason)
            raise

    def _publish_dead(self, scan: Scan, reason: str) -> None:
        self.reader.read(scan, self.models(), _works_on(scan.job))
        if scan.own or scan.without_image:
            return
        if scan.model is None or scan.job.level == "recognition":
            self.publisher.state(scan, Status.FAILED, reason)
        else:
            self._publish_failure(scan, scan.model, Outcome.FAILED, reason)

    def _judge(self, scan: Scan) -> str:
        if scan.own:
            return Status.OWN_OBJECT.value
        if scan.without_image:
            return Status.NOT_AN_IMAGE.value
        self.publisher.anatomy(scan)
        if scan.job.level == "recognition" and scan.unsettled:
            self.queue.recognized(scan.job.series, self._due(scan))
            return WAITING
        if scan.model is None:
            if scan.job.level == "recognition":
                whole = self.whole_series and not scan.no_patient
                self.queue.recognized(scan.job.series, self._due(scan) if whole else None)
            return self._end(scan, Status.NO_APPLICATION, scan.no_application)
        if scan.job.level == "recognition":
            self.queue.recognized(scan.job.series, self._due(scan))
            return WAITING
        return self._analyse(scan, scan.model)

    def _analyse(self, scan: Scan, model: ModelDescription) -> str:
        passed = [] if scan.refusal else self.reader.passed(scan)
        self.reader.put_before_a_person(scan)
        if scan.refusal or not passed:
            return self._publish_failure(scan, model, Outcome.REFUSED, scan.refusal)
        try:
            with scan.watch.stage("analyse"):
                analysis = self.gate.analyse(model.name, passed)
        except InferenceRefusedError as error:
            return self._publish_failure(scan, model, Outcome.REFUSED, error.message)
        for name, milliseconds in analysis.milliseconds.items():
            scan.watch.add(name, milliseconds)
        self.publisher.analysis(scan, analysis)
        return analysis.outcome.value

    def _due(self, scan: Scan) -> float:
        return self.queue.last_arrival(scan.job.series) + self.wait

    def _publish_failure(
        self, scan: Scan, model: ModelDescription, outcome: Outcome, reason: str
    ) -> str:
        analysis = AnalysisAnswer(
            model=model.name,
            version=model.version,
            digest=model.digest,
            outcome=outcome,
            reason=reason,
        )
        self.publisher.analysis(scan, analysis)
        return outcome.value

    def _end(self, scan: Scan, status: Status, reason: str) -> str:
        self.publisher.state(scan, status, reason)
        return status.value

    def _instances(self, job: Job) -> list[str]:
        if job.level == "instance":
            return [job.resource]
        instances: list[str] = self.archive.series(job.resource)["Instances"]
        return instances


def _works_on(job: Job) -> str:
    return "instance" if job.level == "instance" else "series"
