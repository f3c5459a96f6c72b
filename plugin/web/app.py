# SPDX-License-Identifier: AGPL-3.0-or-later
"""The application: which address is answered by what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deid import KeyFileError
from inference.contract import ModelDescription
from plugin.archive import ArchiveError
from plugin.queue import QueueError
from plugin.review.ledger import LedgerError
from plugin.web import description, errors, pages
from plugin.web.anatomies import AnatomyRoutes
from plugin.web.answers import entity_tag, tagged
from plugin.web.backfills import BackfillRoutes
from plugin.web.catalogue import CatalogueRoutes
from plugin.web.deliveries import DeliveryRoutes
from plugin.web.dicom_routes import (
    deid_routes,
    hanging_routes,
    picture_routes,
    plan_routes,
    result_routes,
)
from plugin.web.disclaimers import Disclaimers
from plugin.web.guard import Guard
from plugin.web.images import Images, StillInProgressError, still_in_progress
from plugin.web.parameters import Parameters
from plugin.web.priors import PriorRoutes
from plugin.web.protocols import Archive, Queue
from plugin.web.pulls import PullRoutes
from plugin.web.quarantine import QuarantineRoutes
from plugin.web.reviews import ReviewRoutes, on_ledger_error
from plugin.web.scans import ScanRoutes
from plugin.web.services import Services
from plugin.web.stored import StoredResults
from plugin.web.studies import StudyRoutes
from plugin.web.summaries import Summaries
from plugin.web.versions import VersionRoutes
from plugin.web.worklist import WorklistRoutes


def create_app(
    archive: Archive,
    queue: Queue,
    status: Callable[[], dict[str, Any]],
    models: Callable[[], list[ModelDescription]],
    services: Services | None = None,
) -> Starlette:
    """The ASGI application that answers every Sidelight address.

    Args:
        archive: Orthanc, called from several threads.
        queue: This Orthanc's queue, called from several threads.
        status: What ``/sidelight/status`` says, as JSON.
        models: What inference serves; may raise ``InferenceUnavailableError``.
        services: What else the routes use.
    """
    services = services or Services()
    urgency = services.urgency
    results = StoredResults(archive)
    images = Images(results, queue)
    disclaimers = Disclaimers(results, models)
    summaries = Summaries(results, queue, disclaimers, urgency)

    app = Starlette(
        routes=[
            *_general_routes(
                CatalogueRoutes(models, status), WorklistRoutes(results, queue, summaries)
            ),
            *plan_routes(results, services),
            *_scan_routes(
                StudyRoutes(results, queue, disclaimers, urgency, services.deliveries),
                ScanRoutes(results, images, disclaimers, urgency),
                AnatomyRoutes(results, queue, services.flagged, services.reviewed, services.words),
                PriorRoutes(results),
            ),
            *picture_routes(archive, results, images, services),
            *hanging_routes(archive, services),
            *_version_routes(VersionRoutes(services.versions)),
            *_review_routes(ReviewRoutes(results, images, services.reviewing)),
            *result_routes(results, queue, services),
            *_delivery_routes(DeliveryRoutes(services.deliveries)),
            *_backfill_routes(BackfillRoutes(services.backfills)),
            Route("/sidelight/pulls", PullRoutes(services.pulls).index),
            *deid_routes(services.deid_review),
            Route("/sidelight/quarantine", QuarantineRoutes(services.quarantine).show),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={
            errors.RequestError: errors.on_request_error,
            errors.InferenceUnavailableError: errors.on_inference_unavailable,
            StillInProgressError: still_in_progress,
            ArchiveError: errors.on_archive_error,
            QueueError: errors.on_queue_error,
            KeyFileError: errors.on_key_error,
            LedgerError: on_ledger_error,
            HTTPException: errors.on_http_exception,
        },
    )
    # An address with a slash too many is an error, not a redirect that loses a proxy's prefix.
    app.router.redirect_slashes = False
    return app


def _general_routes(catalogue: CatalogueRoutes, worklist: WorklistRoutes) -> list[Route]:
    return [
        Route("/sidelight/status", catalogue.status),
        Route("/sidelight/models", catalogue.models),
        Route("/sidelight/studies", worklist.find),
        Route("/sidelight/worklist", worklist.worklist),
        Route("/sidelight/openapi.json", _openapi),
        Route("/sidelight/ui", pages.redirect),
        Route("/sidelight/ui/{path:path}", pages.page),
    ]


def _scan_routes(
    study: StudyRoutes, scan: ScanRoutes, anatomy: AnatomyRoutes, priors: PriorRoutes
) -> list[Route]:
    return [
        Route("/studies/{id}/sidelight", study.show),
        Route("/studies/{id}/sidelight/analyse", study.analyse, methods=["POST"]),
        Route("/series/{id}/sidelight/anatomy", anatomy.anatomy, methods=["GET", "POST"]),
        Route("/sidelight/series", anatomy.find),
        Route("/studies/{id}/sidelight/priors", priors.show),
        Route("/instances/{id}/sidelight/probabilities", scan.probabilities),
    ]


def _version_routes(versions: VersionRoutes) -> list[Route]:
    base = "/sidelight/versions"
    return [
        Route(base, versions.listed),
        Route(base + "/{model}", versions.decide, methods=["POST"]),
        Route(base + "/{model}/{version}/comparison", versions.comparison),
    ]


def _review_routes(reviews: ReviewRoutes) -> list[Route]:
    both = ["GET", "POST"]
    return [
        Route("/instances/{id}/sidelight/reviews", reviews.image, methods=both),
        Route("/sidelight/reviews", reviews.listed),
        Route("/sidelight/remediations", reviews.remediations, methods=both),
    ]


def _delivery_routes(deliveries: DeliveryRoutes) -> list[Route]:
    retry = "/sidelight/deliveries/{delivery}/retry"
    return [
        Route("/sidelight/deliveries", deliveries.index),
        Route(retry, deliveries.retry, methods=["POST"]),
    ]


def _backfill_routes(backfills: BackfillRoutes) -> list[Route]:
    base = "/sidelight/copies/backfill"
    return [
        Route(base, backfills.either, methods=["GET", "POST"]),
        Route(base + "/stop", backfills.stop, methods=["POST"]),
    ]


def _openapi(request: Request) -> Response:
    Parameters(request)
    body = description.document()
    return tagged(
        request,
        entity_tag(body),
        lambda: Response(body, 200, media_type="application/json"),
        cache="no-cache",
    )
