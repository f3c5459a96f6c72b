# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m plugin.worker NAME``: one worker process, started and supervised by Orthanc's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from deid import DeidentificationKey, Deidentifier, Option, Policy
from plugin.archive import Archive
from plugin.configuration import Configuration
from plugin.doors.announcer import Announcer
from plugin.doors.destinations import destinations
from plugin.doors.outbox import Outbox
from plugin.gate import Gate
from plugin.handover import Handover, receive
from plugin.logs import quiet_libraries
from plugin.queue import JobQueue, Retry
from plugin.results import ResultOptions
from plugin.states import ScanState
from plugin.worker.catch_up import CatchUp
from plugin.worker.pipeline import Pipeline
from plugin.worker.publisher import Publisher
from plugin.worker.scan import Reader
from plugin.worker.service import ModelList, WorkerService
from plugin.worker.triage import Triage

_OPTIONS = {
    "CleanDescriptors": Option.CLEAN_DESCRIPTORS,
    "ModifiedDates": Option.MODIFIED_DATES,
    "FullDates": Option.FULL_DATES,
    "PatientCharacteristics": Option.PATIENT_CHARACTERISTICS,
    "DeviceIdentity": Option.DEVICE,
    "InstitutionIdentity": Option.INSTITUTION,
    "SafePrivate": Option.SAFE_PRIVATE,
}


def main() -> None:
    """Run until Orthanc ends."""
    quiet_libraries()
    handover = receive()
    owner = sys.argv[1] if len(sys.argv) > 1 else "worker"
    assemble(owner, handover).run_forever()


def assemble(owner: str, handover: Handover) -> WorkerService:
    """Put one worker together."""
    configuration = handover.configuration
    section = configuration.queue
    queue = JobQueue(
        Path(handover.queue_file), Retry(section.maximum_attempts, section.backoff_seconds)
    )
    archive = Archive(handover.orthanc_url, handover.authorization)
    inference = configuration.inference
    gate = Gate.to(handover.inference_url, inference.token, inference.timeout_seconds)
    models = ModelList(gate, configuration)
    wait = handover.stable_age
    pipeline = Pipeline(
        archive,
        queue,
        _reader(handover, archive, gate),
        gate,
        Publisher(
            archive, result_options(configuration), _quarantine(handover), _announce(handover)
        ),
        lambda: models.models,
        wait,
    )
    return WorkerService(
        owner,
        queue,
        Triage(queue, archive, wait),
        CatchUp(queue, archive),
        pipeline,
        models,
        section.lease_seconds,
    )


def result_options(configuration: Configuration) -> ResultOptions:
    """How result objects are made."""
    results = configuration.results
    return ResultOptions(
        segmentation=results.segmentation,
        viewer_profile=results.viewer_profile,
        series_number_base=results.series_number_base,
        configuration_digest=configuration.digest(),
        validators=results.validators,
    )


def _reader(handover: Handover, archive: Archive, gate: Gate) -> Reader:
    section = handover.configuration.deidentification
    key = DeidentificationKey.from_file(Path(handover.key_file), create=True)
    options = [_OPTIONS[name] for name in section.options]
    allowed = section.burned_in_annotation == "allow"
    return Reader(
        archive,
        Deidentifier(key, options=options, policy=Policy(allow_burned_in_annotation=allowed)),
        Deidentifier(key, options=options, policy=Policy(allow_burned_in_annotation=True)),
        gate,
    )


def _announce(handover: Handover) -> Callable[[str, ScanState], None] | None:
    section = handover.configuration.doors
    to = destinations(section)
    if not to:
        return None
    return Announcer(Outbox.beside(handover.queue_file), to, section.escalation.severity).announce


def _quarantine(handover: Handover) -> Path:
    return Path(handover.queue_file).parent / "quarantine"


if __name__ == "__main__":
    main()
