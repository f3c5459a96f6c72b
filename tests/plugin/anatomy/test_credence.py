# SPDX-License-Identifier: AGPL-3.0-or-later
"""The combined confidence of several witnesses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.contract import RegionName
from plugin.anatomy.credence import Voice, credited, pooled

CHEST: frozenset[RegionName] = frozenset(("chest",))
HEAD: frozenset[RegionName] = frozenset(("head",))
TRUNK: frozenset[RegionName] = frozenset(("chest", "abdomen"))
SHARE = st.floats(0.0, 1.0)
USUAL = st.floats(0.01, 0.99)
BETTER_THAN_GUESSING = st.floats(0.1, 0.99)


@given(USUAL, BETTER_THAN_GUESSING)
def test_a_witness_who_agrees_never_lowers_the_confidence(own: float, other: float) -> None:
    assert pooled(CHEST, [Voice(CHEST, own), Voice(CHEST, other)]) >= own - 1e-9


@given(USUAL, BETTER_THAN_GUESSING)
def test_a_witness_who_disagrees_never_raises_it(own: float, other: float) -> None:
    assert pooled(CHEST, [Voice(CHEST, own), Voice(HEAD, other)]) <= own + 1e-9


@given(USUAL)
def test_a_witness_without_credit_changes_nothing(own: float) -> None:
    for said in (CHEST, HEAD):
        voices = [Voice(CHEST, own), Voice(said, credited(0.99, 0.0))]
        assert pooled(CHEST, voices) == pytest.approx(own)


@given(st.lists(st.tuples(st.sampled_from([CHEST, HEAD, TRUNK]), SHARE), min_size=1, max_size=4))
def test_the_probabilities_of_all_that_is_named_are_one_at_most(
    said: list[tuple[frozenset[RegionName], float]],
) -> None:
    voices = [Voice(*one) for one in said]
    shares = [pooled(one, voices) for one in {voice.regions for voice in voices}]
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert sum(shares) <= 1.0 + 1e-9


@given(USUAL, USUAL, USUAL)
def test_the_order_of_witnesses_does_not_matter(one: float, two: float, three: float) -> None:
    voices = [Voice(CHEST, one), Voice(HEAD, two), Voice(CHEST, three)]
    assert pooled(CHEST, voices) == pytest.approx(pooled(CHEST, voices[::-1]))


@given(USUAL, USUAL, USUAL)
def test_a_surer_witness_counts_for_more(own: float, less: float, more: float) -> None:
    less, more = sorted((less, more))
    agreeing = [pooled(CHEST, [Voice(CHEST, own), Voice(CHEST, c)]) for c in (less, more)]
    against = [pooled(CHEST, [Voice(CHEST, own), Voice(HEAD, c)]) for c in (less, more)]
    assert agreeing[0] <= agreeing[1] + 1e-9
    assert against[0] >= against[1] - 1e-9


@given(SHARE)
def test_a_single_witness_is_as_sure_as_it_says(own: float) -> None:
    silent = Voice(frozenset(), 0.9)
    assert pooled(CHEST, [Voice(CHEST, own), silent]) == own
    assert pooled(frozenset(), [silent]) == 0.0


def test_two_who_are_eight_tenths_sure_of_the_same_are_surer_together() -> None:
    # 0.8 * 0.8 against nine times (0.2 / 9) squared.
    both = pooled(CHEST, [Voice(CHEST, 0.8), Voice(CHEST, 0.8)])
    assert both == pytest.approx(0.64 / (0.64 + 9 * (0.2 / 9) ** 2))
