# SPDX-License-Identifier: AGPL-3.0-or-later
"""Words reach whitelist and graylist when a second person has confirmed them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deid.errors import CorrectionError
from plugin.deid_review.terms import Proposal, SamePersonError, Term, TermBook, TermDecidedError
from plugin.deid_review.workshop import Workshop
from tests.plugin.deid_review.reviewed import Reviewed
from tests.plugin.deid_review.served import Account


@pytest.fixture
def node(tmp_path: Path) -> Reviewed:
    return Reviewed(tmp_path)


def proposed(node: Reviewed, term: str = "Lumorix", list_: Any = "whitelist") -> Proposal:
    node.desk.terms.propose((Term(term=term, list=list_),), "anna")
    return node.desk.terms.proposals()[-1]


def vocabulary(node: Reviewed) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(node.vocabulary.read_text(encoding="utf-8"))
    return read


def test_a_proposed_word_changes_nothing_before_another_person_confirms_it(
    node: Reviewed,
) -> None:
    proposal = proposed(node)
    assert not node.vocabulary.exists()
    with pytest.raises(SamePersonError):
        node.desk.terms.decide(proposal, confirm=True, by="anna", reason="")
    with pytest.raises(SamePersonError):
        node.desk.terms.decide(proposal, confirm=True, by="Anna", reason="")
    assert not node.vocabulary.exists()
    node.desk.terms.decide(proposal, confirm=True, by="ben", reason="a protocol of ours")
    assert vocabulary(node) == {"format": 1, "whitelist": ["lumorix"], "graylist": []}


def test_a_confirmed_word_stays_in_the_next_image_that_is_de_identified(node: Reviewed) -> None:
    policy = replace(node.workshop.policy, vocabulary=str(node.vocabulary))
    node.desk.workshop = Workshop(
        node.workshop.key, node.workshop.options, policy, node.workshop.settings
    )
    item = node.waiting(SeriesDescription="Thorax Lumorix")
    assert node.desk.look(item).result.dataset.SeriesDescription == "Thorax"
    node.desk.terms.decide(proposed(node), confirm=True, by="ben", reason="")
    node.desk._looks.clear()
    assert node.desk.look(item).result.dataset.SeriesDescription == "Thorax Lumorix"


def confirmed(node: Reviewed, term: str, list_: Any) -> Proposal:
    return node.desk.terms.decide(proposed(node, term, list_), confirm=True, by="ben", reason="")


def test_one_person_withdraws_a_whitelisted_word(node: Reviewed) -> None:
    word = confirmed(node, "Lumorix", "whitelist")
    node.desk.terms.decide(word, confirm=False, by="ben", reason="a name after all")
    assert vocabulary(node)["whitelist"] == []


@pytest.mark.parametrize(("first", "second"), [("anna", "ben"), ("ben", "anna"), ("cora", "ben")])
def test_a_graylisted_word_is_withdrawn_by_two(node: Reviewed, first: str, second: str) -> None:
    terms, word = node.desk.terms, confirmed(node, "Short", "graylist")
    leaving = terms.decide(word, confirm=False, by=first, reason="a word, no name")
    assert leaving.state == "withdrawal-proposed"
    assert vocabulary(node)["graylist"] == ["short"]
    for same in (first, first.title()):
        with pytest.raises(SamePersonError):
            terms.decide(leaving, confirm=False, by=same, reason="")
    assert vocabulary(node)["graylist"] == ["short"]
    terms.decide(leaving, confirm=False, by=second, reason="")
    assert vocabulary(node)["graylist"] == []


def test_a_graylisted_word_is_kept_though_one_person_would_withdraw_it(node: Reviewed) -> None:
    terms, word = node.desk.terms, confirmed(node, "Short", "graylist")
    leaving = terms.decide(word, confirm=False, by="anna", reason="")
    kept = terms.decide(leaving, confirm=True, by="ben", reason="")
    assert (kept.state, vocabulary(node)["graylist"]) == ("confirmed", ["short"])
    with pytest.raises(TermDecidedError):
        terms.decide(leaving, confirm=False, by="ben", reason="")
    assert terms.decide(kept, confirm=False, by="anna", reason="").state == "withdrawal-proposed"


def test_over_rest_the_second_person_alone_is_offered_the_withdrawal(node: Reviewed) -> None:
    word = confirmed(node, "Short", "graylist")
    anna, ben, other = (Account(node, name) for name in ("anna", "ben", "Anna"))
    assert anna.post(f"/terms/{word.id}", action="refuse").json()["state"] == "withdrawal-proposed"
    assert anna.post(f"/terms/{word.id}", action="refuse").json()["code"] == "same-person"
    offered = [one.get("/terms").json()["terms"][0]["may_withdraw"] for one in (anna, ben)]
    assert offered == [False, True]
    assert other.get("/terms").status_code == 403
    assert ben.post(f"/terms/{word.id}", action="refuse").json()["state"] == "refused"


def test_two_decisions_about_one_word_can_not_both_hold(node: Reviewed) -> None:
    proposal = proposed(node)
    node.desk.terms.decide(proposal, confirm=False, by="ben", reason="")
    with pytest.raises(TermDecidedError):
        node.desk.terms.decide(proposal, confirm=True, by="ben", reason="")


def test_a_word_that_was_confirmed_just_before_a_kill_is_in_the_vocabulary_after_the_start(
    node: Reviewed,
) -> None:
    node.desk.terms.decide(proposed(node), confirm=True, by="ben", reason="")
    node.vocabulary.write_text('{"format": 1, "whitelist": [], "graylist": []}', encoding="utf-8")
    TermBook(node.ledger, node.vocabulary).write()
    assert vocabulary(node)["whitelist"] == ["lumorix"]


def test_a_name_of_the_very_image_can_not_be_proposed_for_the_whitelist(node: Reviewed) -> None:
    item = node.waiting()
    with pytest.raises(CorrectionError, match="name or number of this image"):
        node.desk.propose(item, (Term(term="Marigold", list="whitelist"),), "anna")
    node.desk.propose(item, (Term(term="Marigold", list="graylist"),), "anna")
    assert [one.term for one in node.desk.terms.proposals()] == ["marigold"]


@pytest.mark.parametrize("term", ["", "a", "two words", "A4471", "x" * 41, "o'brien"])
def test_a_term_is_one_word_of_letters(term: str) -> None:
    with pytest.raises(ValidationError):
        Term(term=term, list="whitelist")


def test_a_proposal_names_no_scan(node: Reviewed) -> None:
    item = node.waiting()
    node.desk.propose(item, (Term(term="Marigold", list="graylist"),), "anna")
    (proposal,) = node.desk.terms.proposals()
    told = proposal.model_dump_json()
    assert item.subject.resource not in told
    assert item.subject.study not in told
