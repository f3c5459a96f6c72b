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

from inference.contract import ModelDescription
from plugin.archive import ArchiveError
from plugin.queue import QueueError
from plugin.review.ledger import LedgerError
from plugin.web import description, errors, pages
from plugin.web.anatomies import AnatomyRoutes
from plugin.web.answers import entity_tag, tagged
from plugin.web.backfills import BackfillRoutes
from plugin.web.catalogue import CatalogueRoutes
from plugin.web.deid_audit import DeidAuditRoutes
from plugin.web.deid_reviews import DeidReviewRoutes
from plugin.web.deid_terms import DeidTermRoutes
from plugin.web.deliveries import DeliveryRoutes
from plugin.web.disclaimers import Disclaimers
from plugin.web.drawing import Artist
from plugin.web.guard import Guard
from plugin.web.hangings import HangingRoutes
from plugin.web.heatmaps import HeatMapRoutes
from plugin.web.image_details import ImageDetailRoutes
from plugin.web.images import Images, StillInProgressError, still_in_progress
from plugin.web.parameters import Parameters
from plugin.web.plan import PlanRoutes
from plugin.web.priors import PriorRoutes
from plugin.web.protocols import Archive, Queue
from plugin.web.pulls import PullRoutes
from plugin.web.quarantine import QuarantineRoutes
from plugin.web.results import ResultRoutes
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
    artist = Artist(archive)
    disclaimers = Disclaimers(results, models)
    summaries = Summaries(results, queue, disclaimers, urgency)

    app = Starlette(
        routes=[
            *_general_routes(
                CatalogueRoutes(models, status), WorklistRoutes(results, queue, summaries)
            ),
            *_plan_routes(_plans(results, services)),
            *_scan_routes(
                StudyRoutes(results, queue, disclaimers, urgency),
                ScanRoutes(results, images, disclaimers, urgency),
                AnatomyRoutes(results, queue, services.flagged),
                PriorRoutes(results),
            ),
            *_heat_map_routes(
                HeatMapRoutes(images, artist, services.heat_maps),
                ImageDetailRoutes(results, images, artist),
            ),
            *_hanging_routes(HangingRoutes(archive, services.hangings)),
            *_version_routes(VersionRoutes(services.versions)),
            *_review_routes(ReviewRoutes(results, images, services.reviewing)),
            *_door_routes(
                ResultRoutes(results, queue, urgency), DeliveryRoutes(services.deliveries)
            ),
            *_backfill_routes(BackfillRoutes(services.backfills)),
            Route("/sidelight/pulls", PullRoutes(services.pulls).index),
            *_deid_routes(
                DeidReviewRoutes(services.deid_review),
                DeidTermRoutes(services.deid_review),
                DeidAuditRoutes(services.deid_review),
            ),
            Route("/sidelight/quarantine", QuarantineRoutes(services.quarantine).show),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={
            errors.RequestError: errors.on_request_error,
            errors.InferenceUnavailableError: errors.on_inference_unavailable,
            StillInProgressError: still_in_progress,
            ArchiveError: errors.on_archive_error,
            QueueError: errors.on_queue_error,
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


def _plans(results: StoredResults, services: Services) -> PlanRoutes:
    pulled = services.pulls.of_study if services.pulls else None
    return PlanRoutes(results, services.planner, services.routing, services.copies, pulled)


def _plan_routes(plan: PlanRoutes) -> list[Route]:
    return [
        Route("/sidelight/plan", plan.plan),
        Route("/studies/{id}/sidelight/plan", plan.study),
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


def _heat_map_routes(heat_maps: HeatMapRoutes, details: ImageDetailRoutes) -> list[Route]:
    base = "/instances/{id}/sidelight"
    return [
        Route(base + "/heatmaps", heat_maps.index),
        Route(base + "/heatmaps/{finding}", heat_maps.picture),
        Route(base + "/heatmaps/{finding}/matrix", heat_maps.matrix),
        Route(base + "/composite", heat_maps.composite),
        Route(base + "/regions", details.regions),
        Route(base + "/display", details.display),
        Route(base + "/masks/{region}", details.mask),
    ]


def _hanging_routes(hangings: HangingRoutes) -> list[Route]:
    return [
        Route("/sidelight/hangings", hangings.index),
        Route("/sidelight/hangings/ohif", hangings.ohif),
        Route("/sidelight/hangings/{name}/dicom", hangings.dicom),
        Route("/studies/{id}/sidelight/hanging", hangings.study),
        Route("/studies/{id}/sidelight/hanging/ohif", hangings.study_ohif),
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


def _deid_routes(
    reviews: DeidReviewRoutes, terms: DeidTermRoutes, audit: DeidAuditRoutes
) -> list[Route]:
    item = "/sidelight/deid/reviews/{item}"
    return [
        Route("/sidelight/deid/reviews", reviews.listed),
        Route(item, reviews.either, methods=["GET", "POST"]),
        Route(item + "/original", reviews.original),
        Route(item + "/result", reviews.result),
        Route("/sidelight/deid/audit", audit.listed),
        Route("/sidelight/deid/terms", terms.listed),
        Route("/sidelight/deid/terms/{term}", terms.decide, methods=["POST"]),
    ]


def _door_routes(results: ResultRoutes, deliveries: DeliveryRoutes) -> list[Route]:
    retry = "/sidelight/deliveries/{delivery}/retry"
    return [
        Route("/sidelight/results", results.find),
        Route("/studies/{id}/sidelight/results", results.show),
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
