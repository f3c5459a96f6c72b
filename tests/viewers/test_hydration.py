# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reports become measurements in cornerstone's adapters, those of both OHIF releases."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from benchmarks.conformance_samples import answer
from inference.contract import Outcome
from tests.viewers.hydration import ADAPTERS, Hydrated, hydrate
from tests.viewers.ohif_releases import NotAvailableError
from tests.viewers.studies import JUDGEMENTS, Study

RECTANGLE = "RectangleROI"
BEGINS = {
    Outcome.FINDINGS: "Findings: ",
    Outcome.NO_FINDINGS: "No findings",
    Outcome.ABSTAINED: "Abstained: ",
    Outcome.REFUSED: "Refused: ",
    Outcome.FAILED: "Failed: ",
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, viewer_studies: dict[str, Study]) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    for study in viewer_studies.values():
        for content in study.files:
            if pydicom.dcmread(io.BytesIO(content), specific_tags=["Modality"]).Modality == "SR":
                (folder / study.name).write_bytes(content)
    return folder


@pytest.fixture(scope="module", params=ADAPTERS.values())
def hydrated(request: pytest.FixtureRequest, reports: Path) -> dict[str, list[Hydrated]]:
    try:
        measurements, complaints = hydrate(reports, request.param)
    except NotAvailableError as error:
        pytest.skip(f"cornerstone's adapters {request.param} can't be fetched: {error}")
    assert complaints == []
    return measurements


def test_every_lesion_becomes_a_measurement_with_the_same_corners(
    hydrated: dict[str, list[Hydrated]], viewer_studies: dict[str, Study]
) -> None:
    assert hydrated.keys() == viewer_studies.keys()
    for name, study in viewer_studies.items():
        outlines = [one for one in hydrated[name] if one.tool != RECTANGLE]
        assert len(outlines) == len(study.lesions), name
        for one, lesion in zip(outlines, study.lesions, strict=True):
            assert one.sop_instance_uid == lesion.sop_instance_uid
            # A closed line's last corner is its first.
            assert np.allclose(one.outline, lesion.outline[:-1], atol=1e-3), name


def test_every_outcome_becomes_a_measurement_that_tells_it(
    hydrated: dict[str, list[Hydrated]], viewer_studies: dict[str, Study]
) -> None:
    for name, study in viewer_studies.items():
        (frame,) = [one for one in hydrated[name] if one.tool == RECTANGLE]
        has_findings = "with findings" in frame.finding
        assert has_findings == bool(study.lesions), name


def test_every_measurement_is_named_by_what_its_group_says(
    hydrated: dict[str, list[Hydrated]], viewer_studies: dict[str, Study]
) -> None:
    for name, study in viewer_studies.items():
        labels = [one.label for one in hydrated[name] if one.tool != RECTANGLE]
        assert labels == [
            f"{lesion.label.rpartition(' ')[0]} {lesion.percent:.2f} %" for lesion in study.lesions
        ], name


def test_an_outcome_without_findings_is_named_by_its_reason(
    hydrated: dict[str, list[Hydrated]], viewer_studies: dict[str, Study]
) -> None:
    for name, study in viewer_studies.items():
        (frame,) = [one for one in hydrated[name] if one.tool == RECTANGLE]
        assert frame.label.startswith(BEGINS[study.outcome]), name
        if study.outcome not in JUDGEMENTS:
            assert frame.label.endswith(f": {answer(study.outcome, ()).reason}"), name
