# SPDX-License-Identifier: AGPL-3.0-or-later
"""A configuration that can't be used stores originals only where nobody asked for the opposite."""

from __future__ import annotations

import pytest

from plugin.arrival.asked import arrival_is_asked


@pytest.mark.parametrize(
    "section",
    [
        {"Arrival": {"Mode": "deidentify"}},
        {"Arrival": {"Mode": "deidentfy"}},
        {"Arrival": {"Mode": None}},
        {"Arrival": {"mode": "deidentify"}},
        {"Arrival": {"TimeoutSeconds": 3}},
        {"Arrival": "deidentify"},
        {"Arival": {"Mode": "deidentify"}},
        {"arrival": {"Mode": "deidentify"}},
        {"Arrivals": {"Mode": "deidentify"}},
    ],
)
def test_anything_like_arrival_mode_asks_for_it(section: object) -> None:
    assert arrival_is_asked(section)


@pytest.mark.parametrize(
    "section",
    [
        {},
        {"Arrival": {"Mode": "off"}},
        {"Arrival": {}},
        {"Workers": {"Count": "two"}},
        "text",
        None,
    ],
)
def test_nothing_of_the_kind_does_not(section: object) -> None:
    assert not arrival_is_asked(section)
