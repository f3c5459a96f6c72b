# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of the review of de-identified images, for the accounts that the configuration names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from deid import DeidentificationError
from deid.errors import CorrectionError, VaultError
from deid.tag_paths import LONGEST_PATH
from plugin.deid_review.desk import ItemGoneError, Look, NotDecidableError, ReviewDesk
from plugin.deid_review.ledger import ChangedMeanwhileError
from plugin.deid_review.pictures import NoPictureError
from plugin.deid_review.records import MOST_BOXES, Item, PixelBox, State
from plugin.deid_review.terms import Term
from plugin.routes import USER_HEADER
from plugin.web.answers import NEVER_KEPT, entity_tag, json_answer, json_bytes, tagged
from plugin.web.bodies import read_body
from plugin.web.deid_desk import GiveDesk, given
from plugin.web.errors import RequestError
from plugin.web.parameters import Parameters
from plugin.web.studies import refuse_foreign_page

_BASE = "/sidelight/deid/reviews"
_DEFAULT_LIMIT, _MOST = 100, 1000
_SCREEN, _SMALLEST, _LARGEST = 1024, 64, 8192
_MOST_FRAMES = 100_000
# 512 of the longest paths, and boxes.
_LARGEST_DECISION = 512 * 1024
_DRAFT = frozenset(("boxes", "redact", "keep"))
_PATHS = frozenset(("redact", "keep"))
_LAST_NUMBER = 2**31 - 1

_Found = TypeVar("_Found")
AskedPath = Annotated[str, Field(min_length=1, max_length=LONGEST_PATH)]


