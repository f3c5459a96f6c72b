# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts together what the routes use, and what the web process says of itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette

from inference.contract import ModelDescription
from plugin.anatomy import AnatomyBook, SeriesAnatomy
from plugin.anatomy.earlier_words import EarlierWords
from plugin.anatomy.ledger import AnatomyLedger
from plugin.anatomy.lessons import corrected
from plugin.anatomy.words import ReviewerWords
from plugin.archive import Archive
from plugin.arrival.own_objects import announcement
from plugin.collecting.notebook import Notebook, NotebookError, notebook_folder
from plugin.configuration.application_table import (
    ApplicationTable,
    read_applications,
    unusual_modalities,
)
from plugin.configuration.copy_table import read_copies
from plugin.configuration.hanging_table import read_hangings
from plugin.configuration.priority_table import read_priorities
from plugin.copies.backfill_book import BackfillBook
from plugin.copies.explanation import CopyExplanation
from plugin.copies.matching import matcher_of
from plugin.dispatch.ledger import Ledger
from plugin.dispatch.threads import again_and_again
from plugin.doors.errors import OutboxError
from plugin.doors.outbox import Outbox
from plugin.gate import Gate, InferenceRefusedError
from plugin.gate import InferenceUnavailableError as ServiceUnavailable
from plugin.handover import Handover
from plugin.quarantine import Quarantine
from plugin.queue import JobQueue, QueueError
from plugin.review import assembly as review
from plugin.review.ledger import LedgerError
from plugin.review.recount import recount_if_new
from plugin.routing.deciding import OnlyPriors
from plugin.routing.exchange import Exchange
from plugin.routing.explanation import Explain, Explanation
from plugin.routing.matching import Matcher
from plugin.routing.pull_report import PullReport
from plugin.routing.services import RemoteBundle, RoutedGate, remote_bundles
from plugin.routing.table_watch import AGAIN_SECONDS, TableWatch
from plugin.web import model_health
from plugin.web.anatomy_doubts import AnatomyDoubts
from plugin.web.app import create_app
from plugin.web.backfills import BackfillDesk
from plugin.web.configured_names import ConfiguredNames
from plugin.web.desk import Desk
from plugin.web.errors import InferenceUnavailableError
from plugin.web.flagged_series import FlaggedSeries
from plugin.web.protocols import Deliveries, Level, Reviewed
from plugin.web.reviews import Reviewing
from plugin.web.services import Services
from plugin.web.urgency import Urgency
from plugin.web.versions import VersionDesk

if TYPE_CHECKING:
    from plugin.deid_review.assembly import LateDesk
    from plugin.standardization.reviewed import ReviewedSeries
    from plugin.web.plan import Planner
    from plugin.worker.planner import ScanPlan, ScanPlanner

LOGGER = logging.getLogger(__name__)

STATUS_SECONDS = 5.0
_NO_NAMES = ConfiguredNames()


def application(handover: Handover) -> Starlette:
    """All that the web process answers."""
    archive = Archive(
        handover.orthanc_url,
        handover.authorization,
        before_storing=announcement(handover),
        find_limit=handover.find_limit,
        user_metadata=handover.user_metadata,
    )
    configuration = handover.configuration
    gate = RoutedGate.to(handover.inference_url, configuration.inference.token, STATUS_SECONDS)
    table = read_applications(configuration.applications.table)
    remote = remote_bundles(table)
    gate.place(remote)
    made = services(handover, archive, gate)
    watch = _watched(table, handover, gate, remote)
    names = ConfiguredNames(configuration, tuple(remote))
    carry = partial(_carry_words, handover, archive)
    threading.Thread(target=carry, name="earlier words", daemon=True).start()
    return create_app(
        archive,
        Desk(JobQueue(Path(handover.queue_file)), archive),
        lambda: status(gate, made, watch.problems, names),
        lambda: models(gate),
        made,
    )


