# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of anatomy: of one series, a reviewer's word about it, and the search by region."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from inference.contract import RegionName
from plugin.anatomy import (
    AnatomyBook,
    AnatomyOverride,
    SeriesAnatomy,
    UnreadableAnatomyError,
)
from plugin.anatomy.regions import REGION_WORDS, in_table_order
from plugin.anatomy.words import ReviewerWords
from plugin.routes import USER_HEADER
from plugin.web import outdated_headers
from plugin.web.addresses import study_links
from plugin.web.answers import NEVER_KEPT, accepted, json_answer, json_bytes
from plugin.web.bodies import read_body
from plugin.web.errors import RETRY_SECONDS, RequestError, bad_parameter
from plugin.web.flagged_series import CHUNK, FlaggedSeries
from plugin.web.parameters import Parameters, identifier, is_identifier
from plugin.web.protocols import Queue, Reviewed
from plugin.web.stored import StoredResults
from plugin.web.studies import refuse_foreign_page

_MOST_LISTED = 1000
_SEARCHED_BY = ("region", "modality", "confidence-below", "overridden", "review")
MOST_LOOKED_AT = 20_000
"""Series that one search reads."""
SEARCH_SECONDS = 10.0
"""So long one search goes on: the same series cost some releases of Orthanc ten times as much."""

_Read = Callable[[list[str]], list[tuple[dict[str, Any], SeriesAnatomy]]]
_Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]


