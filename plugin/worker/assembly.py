# SPDX-License-Identifier: AGPL-3.0-or-later
"""Putting one worker together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from plugin.anatomy import SeriesAnatomy
from plugin.anatomy.ledger import AnatomyLedger
from plugin.anatomy.turns import Turns
from plugin.anatomy.words import ReviewerWords
from plugin.archive import Archive
from plugin.arrival.own_objects import announcement
from plugin.configuration import Configuration
from plugin.configuration.application_table import ApplicationTable, read_applications
from plugin.configuration.priority_table import read_priorities
from plugin.configuration.standard_entries import read_standard_entries
from plugin.damage import Forgiving
from plugin.dispatch.ledger import Ledger
from plugin.doors.announcer import Announcer
from plugin.doors.destinations import destinations
from plugin.doors.errors import OutboxError
from plugin.doors.outbox import Outbox
from plugin.handover import Handover
from plugin.quarantine import Quarantine
from plugin.queue import JobQueue, QueueError, Retry
from plugin.results import ResultOptions
from plugin.routing.services import RoutedGate, remote_bundles
from plugin.site_key import KeyWatch
from plugin.standardization import Standardizer
from plugin.states import ScanState
from plugin.worker.catch_up import CatchUp
from plugin.worker.change_mark import ChangeMark
from plugin.worker.doubts import Doubts
from plugin.worker.giving_way import GivingWay
from plugin.worker.labels import Labels
from plugin.worker.late_siblings import LateSiblings
from plugin.worker.pipeline import Pipeline
from plugin.worker.publisher import Publisher
from plugin.worker.reading import reader_for
from plugin.worker.scan import Scan
from plugin.worker.service import ModelList, WorkerService
from plugin.worker.state_keeper import StateKeeper
from plugin.worker.study_sums import StudySums
from plugin.worker.sums_ledger import SumsLedger
from plugin.worker.triage import Triage


def assemble(owner: str, handover: Handover) -> WorkerService:
    """Put one worker together."""
    configuration = handover.configuration
    section = configuration.queue
    queue = JobQueue(
        Path(handover.queue_file), Retry(section.maximum_attempts, section.backoff_seconds)
    )
    archive = Archive(
        handover.orthanc_url,
        handover.authorization,
        before_storing=announcement(handover),
        find_limit=handover.find_limit,
        user_metadata=handover.user_metadata,
    )
    inference = configuration.inference
    gate = RoutedGate.to(handover.inference_url, inference.token, inference.timeout_seconds)
    table = read_applications(configuration.applications.table)
    gate.place(remote_bundles(table))
    models = ModelList(gate, configuration, table.digest())
    wait = handover.stable_age
    keeper, standardizer = _keeper(archive, handover), _standardizer(archive, configuration)
    pipeline = Pipeline(
        archive,
        queue,
        reader_for(handover, archive, gate, Quarantine(handover.quarantine)),
        gate,
        Publisher(
            archive,
            result_options(configuration),
            Quarantine(handover.quarantine),
            lambda: [model.name for model in models.models],
            dict(configuration.results.series_numbers),
            partial(_keep, keeper, standardizer),
            _announce(handover, table),
            _after_noting(archive, queue, AnatomyLedger.beside(handover.queue_file)),
            ReviewerWords.beside(handover.queue_file),
            Turns.beside(handover.queue_file).turn,
            keeper.sums.anatomy_changed,
        ),
        lambda: models.models,
        wait,
        whole_series=standardizer.copies,
    )
    return WorkerService(
        owner,
        queue,
        Triage(queue, archive, wait),
        CatchUp(queue, archive, ChangeMark.beside(handover.queue_file)),
        pipeline,
        models,
        section.lease_seconds,
        GivingWay(queue.arrived, configuration.workers.give_way),
        KeyWatch(handover.site_key).problem,
        keeper.sums.run_if_due,
    )


def result_options(configuration: Configuration) -> ResultOptions:
    """How result objects are made."""
    results = configuration.results
    return ResultOptions(
        segmentation=results.segmentation,
        additional=results.additional,
        viewer_profile=results.viewer_profile,
        series_number_base=results.series_number_base,
        configuration_digest=configuration.digest(),
        validators=results.validators,
    )


def _keeper(archive: Archive, handover: Handover) -> StateKeeper:
    configuration = handover.configuration
    labels = Labels(archive, configuration.labels)
    sums = StudySums(archive, labels, SumsLedger.beside(handover.queue_file))
    priorities = read_priorities(configuration.worklist.priority_table)
    return StateKeeper(archive, priorities, labels, sums)


def _standardizer(archive: Archive, configuration: Configuration) -> Standardizer:
    section = configuration.standardization
    return Standardizer(archive, section, read_standard_entries(section.table))


def _keep(
    keeper: StateKeeper, standardizer: Standardizer, scan: Scan, state: ScanState
) -> ScanState:
    """Write a state and all that follows from it."""
    kept = keeper.keep(scan, state)
    whole = scan.job.level != "recognition"
    standardizer.apply(kept, scan.header, scan.instances, whole=whole)
    return kept


def _after_noting(
    archive: Archive, queue: JobQueue, ledger: AnatomyLedger
) -> Callable[[Scan, SeriesAnatomy], None]:
    """What follows from an anatomy that was noted."""
    doubts, siblings = Doubts(ledger), LateSiblings(archive, queue, ledger)
    unless_damaged = Forgiving("doubts about anatomy are not kept")

    def noted(scan: Scan, known: SeriesAnatomy) -> None:
        with unless_damaged():
            doubts.keep(scan, known)
            siblings.noted(scan, known)

    return noted


def _announce(
    handover: Handover, table: ApplicationTable
) -> Callable[[str, ScanState], None] | None:
    """What is told of every state: the doors, and who hands studies over."""
    section = handover.configuration.doors
    told: list[Callable[[str, ScanState], None]] = []
    to = destinations(section)
    if to:
        outbox = Outbox.beside(handover.queue_file)
        told.append(Announcer(outbox, to, section.escalation.severity).announce)
    if table.handovers:
        ledger = Ledger.of_routing(handover.queue_file)
        told.append(partial(_note_study, ledger, handover.stable_age))
    return partial(_tell, told) if told else None


def _note_study(ledger: Ledger, wait: float, study: str, _state: ScanState) -> None:
    try:
        ledger.note(study, wait)
    except QueueError as error:
        # As for the doors: the scan is not to blame, and no attempt of its own is spent on it.
        raise OutboxError(f"studies to hand over: {error}") from error


def _tell(told: Sequence[Callable[[str, ScanState], None]], study: str, state: ScanState) -> None:
    for tell in told:
        tell(study, state)