def services(handover: Handover, archive: Archive, gate: Gate) -> Services:
    """What the routes of this node use besides Orthanc, its queue and the models."""
    ledger = AnatomyLedger.beside(handover.queue_file)
    return Services(
        urgency=Urgency(read_priorities(handover.configuration.worklist.priority_table)),
        planner=_planner(handover, archive, gate),
        routing=_routing(handover, archive),
        copies=_copies(handover, archive),
        deliveries=Outbox.beside(handover.queue_file),
        backfills=_backfills(handover),
        pulls=_pulls(handover),
        hangings=read_hangings(handover.configuration.hanging.table),
        heat_maps=handover.configuration.heat_maps,
        reviewing=_reviewing(handover, archive),
        versions=VersionDesk(gate, handover.configuration.inference.deciders),
        quarantine=Quarantine(handover.quarantine),
        flagged=FlaggedSeries(archive, ledger),
        reviewed=_told_of_words(ledger, _reviewed(handover)),
        doubts=AnatomyDoubts(ledger, archive, _notebook(handover)),
        words=ReviewerWords.beside(handover.queue_file),
        deid_review=_deid_review(handover, archive),
    )


def models(gate: Gate) -> list[ModelDescription]:
    """The models that inference serves.

    Raises:
        InferenceUnavailableError: it can't be reached.
    """
    try:
        return gate.models()
    except (ServiceUnavailable, InferenceRefusedError) as error:
        raise InferenceUnavailableError(str(error)) from error


def status(
    gate: Gate,
    services: Services,
    of_table: Callable[[], list[str]] = list,
    names: ConfiguredNames = _NO_NAMES,
) -> dict[str, Any]:
    """What ``/sidelight/status`` says of this process; said also when parts can't be read.

    Args:
        gate: to this site's inference service.
        services: what the routes use.
        of_table: what is wrong with the names in the table of applications.
        names: what the configuration names.
    """
    remediations = _open_remediations(services.reviewing)
    said: dict[str, Any] = {
        "deliveries": _deliveries(services.deliveries),
        "remediations": remediations,
        "anatomy": services.doubts.counts() if services.doubts else {},
    }
    try:
        health = gate.health()
    except ServiceUnavailable as error:
        away = _away(names.configuration.inference.place, error)
        return said | {
            "inference": None,
            "reason": str(error),
            "problems": [*away, *of_table()],
        }
    except InferenceRefusedError as error:
        problem = f"the inference service refuses this node ({error}): see Inference.Token"
        return said | {
            "inference": None,
            "reason": str(error),
            "problems": [problem, *of_table()],
        }
    for one in remediations:
        # Versions made to mend it, which a person promotes or rejects.
        one["candidates"] = list(health.waiting.get(one["model"], ()))
    return said | {
        "inference": health.model_dump(mode="json"),
        "problems": [
            *model_health.problems(health),
            *names.problems(health, gate.models),
            *of_table(),
        ],
    }


def _away(place: str, error: ServiceUnavailable) -> list[str]:
    """What is said of a service elsewhere; a child of Orthanc's process is watched there."""
    return [f"inference at {place} does not answer: {error}; scans wait"] if place else []


def _watched(
    table: ApplicationTable,
    handover: Handover,
    gate: RoutedGate,
    remote: Mapping[str, RemoteBundle],
) -> TableWatch:
    """Who looks whether what the table names is there; at work where it names anything."""
    orthanc = Exchange(handover.orthanc_url, handover.authorization, handover.dicomweb_root)
    elsewhere = {bundle: one.gate for bundle, one in remote.items()}
    watch = TableWatch(table, orthanc, gate, elsewhere)
    if table.applications or table.pulls:
        again = partial(again_and_again, "table-watch", watch.look, AGAIN_SECONDS)
        threading.Thread(target=again, name="table-watch", daemon=True).start()
    for said in unusual_modalities(table):
        LOGGER.warning("%s", said)
    return watch


def _planner(handover: Handover, archive: Archive, gate: Gate) -> Planner:
    @cache
    def planner() -> ScanPlanner:
        # Here, as below: the first plan pays for loading what reads scans, no other request.
        from plugin.worker.planner import ScanPlanner  # noqa: PLC0415
        from plugin.worker.reading import reader_for  # noqa: PLC0415

        return ScanPlanner(lambda: reader_for(handover, archive, gate), gate.models)

    def plan(level: Level, resource: str, instances: list[str], /) -> ScanPlan:
        from plugin.worker.planner import scan_of  # noqa: PLC0415

        try:
            return planner().plan(level, scan_of(level, resource, instances))
        except ServiceUnavailable as error:
            raise InferenceUnavailableError(str(error)) from error

    return plan


def _routing(handover: Handover, archive: Archive) -> Explain | None:
    table = read_applications(handover.configuration.applications.table)
    if not table.handovers:
        return None
    only_priors = OnlyPriors(archive, Ledger.of_routing(handover.queue_file))
    outbox = Outbox.beside(handover.queue_file)
    return Explanation(Matcher(archive, table), outbox, only_priors).of


