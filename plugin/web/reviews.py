# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of reviews: of one image, of all images, and the remediations that they open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from plugin.review.correction import UnfitReviewError
from plugin.review.ledger import LedgerError
from plugin.review.records import Review, ReviewLog, ReviewRequest
from plugin.review.remediation import Rule
from plugin.review.reviewer import (
    NamelessReviewError,
    ReviewConflictError,
    Reviewed,
    Reviewer,
)
from plugin.routes import USER_HEADER
from plugin.web.addresses import instance_links
from plugin.web.answers import NEVER_KEPT, json_answer, json_bytes
from plugin.web.bodies import read_body
from plugin.web.errors import RequestError
from plugin.web.images import AnalysedImage, Images
from plugin.web.parameters import Parameters, identifier
from plugin.web.stored import StoredResults
from plugin.web.studies import refuse_foreign_page

_MOST_LISTED = 1000


class Closing(BaseModel):
    """The body of a request to close a remediation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1, max_length=64)
    version: str = Field(min_length=1, max_length=64)
    finding: str = Field(min_length=1, max_length=64)
    user: str = Field(default="", max_length=64)
    reason: str = Field(min_length=1, max_length=400)


@dataclass(frozen=True)
class Reviewing:
    """What takes reviews, and the rule that counts them."""

    reviewer: Reviewer
    rule: Rule


class ReviewRoutes:
    """``…/sidelight/reviews`` of an image and of all, and ``/sidelight/remediations``."""

    def __init__(self, results: StoredResults, images: Images, reviewing: Reviewing | None) -> None:
        self._results = results
        self._images = images
        self._given = reviewing

    @property
    def _reviewing(self) -> Reviewing:
        if self._given is None:
            raise RequestError(503, "reviews-unavailable", "this process takes no reviews")
        return self._given

    async def image(self, request: Request) -> Response:
        """``…/reviews``: read with ``GET``, add one with ``POST``."""
        if request.method == "POST":
            return await self.add(request)
        return await run_in_threadpool(self.of_image, request)

    def of_image(self, request: Request) -> Response:
        """``GET …/reviews``: what readers have said about an image."""
        instance_id = identifier(request, "instance")
        Parameters(request)
        found = self._images.with_heat_maps(instance_id)
        return json_answer(request, self._described(found, self._results.reviews(instance_id)))

    async def add(self, request: Request) -> Response:
        """``POST …/reviews``: one more review; 201 with the corrected version's objects."""
        refuse_foreign_page(request)
        instance_id = identifier(request, "instance")
        Parameters(request)
        asked = await read_body(request, ReviewRequest)
        account = request.headers.get(USER_HEADER, "")
        return await run_in_threadpool(self._add, instance_id, asked, account)

    def _add(self, instance_id: str, asked: ReviewRequest, account: str) -> Response:
        reviewer = self._reviewing.reviewer
        found = self._images.with_heat_maps(instance_id)

        def look_up() -> Reviewed:
            return Reviewed(
                instance=instance_id,
                findings=found.findings,
                digest=found.digest,
                image=found.image,
                objects=found.scan.state.objects,
                log=self._results.reviews(instance_id),
            )

        try:
            review, log = reviewer.add(look_up, asked, account)
        except NamelessReviewError as error:
            raise RequestError(400, "bad-body", str(error), parameter="user") from None
        except UnfitReviewError as error:
            raise RequestError(400, "bad-body", str(error)) from None
        except ReviewConflictError as error:
            raise RequestError(409, "review-conflict", str(error), parameter="based_on") from None
        content = self._described(found, log)
        content["review"] = _as_json(review)
        headers = {"Cache-Control": NEVER_KEPT}
        return Response(json_bytes(content), 201, headers, "application/json")

    def _described(self, found: AnalysedImage, log: ReviewLog) -> dict[str, Any]:
        current = log.of(found.digest)
        corrected = [review.number for review in current if review.changes]
        return {
            "instance": found.scan.instance,
            "last": log.reviews[-1].number if log.reviews else 0,
            "corrected_version": corrected[-1] if corrected else 0,
            "reviews": [
                {**_as_json(review), "current": review in current} for review in log.reviews
            ],
            "links": instance_links(found.scan.instance),
        }

    def listed(self, request: Request) -> Response:
        """``GET /sidelight/reviews``: images that were reviewed, the last one first."""
        query = Parameters(request, ("limit", "offset"))
        limit = query.whole("limit", 1, _MOST_LISTED) or 100
        offset = query.whole("offset", 0, 10**9) or 0
        instances, total = self._reviewing.rule.ledger.reviewed(limit, offset)
        content = {
            "total": total,
            "instances": [
                {"instance": one, "links": {"reviews": instance_links(one)["reviews"]}}
                for one in instances
            ],
        }
        return json_answer(request, content, cache=NEVER_KEPT)

    async def remediations(self, request: Request) -> Response:
        """``/sidelight/remediations``: how each class does, by the rule; ``POST`` closes one."""
        if request.method == "POST":
            return await self.close(request)
        Parameters(request)
        return await run_in_threadpool(self._remediations, request)

    def _remediations(self, request: Request) -> Response:
        content = {"remediations": [one.as_json() for one in self._reviewing.rule.state()]}
        return json_answer(request, content, cache=NEVER_KEPT)

    async def close(self, request: Request) -> Response:
        """``POST /sidelight/remediations``: close one; its errors up to now are dealt with."""
        refuse_foreign_page(request)
        Parameters(request)
        asked = await read_body(request, Closing)
        by = asked.user.strip() or request.headers.get(USER_HEADER, "")
        if not by:
            raise RequestError(400, "bad-body", "name who closes it in user", parameter="user")
        return await run_in_threadpool(self._close, request, asked, by)

    def _close(self, request: Request, asked: Closing, by: str) -> Response:
        rule = self._reviewing.rule
        key = (asked.model, asked.version, asked.finding)
        if not any((one.model, one.version, one.finding) == key for one in rule.state()):
            raise RequestError(404, "unknown-remediation", "no reviews of this class of this model")
        rule.close(*key, by=by, reason=asked.reason)
        return self._remediations(request)


def _as_json(review: Review) -> dict[str, Any]:
    content = review.model_dump(mode="json")
    content["reader"] = review.reader
    for stored in content["objects"]:
        stored["links"] = {
            "instance": f"/instances/{stored['instance']}",
            "file": f"/instances/{stored['instance']}/file",
        }
    return content


def on_ledger_error(_request: Request, error: Exception) -> Response:
    """Answer that the counts of reviews can't be read or written."""
    assert isinstance(error, LedgerError)  # noqa: S101 - how Starlette registers handlers
    message = "the counts of reviews can't be used; is DataDirectory writable?"
    return RequestError(503, "ledger-unavailable", message, headers={"Retry-After": "2"}).response()
