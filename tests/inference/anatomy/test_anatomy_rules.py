# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.anatomy.regions import AnatomyTableError
from inference.anatomy.rules import RuleTable, Statement, combined_confidence, shipped_rules

CHEST, HEAD = frozenset(("chest",)), frozenset(("head",))
TRUNK = frozenset(("chest", "abdomen", "pelvis"))
NOTHING = Statement(frozenset(), 0.0)
SHARE = st.floats(0.0, 1.0)


def test_unsure_tags_ask_the_pixels_and_sure_ones_fetch_nothing():
    assert shipped_rules().asks_pixels(Statement(CHEST, 0.5))
    assert shipped_rules().asks_pixels(NOTHING)
    assert not shipped_rules().asks_pixels(Statement(CHEST, 0.95))


def test_agreement_is_accepted_and_surer_than_either():
    agreed = shipped_rules().agree(Statement(CHEST, 0.8), Statement(CHEST, 0.8))
    assert (agreed.regions, agreed.action) == (CHEST, "accept")
    assert agreed.confidence > 0.8


def test_sure_disagreement_in_anatomy_is_flagged_for_review():
    agreed = shipped_rules().agree(Statement(CHEST, 0.9), Statement(HEAD, 0.9))
    assert agreed.action == "review"
    assert agreed.confidence < 0.9


def test_disagreement_in_the_application_alone_is_flagged():
    tags, pixels = Statement(TRUNK, 0.9, "trunk-ct"), Statement(CHEST, 0.9, "chest-ct")
    assert shipped_rules().agree(tags, pixels).action == "review"
    same = shipped_rules().agree(tags, pixels._replace(application="trunk-ct"))
    assert same.action == "accept"


def test_sure_pixels_correct_unsure_tags_which_are_to_be_trained_again():
    agreed = shipped_rules().agree(Statement(CHEST, 0.4), Statement(HEAD, 0.9))
    assert (agreed.regions, agreed.source, agreed.action) == (HEAD, "pixels", "retrain metadata")


def test_earlier_studies_are_consulted_where_the_two_disagree():
    tags, pixels = Statement(CHEST, 0.9), Statement(HEAD, 0.6)
    assert shipped_rules().agree(tags, pixels, prior=CHEST).action == "retrain pixels"
    assert shipped_rules().agree(tags, pixels, prior=HEAD).action == "review"


@given(SHARE, SHARE)
def test_a_witness_that_agrees_never_lowers_and_one_that_disagrees_never_raises(own, heard):
    one = Statement(CHEST, own)
    if heard >= 0.1:  # less than one in ten is worse than guessing, so it speaks against
        assert combined_confidence(one, Statement(CHEST, heard)) >= min(own, 0.999) - 1e-9
        assert combined_confidence(one, Statement(HEAD, heard)) <= own + 1e-9
    assert combined_confidence(one, NOTHING) == own


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({}, "thresholds"),
        ({"thresholds": {"ask_pixels_below": 2}}, "thresholds"),
    ],
)
def test_a_table_that_is_not_valid_says_what_is_wrong(table, named):
    with pytest.raises(AnatomyTableError, match=named):
        RuleTable(table)


def rules(*entries):
    thresholds = {"ask_pixels_below": 0.8, "metadata_sure": 0.8, "pixels_sure": 0.7}
    return {"thresholds": thresholds, "rule": entries}


LAST = {"name": "else", "answer": "metadata", "action": "review"}


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({**LAST, "name": "a", "metadata": "quite"}, "metadata is one of"),
        ({**LAST, "name": "a", "colour": "red"}, "unknown key colour"),
        ({**LAST, "name": "a", "action": "ignore"}, "action one of"),
    ],
)
def test_a_rule_that_is_not_valid_is_named(entry, named):
    with pytest.raises(AnatomyTableError, match=named):
        RuleTable(rules(entry, LAST))


def test_the_last_rule_must_hold_always():
    with pytest.raises(AnatomyTableError, match="last rule"):
        RuleTable(rules({**LAST, "regions": "same"}))