def _copies(handover: Handover, archive: Archive) -> Explain | None:
    matcher = matcher_of(handover, archive)
    if matcher is None:
        return None
    outbox, ledger = Outbox.beside(handover.queue_file), Ledger.of_copies(handover.queue_file)
    return CopyExplanation(matcher, outbox, ledger).of


def _backfills(handover: Handover) -> BackfillDesk | None:
    rules = read_copies(handover.configuration.copies.table).rules
    if not rules:
        return None
    book = BackfillBook.beside(handover.queue_file)
    return BackfillDesk(book, tuple(rule.name for rule in rules))


def _pulls(handover: Handover) -> PullReport | None:
    table = read_applications(handover.configuration.applications.table)
    if not table.pulls:
        return None
    return PullReport(table, Ledger.of_routing(handover.queue_file))


def _notebook(handover: Handover) -> Notebook | None:
    if not handover.configuration.anatomy.collecting.window:
        return None
    try:
        return Notebook(notebook_folder(Path(handover.queue_file).parent))
    except NotebookError as error:
        LOGGER.error("collected headers are not counted: %s", error)  # noqa: TRY400
        return None


def _reviewing(handover: Handover, archive: Archive) -> Reviewing | None:
    data = Path(handover.queue_file).parent
    try:
        taking = review.reviewer(archive, handover.configuration, data)
    except LedgerError as error:
        LOGGER.error("no reviews are taken: %s", error)  # noqa: TRY400
        return None
    threading.Thread(
        target=recount_if_new, args=(taking, archive), name="recount", daemon=True
    ).start()
    return Reviewing(taking, review.rule(taking, handover.configuration))


def _reviewed(handover: Handover) -> Reviewed | None:
    if handover.configuration.standardization.mode != "arrival":
        return None

    @cache
    def kept() -> ReviewedSeries:
        from plugin.standardization.reviewed import ReviewedSeries  # noqa: PLC0415 - as above

        return ReviewedSeries.of(handover)

    return lambda series, known: kept().note(series, known)


def _carry_words(handover: Handover, archive: Archive) -> None:
    """Keep words of earlier versions where those of today are kept, too; once."""
    words = ReviewerWords.beside(handover.queue_file)
    EarlierWords(archive, words).carry()
    standard = Path(handover.queue_file).with_name("standard_headers.sqlite")
    asked = handover.configuration.standardization.mode == "arrival"
    if not asked and not standard.exists():
        return
    from plugin.standardization.reviewed import EarlierReviews, ReviewedSeries  # noqa: PLC0415

    reviews = EarlierReviews(ReviewedSeries.of(handover), AnatomyBook(archive))
    if asked:
        EarlierWords(archive, reviews).carry()
        return
    with suppress(QueueError):
        # Nobody tells the file of words meanwhile: all are looked through when it is used again.
        reviews.reach("")


def _told_of_words(ledger: AnatomyLedger, also: Reviewed | None) -> Reviewed:
    """Who hears of a reviewer's word: the rows to train with, and who makes headers standard."""

    def told(series: Mapping[str, Any], known: SeriesAnatomy) -> None:
        said = known.log.in_force
        try:
            label = corrected(said.regions) if said and said.regions else None
            ledger.correct(str(series["ID"]), label)
        except QueueError as error:
            # The word itself is kept already, and an export may still find it.
            LOGGER.error("rows to train with miss a reviewer's word: %s", error)  # noqa: TRY400
        if also is not None:
            also(series, known)

    return told


def _deid_review(handover: Handover, archive: Archive) -> LateDesk | None:
    people = handover.configuration.deidentification_review
    if not (people.reviewers or people.auditors):
        return None
    from plugin.deid_review import assembly  # noqa: PLC0415 - reads DICOM, where somebody may

    return assembly.desk(handover, archive)


def _deliveries(deliveries: Deliveries | None) -> dict[str, Any]:
    try:
        return dict(deliveries.statistics()) if deliveries else {}
    except OutboxError as error:
        return {"error": str(error)}


def _open_remediations(reviewing: Reviewing | None) -> list[dict[str, Any]]:
    """Classes of models with too many errors."""
    try:
        return [one.as_json() for one in reviewing.rule.open()] if reviewing else []
    except LedgerError as error:
        LOGGER.warning("the counts of reviews can't be read: %s", error)
        return []
