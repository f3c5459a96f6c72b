# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of the words that reviewers propose, for a second person to confirm."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from plugin.deid_review.desk import ReviewDesk
from plugin.deid_review.terms import (
    Proposal,
    SamePersonError,
    TermDecidedError,
    TermState,
    same_person,
)
from plugin.queue import QueueError
from plugin.routes import USER_HEADER
from plugin.web.answers import NEVER_KEPT, json_answer, json_bytes
from plugin.web.bodies import read_body
from plugin.web.deid_desk import GiveDesk
from plugin.web.deid_reviews import reviewers_desk
from plugin.web.errors import RequestError
from plugin.web.parameters import Parameters
from plugin.web.studies import refuse_foreign_page

_STATES: tuple[TermState, ...] = (
    "proposed",
    "confirmed",
    "withdrawal-proposed",
    "refused",
)


class AskedConfirmation(BaseModel):
    """The body of a decision about a term."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["confirm", "refuse"]
    reason: str = Field(default="", max_length=400)


class DeidTermRoutes:
    """``/sidelight/deid/terms`` and what is below."""

    def __init__(self, desk: GiveDesk | None) -> None:
        self._give = desk

    def listed(self, request: Request) -> Response:
        """``GET /sidelight/deid/terms``: words for whitelist and graylist, and who said so."""
        desk = reviewers_desk(self._give, request)
        word = Parameters(request, ("state",)).choice("state", _STATES)
        state = next((one for one in _STATES if one == word), None)
        account = request.headers.get(USER_HEADER, "")
        content = {"terms": [_shown(one, account) for one in desk.terms.proposals(state)]}
        return json_answer(request, content, cache=NEVER_KEPT)

    async def decide(self, request: Request) -> Response:
        """``POST /sidelight/deid/terms/{term}``: confirm or refuse."""
        refuse_foreign_page(request)
        desk = reviewers_desk(self._give, request)
        Parameters(request)
        number = str(request.path_params["term"])
        asked = await read_body(request, AskedConfirmation)
        account = request.headers.get(USER_HEADER, "")
        return await run_in_threadpool(_decide, desk, number, asked, account)


def _decide(desk: ReviewDesk, number: str, asked: AskedConfirmation, account: str) -> Response:
    known = number.isascii() and number.isdigit() and len(number) < 11
    proposal = desk.terms.proposal(int(number)) if known else None
    if proposal is None:
        raise RequestError(404, "unknown-term", "there is no such term")
    try:
        decided = desk.terms.decide(
            proposal,
            confirm=asked.action == "confirm",
            by=account,
            reason=asked.reason.strip(),
        )
    except SamePersonError as error:
        raise RequestError(403, "same-person", str(error)) from None
    except TermDecidedError as error:
        raise RequestError(409, "term-decided", str(error)) from None
    except QueueError:
        raise
    except OSError:
        message = "the decision is kept, but the vocabulary can't be written: free its disk"
        raise RequestError(503, "vocabulary-unwritable", message) from None
    headers = {"Cache-Control": NEVER_KEPT}
    return Response(json_bytes(_shown(decided, account)), 200, headers, "application/json")


def _shown(proposal: Proposal, account: str) -> dict[str, Any]:
    own = same_person(proposal.proposed_by, account)
    own_withdrawal = same_person(proposal.decided_by, account)
    return {
        **proposal.model_dump(mode="json"),
        "may_confirm": proposal.state == "proposed" and not own,
        "may_withdraw": proposal.state == "confirmed"
        or (proposal.state == "withdrawal-proposed" and not own_withdrawal),
    }