class OverrideRequest(BaseModel):
    """The body of a request to override; without ``regions`` it withdraws."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    regions: tuple[RegionName, ...] | None = Field(min_length=1, max_length=10)
    view: str | None = Field(default=None, pattern=r"^[A-Z0-9 _]{1,16}$")
    laterality: Literal["L", "R", "B", "U"] | None = None
    user: str = Field(default="", max_length=64)
    reason: _Reason
    analyse: bool = Field(default=False, strict=True)


class AnatomyRoutes:
    """``/series/{id}/sidelight/anatomy`` and ``/sidelight/series``."""

    def __init__(
        self,
        results: StoredResults,
        queue: Queue,
        flagged: FlaggedSeries | None = None,
        reviewed: Reviewed | None = None,
        words: ReviewerWords | None = None,
    ) -> None:
        self._results = results
        self._queue = queue
        self._flagged = flagged
        self._reviewed = reviewed
        self._book = AnatomyBook(results.archive, words)
        self._one_at_a_time = threading.Lock()

    async def anatomy(self, request: Request) -> Response:
        """``…/anatomy``: read with ``GET``, override with ``POST``."""
        if request.method == "POST":
            return await self.override(request)
        return await run_in_threadpool(self.show, request)

    def show(self, request: Request) -> Response:
        """``GET …/anatomy``: what a series shows, how sure and why, and who said otherwise."""
        series_id = identifier(request, "series")
        Parameters(request)
        series = self._results.series(series_id)
        known = self._known(series_id)
        if known is None:
            if self._queue.pending_for([series_id, *series["Instances"]]):
                return accepted({"series": series_id, "status": "in-progress"}, RETRY_SECONDS)
            known = self._known(series_id)  # it may have ended in between
        if known is None:
            raise _not_looked_at()
        return json_answer(request, _described(series, known))

    async def override(self, request: Request) -> Response:
        """``POST …/anatomy``: a reviewer's word, kept and put before every model's."""
        refuse_foreign_page(request)
        series_id = identifier(request, "series")
        Parameters(request)
        asked = await read_body(request, OverrideRequest)
        account = request.headers.get(USER_HEADER, "")
        if not (asked.user.strip() or account):
            raise RequestError(400, "bad-body", "name who says so in user", parameter="user")
        return await run_in_threadpool(self._override, series_id, asked, account)

    def _override(self, series_id: str, asked: OverrideRequest, account: str) -> Response:
        series = self._results.series(series_id)
        study = str(series["ParentStudy"])
        said = AnatomyOverride(
            regions=None if asked.regions is None else in_table_order(asked.regions),
            view=asked.view,
            laterality=asked.laterality,
            by=asked.user.strip() or account,
            account=account,
            reason=asked.reason,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with self._one_at_a_time:
            known = self._known(series_id)
            if known is None:
                raise _not_looked_at()
            now = SeriesAnatomy(known.recognized, self._book.override(series_id, study, said))
        if self._reviewed is not None:
            self._reviewed(series, now)
        if asked.analyse:
            self._queue.enqueue_analysis(study)
        elif _shown(now) != _shown(known):
            outdated_headers.mark(self._results.archive, series_id)
        headers = {"Cache-Control": NEVER_KEPT}
        body = json_bytes(_described(series, now))
        return Response(body, 201, headers, "application/json")

    def find(self, request: Request) -> Response:
        """``GET /sidelight/series``: series by region, modality, confidence, need for review."""
        query = Parameters(request, (*_SEARCHED_BY, "limit", "offset", "after"))
        limit = query.whole("limit", 1, _MOST_LISTED) or 100
        offset = query.whole("offset", 0, 10**9) or 0
        wanted, modality, after = _Wanted.of(query), _modality(query), _after(query)
        listed, read = self._candidates(modality, wanted)
        # Sorted: what follows on one answer fits to it.
        listed = listed[bisect_right(listed, after) :]
        found: list[dict[str, Any]] = []
        reached = 0
        for chunk in _chunks(listed):
            for series, known in read(chunk):
                if not wanted.fits(known):
                    continue
                if offset:
                    offset -= 1
                elif len(found) == limit:
                    return _page(found, found[-1]["series"], request)
                else:
                    found.append(_listed(series, known))
            reached += len(chunk)
        return _page(found, listed[reached - 1] if reached < len(listed) else None, request)

    def _candidates(self, modality: str | None, wanted: _Wanted) -> tuple[list[str], _Read]:
        """Identifiers of series that may fit, in their order, and how to read some of them."""
        if wanted.review and self._flagged is not None:
            listed = self._flagged.listed(modality)
            if listed is not None:
                return listed, partial(self._doubted, modality, self._flagged)
        asked = {"Modality": modality} if modality else {}
        return sorted(self._results.archive.find("Series", asked, expand=False)), self._read

    def _doubted(
        self, modality: str | None, flagged: FlaggedSeries, chunk: list[str]
    ) -> list[tuple[dict[str, Any], SeriesAnatomy]]:
        found = self._read(chunk)
        doubted = {
            str(one["ID"])
            for one, known in found
            if known.recognized.agreement and known.recognized.agreement.review
        }
        flagged.forget(one for one in chunk if one not in doubted)
        return [
            (one, known)
            for one, known in found
            if modality in (None, one.get("MainDicomTags", {}).get("Modality"))
        ]

    def _read(self, chunk: list[str]) -> list[tuple[dict[str, Any], SeriesAnatomy]]:
        return sorted(self._book.many(chunk), key=lambda item: str(item[0]["ID"]))

    def _known(self, series_id: str) -> SeriesAnatomy | None:
        try:
            return self._book.series(series_id)
        except UnreadableAnatomyError as error:
            raise RequestError(500, "unreadable-result", str(error)) from None


def _chunks(listed: list[str]) -> Iterator[list[str]]:
    """What one search looks at; the first of it however long that takes."""
    end = time.monotonic() + SEARCH_SECONDS
    for start in range(0, min(len(listed), MOST_LOOKED_AT), CHUNK):
        if start and time.monotonic() > end:
            return
        yield listed[start : min(start + CHUNK, MOST_LOOKED_AT)]


def _page(found: list[dict[str, Any]], reached: str | None, request: Request) -> Response:
    content = {"series": found, "more": reached is not None, "after": reached}
    return json_answer(request, content, cache=NEVER_KEPT)


def _after(query: Parameters) -> str:
    value = query.text("after")
    if value is not None and not is_identifier(value):
        raise bad_parameter("after", "the after of the answer before")
    return value or ""


def _modality(query: Parameters) -> str | None:
    value = query.text("modality")
    if value is not None and not (value.isascii() and value.isalnum() and 2 <= len(value) <= 16):
        raise bad_parameter("modality", "a defined term of Modality (0008,0060), e.g. CT")
    if value is not None and value != value.upper():
        raise bad_parameter("modality", "in capitals, e.g. CT")
    return value


@dataclass(frozen=True)
class _Wanted:
    """What a search asks of an anatomy."""

    region: RegionName | None
    highest_confidence: float
    overridden: bool
    review: bool

    @classmethod
    def of(cls, query: Parameters) -> _Wanted:
        words = query.choice("region", tuple(REGION_WORDS))
        return cls(
            REGION_WORDS[words] if words else None,
            query.fraction("confidence-below", 1.0),
            query.flag("overridden", default=False),
            query.flag("review", default=False),
        )

    def fits(self, known: SeriesAnatomy) -> bool:
        answer = known.effective
        return (
            (self.region is None or self.region in answer.regions)
            and answer.confidence <= self.highest_confidence
            and (not self.overridden or known.log.in_force is not None)
            and (not self.review or bool(known.review))
        )


def _shown(known: SeriesAnatomy) -> tuple[object, ...]:
    """What a standard header is made of."""
    answer = known.effective
    return answer.regions, answer.view, answer.laterality


def _not_looked_at() -> RequestError:
    return RequestError(
        404,
        "no-anatomy",
        "Sidelight has not looked at this series; POST to its study's sidelight/analyse",
    )


def _described(series: dict[str, Any], known: SeriesAnatomy) -> dict[str, Any]:
    series_id, recognized = str(series["ID"]), known.recognized
    return {
        "series": series_id,
        "anatomy": known.effective.model_dump(mode="json"),
        "recognized": recognized.answer.model_dump(mode="json"),
        "agreement": recognized.agreement and recognized.agreement.model_dump(mode="json"),
        "review": known.review or None,
        "history": [one.model_dump(mode="json") for one in recognized.history],
        "overridden": known.log.in_force is not None,
        "overrides": [one.model_dump(mode="json") for one in known.log.overrides],
        "links": _links(series),
    }


def _listed(series: dict[str, Any], known: SeriesAnatomy) -> dict[str, Any]:
    answer = known.effective
    return {
        "series": str(series["ID"]),
        "study": str(series["ParentStudy"]),
        "modality": answer.modality,
        "regions": list(answer.regions),
        "view": answer.view,
        "laterality": answer.laterality,
        "confidence": answer.confidence,
        "review": known.review or None,
        "overridden": known.log.in_force is not None,
        "links": _links(series),
    }


def _links(series: dict[str, Any]) -> dict[str, str]:
    path = f"/series/{series['ID']}"
    study = study_links(str(series["ParentStudy"]))
    return {
        "series": path,
        "anatomy": f"{path}/sidelight/anatomy",
        "study": study["self"],
        "analyse": study["analyse"],
    }
