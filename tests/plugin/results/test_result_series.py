# SPDX-License-Identifier: AGPL-3.0-or-later
"""One model's answer about many images: a series of slices, frames of one instance."""

from __future__ import annotations

from copy import deepcopy
from io import BytesIO

import numpy as np
import pydicom
import pytest

from inference.contract import Outcome
from plugin.results import (
    AnalysedImage,
    ResultBuildError,
    ResultOptions,
    build_scan,
    validate,
    validate_together,
)
from plugin.results.objects import AdditionalKind
from plugin.results.report_checks import report_errors
from plugin.results.viewer_profiles import PROFILES
from tests.plugin.results.samples import SOURCES

SLICES = 6
WITH_FINDINGS = (2, 4)
ALL: tuple[AdditionalKind, ...] = ("SEG-LABELMAP", "SEG-FRACTIONAL", "PM", "PR-HEATMAP", "KO", "SC")


def slices(count=SLICES):
    first = SOURCES["CT with its plane"]()
    made = []
    for number in range(count):
        one = deepcopy(first)
        one.SOPInstanceUID = f"{first.SOPInstanceUID}.{number + 1}"
        one.InstanceNumber = number + 1
        x, y, z = first.ImagePositionPatient
        # Sent from the last to the first, as scanners do.
        one.ImagePositionPatient = [x, y, float(z) - 5 * number]
        made.append(one)
    return made


@pytest.fixture
def scan(model, answer, image):
    def make(headers=None, options=None, outcome=Outcome.FINDINGS):
        headers = headers or slices()
        images = [
            AnalysedImage(one, image(one.Rows, one.Columns, present=number in WITH_FINDINGS))
            for number, one in enumerate(headers)
        ]
        options = options or ResultOptions(additional=ALL)
        return build_scan(images, model, answer(outcome), options)

    return make


def one_of(objects, kind):
    (found,) = [one for one in objects if one.kind == kind]
    return pydicom.dcmread(BytesIO(found.to_bytes()))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_series_has_one_report_and_one_segmentation(scan, profile):
    options = ResultOptions(viewer_profile=profile)
    made = scan(options=options)
    assert [one.kind for one in made] == ["SR", "SEG", "PR"]
    assert {one.kind: validate(one, options) for one in made if validate(one, options)} == {}
    assert validate_together(made) == []


def test_all_additional_kinds_of_a_series_may_be_stored(scan):
    made = scan()
    assert {one.kind: validate(one) for one in made if validate(one)} == {}
    assert len([one for one in made if one.kind == "SC"]) == len(WITH_FINDINGS)


def test_frames_lie_on_the_slices_that_they_are_of(scan):
    headers = slices()
    found = one_of(scan(headers), "SEG")
    by_uid = {one.SOPInstanceUID: one for one in headers}
    shown = set()
    for frame in found.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        header = by_uid[source.ReferencedSOPInstanceUID]
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        assert list(place) == pytest.approx(list(header.ImagePositionPatient))
        shown.add(header.InstanceNumber - 1)
    assert shown == set(WITH_FINDINGS)


def test_dimension_indices_rise_with_the_position_in_space(scan):
    found = one_of(scan(), "SEG")
    pairs = {
        (
            frame.FrameContentSequence[0].DimensionIndexValues[1],
            float(frame.PlanePositionSequence[0].ImagePositionPatient[2]),
        )
        for frame in found.PerFrameFunctionalGroupsSequence
    }
    ordered = sorted(pairs)
    assert [index for index, _ in ordered] == list(range(1, len(ordered) + 1))
    heights = [z for _, z in ordered]
    assert heights == sorted(heights)


def test_the_same_image_alone_and_in_a_series_has_the_same_mask(scan, model, answer, image):
    headers = slices()
    alone = build_scan(
        [AnalysedImage(headers[2], image(128, 128))], model, answer(Outcome.FINDINGS),
        ResultOptions(),
    )  # fmt: skip
    together = one_of(scan(headers), "SEG")
    number = str(headers[2].SOPInstanceUID)
    of_slice = [
        index
        for index, frame in enumerate(together.PerFrameFunctionalGroupsSequence)
        if frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        == number
    ]
    assert np.array_equal(together.pixel_array[of_slice], one_of(alone, "SEG").pixel_array)


def test_evidence_and_library_name_every_slice_once(scan):
    report = one_of(scan(), "SR")
    study = report.CurrentRequestedProcedureEvidenceSequence[0]
    listed = [
        one.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    ]
    assert sorted(listed) == sorted(str(one.SOPInstanceUID) for one in slices())
    assert list(report_errors(report, PROFILES["stone+ohif"])) == []


def test_key_images_are_those_with_findings(scan):
    selected = one_of(scan(), "KO")
    shown = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in selected.ContentSequence
        if item.ValueType == "IMAGE"
    }
    assert shown == {str(slices()[number].SOPInstanceUID) for number in WITH_FINDINGS}


def test_slices_with_rescales_of_their_own_get_states_of_their_own(scan):
    headers = slices()
    headers[4].RescaleSlope = 2
    states = [one for one in scan(headers) if one.kind == "PR"]
    assert len(states) == 2
    assert len({one.sop_instance_uid for one in states}) == 2
    assert [validate(one) for one in states] == [[], []]


def test_slices_of_another_size_get_a_segmentation_of_their_own(scan):
    headers = slices()
    headers[4].Rows = headers[4].Columns = 64
    made = [one for one in scan(headers, ResultOptions()) if one.kind == "SEG"]
    assert sorted(one.dataset.Rows for one in made) == [64, 128]
    assert [validate(one) for one in made] == [[], []]


def test_weasis_gets_segmentations_of_at_most_400_frames(model, answer, image):
    headers = slices(150)
    images = [AnalysedImage(one, image(one.Rows, one.Columns)) for one in headers]
    options = ResultOptions(viewer_profile="weasis", validators=())
    made = build_scan(images, model, answer(Outcome.FINDINGS), options)
    frames = [int(one.dataset.NumberOfFrames) for one in made if one.kind == "SEG"]
    assert len(frames) > 1
    assert max(frames) <= 400
    assert all(validate(one, options) == [] for one in made)


def test_a_repeated_run_has_the_same_uids_and_another_slice_others(scan):
    first, again = scan(), scan()
    fewer = scan(slices(5))
    assert [one.sop_instance_uid for one in first] == [one.sop_instance_uid for one in again]
    assert first[0].sop_instance_uid != fewer[0].sop_instance_uid


def test_images_of_two_studies_are_no_scan(scan):
    headers = slices()
    headers[1].StudyInstanceUID = "1.2.3"
    with pytest.raises(ResultBuildError, match="different studies"):
        scan(headers)


def test_regions_are_numbered_through_the_series(scan):
    state = one_of(scan(), "PR")
    names = [
        graphic.TrackingID
        for annotation in state.GraphicAnnotationSequence
        for graphic in annotation.get("GraphicObjectSequence", ())
    ]
    assert len(names) == len(set(names))