class AskedDecision(BaseModel):
    """The body of a decision; who decides is who is logged in.

    What an edit leaves out stays as it is; ``boxes`` null leaves pixels to the policy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["accept", "edit", "reject", "take-back"]
    based_on: int = Field(ge=0, le=_LAST_NUMBER)
    reason: str = Field(default="", max_length=400)
    boxes: tuple[PixelBox, ...] | None = Field(default=None, max_length=MOST_BOXES)
    redact: tuple[AskedPath, ...] = Field(default=(), max_length=256)
    keep: tuple[AskedPath, ...] = Field(default=(), max_length=256)
    terms: tuple[Term, ...] = Field(default=(), max_length=40)


class DeidReviewRoutes:
    """``/sidelight/deid/reviews`` and what is below."""

    def __init__(self, desk: GiveDesk | None) -> None:
        self._give = desk

    def listed(self, request: Request) -> Response:
        """``GET /sidelight/deid/reviews``: what waits, and what was decided."""
        query = Parameters(request, ("state", "limit", "after"))
        state = query.choice("state", [one.value for one in State])
        limit = query.whole("limit", 1, _MOST) or _DEFAULT_LIMIT
        after = query.whole("after", 0, _LAST_NUMBER) or 0
        desk = given(self._give)
        account = request.headers.get(USER_HEADER, "")
        items = desk.ledger.items(State(state) if state else None, limit, after) if desk else []
        content = {
            "may_review": bool(desk and desk.may_review(account)),
            "counts": desk.ledger.counts() if desk else {one.value: 0 for one in State},
            "items": [_summary(item) for item in items],
        }
        return json_answer(request, content, cache=NEVER_KEPT)

    def item(self, request: Request) -> Response:
        """``GET …/{item}``: boxes, tags and decisions; original values only for reviewers."""
        desk, item = self._asked(request)
        query = Parameters(request, ("frame",))
        account = request.headers.get(USER_HEADER, "")
        look = _carried_out(lambda: desk.look(item, _frame(query)))
        content = _carried_out(lambda: _described(desk, look, account))
        return json_answer(request, content, cache=NEVER_KEPT)

    def original(self, request: Request) -> Response:
        """``GET …/{item}/original``: the image as it is, as PNG."""
        account = request.headers.get(USER_HEADER, "")
        return self._picture(
            request, lambda desk, *asked: desk.original_picture(*asked, account=account)
        )

    def result(self, request: Request) -> Response:
        """``GET …/{item}/result``: the image as it would leave, as PNG."""
        return self._picture(request, ReviewDesk.result_picture)

    async def decide(self, request: Request) -> Response:
        """``POST …/{item}``: accept, edit, reject or take back."""
        refuse_foreign_page(request)
        desk, item = await run_in_threadpool(self._asked, request)
        Parameters(request)
        asked = await read_body(request, AskedDecision, _LARGEST_DECISION)
        account = request.headers.get(USER_HEADER, "")
        return await run_in_threadpool(_decide, desk, item, asked, account)

    async def either(self, request: Request) -> Response:
        """``…/{item}``: look with ``GET``, decide with ``POST``."""
        if request.method == "POST":
            return await self.decide(request)
        return await run_in_threadpool(self.item, request)

    def _picture(
        self, request: Request, draw: Callable[[ReviewDesk, Look, int, int], bytes]
    ) -> Response:
        desk, item = self._asked(request)
        query = Parameters(request, ("frame", "size"))
        frame = _frame(query)
        size = query.whole("size", _SMALLEST, _LARGEST) or _SCREEN
        png = _carried_out(lambda: draw(desk, desk.look(item, frame), frame, size))
        return tagged(
            request,
            entity_tag(png),
            lambda: Response(png, 200, media_type="image/png"),
            cache=NEVER_KEPT,
        )

    def _asked(self, request: Request) -> tuple[ReviewDesk, Item]:
        desk = reviewers_desk(self._give, request)
        word = str(request.path_params["item"])
        number = int(word) if word.isascii() and word.isdigit() and len(word) < 11 else 0
        item = desk.ledger.item(number)
        if item is None:
            raise RequestError(404, "unknown-item", "there is no such item to review")
        return desk, item


def reviewers_desk(give: GiveDesk | None, request: Request) -> ReviewDesk:
    """The desk, for an account that may sit at it.

    Raises:
        RequestError: 403 for anybody else.
        KeyFileError: the site's key can't be used.
    """
    desk = given(give)
    if desk is None or not desk.may_review(request.headers.get(USER_HEADER, "")):
        raise RequestError(
            403,
            "not-a-reviewer",
            "this account may not see originals: an administrator adds it to "
            "Sidelight.DeidentificationReview.Reviewers",
        )
    return desk


def _frame(query: Parameters) -> int:
    return query.whole("frame", 1, _MOST_FRAMES) or 1


def _decide(desk: ReviewDesk, item: Item, asked: AskedDecision, account: str) -> Response:
    if asked.based_on != item.revision:
        message = "the item was edited meanwhile: look at it again"
        raise RequestError(409, "review-conflict", message, parameter="based_on")
    if asked.action == "reject" and not asked.reason.strip():
        raise RequestError(400, "bad-body", "say why it is kept out", parameter="reason")
    if asked.action != "edit" and asked.model_fields_set & _DRAFT:
        message = "boxes, redact and keep go with the action edit, whose result is looked at first"
        raise RequestError(400, "bad-body", message, parameter="action")
    decided = _carried_out(lambda: _carry_out(desk, item, asked, account))
    headers = {"Cache-Control": NEVER_KEPT}
    return Response(json_bytes(_summary(decided)), 200, headers, "application/json")


def _carry_out(desk: ReviewDesk, item: Item, asked: AskedDecision, account: str) -> Item:
    reason = asked.reason.strip()
    if asked.action in ("accept", "edit"):
        desk.propose(item, asked.terms, account)
    if asked.action == "edit":
        given = {name: getattr(asked, name) for name in asked.model_fields_set & _DRAFT}
        given |= {name: desk.paths(item, given[name]) for name in _PATHS & given.keys()}
        draft = item.draft.model_copy(update=given)
        return desk.edit(item, draft, account, reason)
    return {"accept": desk.accept, "reject": desk.reject, "take-back": desk.take_back}[
        asked.action
    ](item, account, reason)


def _carried_out(act: Callable[[], _Found]) -> _Found:
    try:
        return act()
    except CorrectionError as error:
        raise RequestError(400, "bad-correction", str(error)) from None
    except ItemGoneError as error:
        raise RequestError(409, "item-gone", str(error)) from None
    except NotDecidableError as error:
        raise RequestError(409, "not-decidable", str(error)) from None
    except ChangedMeanwhileError as error:
        raise RequestError(409, "review-conflict", str(error)) from None
    except NoPictureError as error:
        raise RequestError(409, "no-picture", str(error)) from None
    except VaultError as error:
        raise RequestError(503, "audit-unusable", str(error)) from None
    except DeidentificationError as error:
        raise RequestError(409, "not-deidentifiable", str(error)) from None


def _summary(item: Item) -> dict[str, Any]:
    place = f"{_BASE}/{item.id}"
    return {
        "id": item.id,
        "state": item.state.value,
        "reason": item.reason.value,
        "holds": item.holds,
        "revision": item.revision,
        "scope": item.subject.scope,
        "resource": item.subject.resource,
        "series": item.subject.series,
        "study": item.subject.study,
        "opened_at": item.opened_at,
        "links": {
            "item": place,
            "original": f"{place}/original",
            "result": f"{place}/result",
        },
    }


def _described(desk: ReviewDesk, look: Look, account: str) -> dict[str, Any]:
    item = look.item
    return {
        **_summary(item),
        "rows": look.rows,
        "columns": look.columns,
        "frames": look.frames,
        "draft": item.draft.model_dump(mode="json"),
        "detections": [one.model_dump(mode="json") for one in item.detections],
        "tags": desk.tags(look, account),
        "decisions": [
            one.model_dump(mode="json", exclude={"draft"}) for one in desk.ledger.decisions(item.id)
        ],
    }
