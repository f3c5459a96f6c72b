# SPDX-License-Identifier: AGPL-3.0-or-later
"""Results in OHIF: the version that Orthanc's plugin ships, and the newest, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.contract import Outcome
from tests.viewers.examination import examine
from tests.viewers.ohif_page import OhifPage
from tests.viewers.studies import Study

pytestmark = pytest.mark.browser

FOUND = ("chest-findings", "breast", "ct")
OTHERS = [f"chest-{outcome}" for outcome in Outcome if outcome is not Outcome.FINDINGS]
NEAR_PX = 0.5


@pytest.mark.parametrize("name", FOUND)
def test_findings_are_drawn_in_place_with_their_probabilities(
    ohif_page: OhifPage, viewer_studies: dict[str, Study], pictures: Path, name: str
) -> None:
    seen = examine(ohif_page, viewer_studies[name], pictures)
    assert seen.errors == []
    assert seen.expected > 3
    assert (seen.drawn, seen.hydrated) == (seen.expected, seen.expected)
    assert seen.worst_px <= NEAR_PX


@pytest.mark.parametrize("name", OTHERS)
def test_a_result_without_findings_opens_and_says_how_the_analysis_ended(
    ohif_page: OhifPage, viewer_studies: dict[str, Study], pictures: Path, name: str
) -> None:
    seen = examine(ohif_page, viewer_studies[name], pictures)
    assert seen.errors == []
    assert (seen.drawn, seen.hydrated) == (1, 1)
    (measured,) = ohif_page.measured()
    assert "without findings" in measured["finding"]
