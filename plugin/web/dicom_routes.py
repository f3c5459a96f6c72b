# SPDX-License-Identifier: AGPL-3.0-or-later
"""Addresses behind which images are drawn and DICOM is read or written: loaded on demand."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from starlette.routing import Route

from plugin.web.images import Images
from plugin.web.on_demand import OnDemand
from plugin.web.protocols import Archive, Queue
from plugin.web.services import Services
from plugin.web.stored import StoredResults

if TYPE_CHECKING:
    from plugin.web.deid_audit import DeidAuditRoutes
    from plugin.web.deid_desk import GiveDesk
    from plugin.web.deid_reviews import DeidReviewRoutes
    from plugin.web.deid_terms import DeidTermRoutes
    from plugin.web.drawing import Artist
    from plugin.web.hangings import HangingRoutes
    from plugin.web.heatmaps import HeatMapRoutes
    from plugin.web.image_details import ImageDetailRoutes
    from plugin.web.plan import PlanRoutes
    from plugin.web.results import ResultRoutes

# Imports inside functions are the purpose of this module.
# ruff: noqa: PLC0415


def plan_routes(results: StoredResults, services: Services) -> list[Route]:
    """What would run on a study; scans are read and de-identified for it."""

    def make() -> PlanRoutes:
        from plugin.web.plan import PlanRoutes

        pulled = services.pulls.of_study if services.pulls else None
        return PlanRoutes(results, services.planner, services.routing, services.copies, pulled)

    plan = OnDemand(make)
    return [
        Route("/sidelight/plan", plan(lambda routes: routes.plan)),
        Route("/studies/{id}/sidelight/plan", plan(lambda routes: routes.study)),
    ]


def picture_routes(
    archive: Archive, results: StoredResults, images: Images, services: Services
) -> list[Route]:
    """Heat maps, and what is drawn beside them; all share one artist."""

    @cache
    def artist() -> Artist:
        from plugin.web.drawing import Artist

        return Artist(archive)

    def make_heat_maps() -> HeatMapRoutes:
        from plugin.web.heatmaps import HeatMapRoutes

        return HeatMapRoutes(images, artist(), services.heat_maps)

    def make_details() -> ImageDetailRoutes:
        from plugin.web.image_details import ImageDetailRoutes

        return ImageDetailRoutes(results, images, artist())

    heat_maps, details = OnDemand(make_heat_maps), OnDemand(make_details)
    base = "/instances/{id}/sidelight"
    return [
        Route(base + "/heatmaps", heat_maps(lambda routes: routes.index)),
        Route(base + "/heatmaps/{finding}", heat_maps(lambda routes: routes.picture)),
        Route(base + "/heatmaps/{finding}/matrix", heat_maps(lambda routes: routes.matrix)),
        Route(base + "/composite", heat_maps(lambda routes: routes.composite)),
        Route(base + "/regions", details(lambda routes: routes.regions)),
        Route(base + "/display", details(lambda routes: routes.display)),
        Route(base + "/masks/{region}", details(lambda routes: routes.mask)),
    ]


def hanging_routes(archive: Archive, services: Services) -> list[Route]:
    """How studies are laid out; for viewers as DICOM, too."""

    def make() -> HangingRoutes:
        from plugin.web.hangings import HangingRoutes

        return HangingRoutes(archive, services.hangings)

    hangings = OnDemand(make)
    return [
        Route("/sidelight/hangings", hangings(lambda routes: routes.index)),
        Route("/sidelight/hangings/ohif", hangings(lambda routes: routes.ohif)),
        Route("/sidelight/hangings/{name}/dicom", hangings(lambda routes: routes.dicom)),
        Route("/studies/{id}/sidelight/hanging", hangings(lambda routes: routes.study)),
        Route("/studies/{id}/sidelight/hanging/ohif", hangings(lambda routes: routes.study_ohif)),
    ]


def result_routes(results: StoredResults, queue: Queue, services: Services) -> list[Route]:
    """Results as their structured reports say them; as FHIR, too."""

    def make() -> ResultRoutes:
        from plugin.web.results import ResultRoutes

        return ResultRoutes(results, queue, services.urgency)

    found = OnDemand(make)
    return [
        Route("/sidelight/results", found(lambda routes: routes.find)),
        Route("/studies/{id}/sidelight/results", found(lambda routes: routes.show)),
    ]


def deid_routes(desk: GiveDesk | None) -> list[Route]:
    """Where people look at originals and at what became of them."""

    def make_reviews() -> DeidReviewRoutes:
        from plugin.web.deid_reviews import DeidReviewRoutes

        return DeidReviewRoutes(desk)

    def make_terms() -> DeidTermRoutes:
        from plugin.web.deid_terms import DeidTermRoutes

        return DeidTermRoutes(desk)

    def make_audit() -> DeidAuditRoutes:
        from plugin.web.deid_audit import DeidAuditRoutes

        return DeidAuditRoutes(desk)

    reviews, terms = OnDemand(make_reviews), OnDemand(make_terms)
    audit = OnDemand(make_audit)
    item = "/sidelight/deid/reviews/{item}"
    confirm = "/sidelight/deid/terms/{term}"
    return [
        Route("/sidelight/deid/reviews", reviews(lambda routes: routes.listed)),
        Route(item, reviews(lambda routes: routes.either), methods=["GET", "POST"]),
        Route(item + "/original", reviews(lambda routes: routes.original)),
        Route(item + "/result", reviews(lambda routes: routes.result)),
        Route("/sidelight/deid/audit", audit(lambda routes: routes.listed)),
        Route("/sidelight/deid/terms", terms(lambda routes: routes.listed)),
        Route(confirm, terms(lambda routes: routes.decide), methods=["POST"]),
    ]
