# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two applications on one study never share a SeriesNumber."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.configuration import ConfigurationError, read
from plugin.results import first_series_numbers
from plugin.results.objects import KINDS, SERIES_NUMBERS_PER_APPLICATION

NAMES = st.sets(st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True), max_size=60)


@given(names=NAMES)
def test_blocks_never_overlap(names):
    numbers = first_series_numbers(names, 9100)
    assert numbers.keys() == names
    for one, other in combinations(numbers.values(), 2):
        assert abs(one - other) >= SERIES_NUMBERS_PER_APPLICATION
    assert all(9100 <= number < 10000 for number in numbers.values())


@given(names=NAMES)
def test_the_order_of_names_does_not_matter(names):
    ordered = sorted(names)
    assert first_series_numbers(ordered, 9100) == first_series_numbers(ordered[::-1], 9100)


def test_a_block_holds_every_kind():
    offsets = [kind.series_offset for kind in KINDS.values()]
    assert sorted(offsets) == list(range(len(offsets)))
    assert len(offsets) <= SERIES_NUMBERS_PER_APPLICATION


def test_the_configuration_can_give_numbers():
    numbers = first_series_numbers(["a", "b"], 9100, {"a": 700})
    assert numbers["a"] == 700
    assert numbers["b"] >= 9100


def test_numbers_that_two_models_would_share_are_refused():
    with pytest.raises(ConfigurationError, match="ten apart"):
        read({"Results": {"SeriesNumbers": {"a": 700, "b": 705}}})
    with pytest.raises(ValueError, match="share numbers"):
        first_series_numbers([], 9100, {"a": 700, "b": 705})
