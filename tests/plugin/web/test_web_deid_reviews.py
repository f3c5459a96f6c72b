# SPDX-License-Identifier: AGPL-3.0-or-later
"""The routes of the review of de-identified images."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from PIL import Image

from plugin.deid_review.records import State
from plugin.web import description
from tests.plugin.deid_review.reviewed import Reviewed
from tests.plugin.deid_review.served import Account


@pytest.fixture
def node(tmp_path: Path) -> Reviewed:
    return Reviewed(tmp_path)


def fits(body: Any, schema: str) -> None:
    """Hold an answer against the schema that the description gives for it."""
    whole = json.loads(description.document())
    asked = {"$ref": f"#/components/schemas/{schema}", "components": whole["components"]}
    jsonschema_rs.validate(asked, body)


@pytest.mark.parametrize("account", ["", "carl"])
def test_who_is_not_named_sees_no_original_no_result_and_no_word(
    node: Reviewed, account: str
) -> None:
    item = node.waiting()
    asked = Account(node, account)
    base = f"/reviews/{item.id}"
    for path in (base, f"{base}/original", f"{base}/result", "/terms"):
        answer = asked.get(path)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-a-reviewer")
    refused = asked.post(base, action="accept", based_on=0)
    assert refused.status_code == 403
    listed = asked.get("/reviews").json()
    assert listed["may_review"] is False
    assert "fenwick" not in json.dumps(listed).lower()
    assert node.ledger.item(item.id) == item


def test_where_nobody_is_named_nobody_reviews() -> None:
    asked = Account(None, "anna")
    assert asked.get("/reviews").json()["may_review"] is False
    assert asked.get("/reviews/1").status_code == 403
    assert asked.get("/terms").status_code == 403


def test_a_reviewer_sees_what_waits_and_both_values_of_each_changed_tag(node: Reviewed) -> None:
    item = node.waiting(ImageComments="Mrs. Fenwick, left breast")
    asked = Account(node, "anna")
    listed = asked.get("/reviews?state=waiting").json()
    fits(listed, "DeidReviewList")
    assert [one["id"] for one in listed["items"]] == [item.id]
    answer = asked.get(f"/reviews/{item.id}")
    fits(answer.json(), "DeidReviewItem")
    assert answer.headers["cache-control"] == "no-store"
    tags = {one["keyword"]: one for one in answer.json()["tags"]}
    assert tags["PatientName"]["original"] == "Fenwick^Marigold"
    assert tags["PatientName"]["result"] != "Fenwick^Marigold"
    assert tags["PatientName"]["may_keep"] is False
    assert tags["ImageComments"]["may_keep"] is True
    assert len(answer.json()["draft"]["boxes"]) == 2


def test_original_and_result_have_one_size_and_differ_only_in_the_boxes(node: Reviewed) -> None:
    item = node.waiting()
    asked = Account(node, "anna")
    before, after = (
        np.asarray(Image.open(BytesIO(asked.get(f"/reviews/{item.id}/{which}").content)))
        for which in ("original", "result")
    )
    assert before.shape == after.shape == (240, 400)
    changed = before != after
    assert changed.any()
    for box in item.draft.boxes or ():
        changed[box.top : box.top + box.height, box.left : box.left + box.width] = False
    assert not changed.any()
    small = asked.get(f"/reviews/{item.id}/result?size=100").content
    assert Image.open(BytesIO(small)).size == (100, 60)


def test_accept_edit_and_reject_are_taken_with_the_revision_that_was_looked_at(
    node: Reviewed,
) -> None:
    item, other = node.waiting(1), node.waiting(2)
    anna, ben = Account(node, "anna"), Account(node, "ben")
    box = {"left": 0, "top": 0, "width": 400, "height": 60}
    edited = anna.post(f"/reviews/{item.id}", action="edit", based_on=0, boxes=[box])
    assert edited.status_code == 200, edited.text
    fits(edited.json(), "DeidReviewSummary")
    late = ben.post(f"/reviews/{item.id}", action="accept", based_on=0)
    assert (late.status_code, late.json()["code"]) == (409, "review-conflict")
    accepted = ben.post(f"/reviews/{item.id}", action="accept", based_on=1)
    assert accepted.json()["state"] == "accepted"
    silent = anna.post(f"/reviews/{other.id}", action="reject", based_on=0)
    assert (silent.status_code, silent.json()["parameter"]) == (400, "reason")
    rejected = anna.post(f"/reviews/{other.id}", action="reject", based_on=0, reason="a face")
    assert rejected.json()["state"] == "rejected"
    again = anna.post(f"/reviews/{other.id}", action="accept", based_on=0)
    assert (again.status_code, again.json()["code"]) == (409, "not-decidable")
    assert node.ledger.counts() == {"waiting": 0, "accepted": 1, "rejected": 1}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action": "edit", "boxes": [{"left": 500, "top": 0, "width": 9, "height": 9}]},
         "bad-correction"),
        ({"action": "edit", "keep": ["00100010"]}, "bad-correction"),
        ({"action": "edit", "redact": ["00280010"]}, "bad-correction"),
        ({"action": "edit", "redact": ["PatientName"]}, "bad-correction"),
        ({"action": "edit", "keep": ['(0009,"NOBODY",01)']}, "bad-correction"),
        ({"action": "edit", "boxes": [{"left": 0, "top": 0, "width": 0, "height": 9}]}, "bad-body"),
        ({"action": "accept", "redact": ["00204000"]}, "bad-body"),
        ({"action": "accept", "terms": [{"term": "Marigold", "list": "whitelist"}]},
         "bad-correction"),
        ({"action": "accept", "by": "ben"}, "bad-body"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_refused_by_name_and_changes_nothing(
    node: Reviewed, body: dict[str, Any], code: str
) -> None:
    item = node.waiting()
    answer = Account(node, "anna").post(f"/reviews/{item.id}", based_on=0, **body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert "marigold" not in answer.text.lower()
    assert node.ledger.item(item.id) == item


def test_an_image_that_orthanc_no_longer_has_is_said_to_be_gone_and_can_be_rejected(
    node: Reviewed,
) -> None:
    item = node.waiting()
    node.files.files.clear()
    asked = Account(node, "anna")
    gone = asked.get(f"/reviews/{item.id}")
    assert (gone.status_code, gone.json()["code"]) == (409, "item-gone")
    assert asked.post(f"/reviews/{item.id}", action="accept", based_on=0).status_code == 409
    answer = asked.post(f"/reviews/{item.id}", action="reject", based_on=0, reason="deleted")
    assert answer.status_code == 200


@pytest.mark.parametrize("number", ["0", "99", "x", "١", "99999999999"])
def test_an_unknown_item_is_not_found(node: Reviewed, number: str) -> None:
    answer = Account(node, "anna").get(f"/reviews/{number}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-item")


def test_words_are_proposed_with_an_edit_and_confirmed_by_another_account(
    node: Reviewed,
) -> None:
    item = node.waiting(SeriesDescription="Thorax Lumorix")
    anna, ben = Account(node, "anna"), Account(node, "ben")
    terms = [{"term": "Lumorix", "list": "whitelist"}]
    edited = anna.post(
        f"/reviews/{item.id}", action="edit", based_on=0, keep=["0008103E"], terms=terms
    )
    assert edited.status_code == 200, edited.text
    (own,) = anna.get("/terms?state=proposed").json()["terms"]
    assert own["may_confirm"] is False
    same = anna.post(f"/terms/{own['id']}", action="confirm")
    assert (same.status_code, same.json()["code"]) == (403, "same-person")
    fits(ben.get("/terms").json(), "DeidTermList")
    confirmed = ben.post(f"/terms/{own['id']}", action="confirm", reason="ours")
    fits(confirmed.json(), "DeidTerm")
    assert confirmed.json()["state"] == "confirmed"
    assert json.loads(node.vocabulary.read_text("utf-8"))["whitelist"] == ["lumorix"]
    assert anna.post("/terms/77", action="confirm").json()["code"] == "unknown-term"


def test_the_queue_is_read_in_pages(node: Reviewed) -> None:
    items = [node.waiting(number) for number in range(5)]
    asked = Account(node, "anna")
    first = asked.get("/reviews?limit=2").json()["items"]
    rest = asked.get(f"/reviews?after={first[-1]['id']}").json()["items"]
    assert [one["id"] for one in first + rest] == [item.id for item in items]
    assert asked.get("/reviews?state=accepted").json()["items"] == []
    assert asked.get("/reviews?state=done").status_code == 400
    assert node.ledger.items(State.WAITING, 1)[0].id == items[0].id
