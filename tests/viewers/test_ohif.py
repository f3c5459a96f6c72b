# SPDX-License-Identifier: AGPL-3.0-or-later
"""Results in OHIF: the version that Orthanc's plugin ships, and the newest, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.conformance_samples import REASON
from inference.contract import Outcome
from tests.viewers.examination import examine
from tests.viewers.ohif_page import OhifPage
from tests.viewers.ohif_releases import ORTHANC_PLUGIN
from tests.viewers.studies import JUDGEMENTS, Study

pytestmark = pytest.mark.browser

FOUND = ("chest-findings", "breast", "ct")
ONE_RELEASE_IS_ENOUGH = ("breast", "ct")
"""Other scans, opened in the release that Orthanc ships: every outcome is opened in both."""
OTHERS = [f"chest-{outcome}" for outcome in Outcome if outcome is not Outcome.FINDINGS]
NEAR_PX = 0.5


@pytest.mark.parametrize("name", FOUND)
def test_findings_are_drawn_in_place_with_their_probabilities(
    ohif_page: OhifPage, viewer_studies: dict[str, Study], pictures: Path, name: str
) -> None:
    if name in ONE_RELEASE_IS_ENOUGH and ohif_page.version != ORTHANC_PLUGIN.version:
        pytest.skip(f"{name} is opened in OHIF {ORTHANC_PLUGIN.version}")
    study = viewer_studies[name]
    seen = examine(ohif_page, study, pictures)
    assert seen.errors == []
    assert seen.expected > 3
    assert (seen.drawn, seen.hydrated) == (seen.expected, seen.expected)
    assert seen.worst_px <= NEAR_PX
    labels = {measured["label"] for measured in ohif_page.measured()}
    for lesion in study.lesions:
        assert f"{lesion.label.rpartition(' ')[0]} {lesion.percent:.2f} %" in labels


@pytest.mark.parametrize("name", OTHERS)
def test_a_result_without_findings_opens_and_says_how_the_analysis_ended(
    ohif_page: OhifPage, viewer_studies: dict[str, Study], pictures: Path, name: str
) -> None:
    study = viewer_studies[name]
    seen = examine(ohif_page, study, pictures)
    assert seen.errors == []
    assert (seen.drawn, seen.hydrated) == (1, 1)
    (measured,) = ohif_page.measured()
    assert "without findings" in measured["finding"]
    begins = "No findings: " if study.outcome in JUDGEMENTS else f"{study.outcome.capitalize()}: "
    assert measured["label"].startswith(begins)
    assert measured["label"].endswith(REASON)
