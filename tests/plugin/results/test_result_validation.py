# SPDX-License-Identifier: AGPL-3.0-or-later
"""The gate: every object that failed in a viewer is refused before it is stored."""

from __future__ import annotations

import stat
import subprocess
from copy import deepcopy
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage

from inference.contract import Outcome
from plugin.results import (
    ResultObject,
    ResultOptions,
    external_validators,
    sr_tree,
    validate,
    validate_together,
)
from tests.plugin.results.samples import dx_header

ONLY_OWN = ResultOptions(validators=())


@pytest.fixture
def report(objects, dx) -> ResultObject:
    return deepcopy(objects(dx)["SR"])


@pytest.fixture
def segmentation(objects, dx) -> ResultObject:
    return deepcopy(objects(dx)["SEG"])


@pytest.fixture
def state(objects, dx) -> ResultObject:
    return deepcopy(objects(dx)["PR"])


def errors(one: ResultObject) -> str:
    return "\n".join(validate(one, ONLY_OWN))


def groups_of(one: ResultObject) -> list[Dataset]:
    (measurements,) = sr_tree.named(one.dataset, codes.DCM.ImagingMeasurements)
    return sr_tree.named(measurements, codes.DCM.MeasurementGroup)


def rename(item: Dataset, name: Code) -> None:
    concept = item.ConceptNameCodeSequence[0]
    concept.CodeValue = name.value
    concept.CodingSchemeDesignator = name.scheme_designator
    concept.CodeMeaning = name.meaning


def without(group: Dataset, *value_types: str) -> None:
    group.ContentSequence = [
        item for item in group.ContentSequence if item.ValueType not in value_types
    ]


def test_what_is_built_passes(report, segmentation, state):
    assert [errors(one) for one in (report, segmentation, state)] == ["", "", ""]


def test_a_source_image_under_highdicoms_name_is_refused(report):
    for item in sr_tree.descendants(report.dataset):
        if item.ValueType == "IMAGE" and item.RelationshipType == "SELECTED FROM":
            rename(item, Code("260753009", "SCT", "Source"))
    assert "Original Source" in errors(report)


def test_one_tracking_uid_for_two_groups_is_refused(report):
    first, second = groups_of(report)[:2]
    name = codes.DCM.TrackingUniqueIdentifier
    sr_tree.named(second, name)[0].UID = sr_tree.named(first, name)[0].UID
    assert "share one" in errors(report)


def test_a_group_without_tracking_uid_is_refused(report):
    without(groups_of(report)[1], "UIDREF")
    assert "a group has none" in errors(report)


def test_a_tracking_identifier_that_ohif_does_not_know_is_refused(report):
    sr_tree.named(groups_of(report)[1], codes.DCM.TrackingIdentifier)[0].TextValue = "Lesion 1"
    assert "prefix" in errors(report)


def test_an_outline_under_the_rectangle_tool_is_refused(report):
    item = sr_tree.named(groups_of(report)[1], codes.DCM.TrackingIdentifier)[0]
    item.TextValue = "Cornerstone3DTools@^0.1.0:RectangleROI:Lesion"
    assert "four corners" in errors(report)


def test_a_probability_without_coordinates_is_refused(report):
    group = groups_of(report)[1]
    without(group, "SCOORD")
    assert "black viewport" in errors(report)


def test_a_group_that_only_refers_to_the_image_is_refused(report):
    group = groups_of(report)[0]
    image = deepcopy(sr_tree.of_type(sr_tree.of_type(group, "SCOORD")[0], "IMAGE")[0])
    without(group, "SCOORD", "NUM")
    group.ContentSequence.append(image)
    assert "black viewport" in errors(report)


def test_a_group_without_words_is_refused(report):
    group = groups_of(report)[1]
    group.ContentSequence = [
        item for item in group.ContentSequence if not sr_tree.is_named(item, codes.DCM.Comment)
    ]
    assert "Measurement Group 2: Comment" in errors(report)


def test_a_probability_that_does_not_repeat_the_region_is_refused(report):
    number = sr_tree.of_type(groups_of(report)[1], "NUM")[0]
    without(number, "SCOORD")
    assert "inferred" in errors(report)


def test_a_probability_of_another_region_is_refused(report):
    number = sr_tree.of_type(groups_of(report)[1], "NUM")[0]
    sr_tree.of_type(number, "SCOORD")[0].GraphicData = [0, 0, 1, 0, 1, 1, 0, 0]
    assert "inferred" in errors(report)


def test_a_negative_without_imaging_measurements_is_refused(objects, dx):
    negative = deepcopy(objects(dx, Outcome.NO_FINDINGS)["SR"])
    negative.dataset.ContentSequence = [
        item
        for item in negative.dataset.ContentSequence
        if not sr_tree.is_named(item, codes.DCM.ImagingMeasurements)
    ]
    assert "OHIF crashes" in errors(negative)


def test_a_negative_as_a_diagnostic_imaging_report_is_accepted(objects, dx):
    negative = deepcopy(objects(dx, Outcome.NO_FINDINGS)["SR"])
    rename(negative.dataset, Code("18748-4", "LN", "Diagnostic imaging report"))
    without(negative.dataset, "CONTAINER")
    assert errors(negative) == ""


def test_regions_in_a_diagnostic_imaging_report_are_refused(report):
    rename(report.dataset, Code("18748-4", "LN", "Diagnostic imaging report"))
    assert "viewers draw regions of an Imaging Measurement Report only" in errors(report)


def test_a_report_of_another_title_is_refused(report):
    rename(report.dataset, Code("126001", "DCM", "Oncology Measurement Report"))
    assert "title" in errors(report)


def test_a_report_without_image_library_is_refused(report):
    report.dataset.ContentSequence = [
        item
        for item in report.dataset.ContentSequence
        if not sr_tree.is_named(item, codes.DCM.ImageLibrary)
    ]
    assert "Image Library" in errors(report)


def test_another_report_class_is_refused_in_this_profile(report):
    report.dataset.SOPClassUID = Comprehensive3DSRStorage
    assert "Comprehensive SR only" in errors(report)


def test_evidence_listed_twice_is_refused(report):
    series = report.dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    series.ReferencedSOPSequence.append(deepcopy(series.ReferencedSOPSequence[0]))
    assert "more than once" in errors(report)


def test_a_reference_that_is_no_evidence_is_refused(report):
    study = report.dataset.CurrentRequestedProcedureEvidenceSequence[0]
    study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.9"
    assert "isn't listed" in errors(report)


def test_an_open_polyline_is_refused(report):
    region = sr_tree.of_type(groups_of(report)[1], "SCOORD")[0]
    region.GraphicData = list(region.GraphicData)[:-2]
    assert "isn't closed" in errors(report)


def test_a_region_outside_the_image_is_refused(report):
    region = sr_tree.of_type(groups_of(report)[0], "SCOORD")[0]
    region.GraphicData = [0, 0, 201, 0, 201, 300, 0, 300, 0, 0]
    assert "outside the image" in errors(report)


def test_a_shape_that_stone_does_not_draw_is_refused(report):
    sr_tree.of_type(groups_of(report)[1], "SCOORD")[0].GraphicType = "MULTIPOINT"
    assert "POLYLINE only" in errors(report)


def test_two_reports_in_one_series_are_refused(objects, report):
    other = objects(dx_header(301, 200))["SR"]
    other.dataset.SOPInstanceUID = "1.2.3"
    assert any("one SR per series" in error for error in validate_together([report, other]))


def test_both_report_classes_in_one_study_are_refused(report):
    other = deepcopy(report)
    other.dataset.SOPClassUID = Comprehensive3DSRStorage
    other.dataset.SeriesInstanceUID = "1.2.3"
    other.dataset.SOPInstanceUID = "1.2.3.4"
    assert any("two classes" in error for error in validate_together([report, other]))


def test_two_objects_of_one_name_are_refused(report, segmentation):
    segmentation.dataset.SOPInstanceUID = report.dataset.SOPInstanceUID
    assert any("share one" in error for error in validate_together([report, segmentation]))


def test_body_part_of_the_original_is_refused(report):
    report.dataset.BodyPartExamined = "Thorax ap"
    assert "Body Part Examined" in errors(report)


def test_an_object_that_would_not_be_recognized_is_refused(report):
    report.dataset.remove_private_tags()
    assert "private creator" in errors(report)


@pytest.mark.parametrize(
    ("place", "group", "keyword"),
    [
        ("shared", "PixelMeasuresSequence", "PixelSpacing"),
        ("shared", "PlaneOrientationSequence", "ImageOrientationPatient"),
        ("frame", "PlanePositionSequence", "ImagePositionPatient"),
    ],
)
def test_a_segmentation_of_a_projection_without_a_plane_is_refused(
    segmentation, place, group, keyword
):
    dataset = segmentation.dataset
    items = (
        dataset.SharedFunctionalGroupsSequence
        if place == "shared"
        else dataset.PerFrameFunctionalGroupsSequence
    )
    for item in items:
        del item[group]
    assert keyword in errors(segmentation)


def test_frames_that_were_dropped_are_noticed(segmentation):
    segmentation.dataset.PerFrameFunctionalGroupsSequence.pop(0)
    found = errors(segmentation)
    assert "shift" in found
    assert "every segment needs a frame" in found


def test_pixel_data_of_another_length_is_refused(segmentation):
    segmentation.dataset.PixelData = segmentation.dataset.PixelData[:-2]
    assert "Pixel Data" in errors(segmentation)


def test_a_segment_without_a_colour_is_refused(segmentation):
    del segmentation.dataset.SegmentSequence[0].RecommendedDisplayCIELabValue
    assert "CIELab" in errors(segmentation)


def test_segment_numbers_with_a_gap_are_refused(segmentation):
    segmentation.dataset.SegmentSequence[0].SegmentNumber = 99
    assert "count from 1" in errors(segmentation)


def test_a_frame_without_its_source_is_refused(segmentation):
    del segmentation.dataset.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence
    assert "source image" in errors(segmentation)


def test_a_state_without_laterality_is_refused(state):
    del state.dataset.Laterality
    assert "Laterality" in errors(state)


def test_graphics_outside_the_image_are_refused(state):
    annotation = state.dataset.GraphicAnnotationSequence[0]
    annotation.GraphicObjectSequence[0].GraphicData = [0, 0, 500, 0, 0, 0]
    assert "outside the image" in errors(state)


def test_graphics_on_a_layer_that_is_not_described_are_refused(state):
    state.dataset.GraphicLayerSequence.pop(0)
    assert "layer" in errors(state)


def test_a_state_without_displayed_area_is_refused(state):
    del state.dataset.DisplayedAreaSelectionSequence
    assert "Displayed Area" in errors(state)


def test_an_object_of_another_kind_of_garbage_is_refused_not_crashed_on():
    nonsense = Dataset()
    nonsense.ensure_file_meta()
    for kind in ("SR", "SEG", "PR"):
        assert validate(ResultObject(kind, nonsense), ONLY_OWN)


# -- validators of others


def needs(tool: str) -> None:
    if external_validators.shutil.which(tool) is None:
        pytest.skip(f"{tool} isn't installed")


def test_what_dciodvfy_finds_is_an_error(segmentation):
    needs("dciodvfy")
    del segmentation.dataset.SegmentationType
    found = validate(segmentation, ResultOptions(validators=("dciodvfy",)))
    assert any(error.startswith("dciodvfy: ") and "SegmentationType" in error for error in found)


def test_what_dsrdump_finds_is_an_error(report):
    needs("dsrdump")
    del report.dataset.ContentSequence
    del report.dataset.ValueType
    found = validate(report, ResultOptions(validators=("dsrdump",)))
    assert any(error.startswith("dsrdump: ") for error in found)


def test_what_dcmpschk_finds_is_an_error_though_it_ends_with_0(state):
    needs("dcmpschk")
    state.dataset.SoftcopyVOILUTSequence[0].WindowCenter = [1, 2]
    found = validate(state, ResultOptions(validators=("dcmpschk",)))
    assert any(error.startswith("dcmpschk: ") and "windowCenter" in error for error in found)


def test_a_validator_that_is_not_installed_finds_nothing(segmentation, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    del segmentation.dataset.SegmentationType
    assert validate(segmentation) == []


def test_a_validator_that_does_not_answer_is_an_error(report, monkeypatch):
    def hang(command, **_):
        raise subprocess.TimeoutExpired(command, 10)

    monkeypatch.setattr(external_validators.shutil, "which", lambda name: name)
    monkeypatch.setattr(external_validators.subprocess, "run", hang)
    found = validate(report, ResultOptions(validators=("dciodvfy",)))
    assert found == ["dciodvfy: no answer within 10 s"]


def test_the_file_that_validators_see_is_private_nameless_and_gone_afterwards(objects, monkeypatch):
    seen: list[tuple[Path, int, bytes]] = []

    def look(command, **_):
        path = Path(command[-1])
        seen.append((path, path.stat().st_mode, path.read_bytes()))
        return subprocess.CompletedProcess(command, 0, b"", b"")

    monkeypatch.setattr(external_validators.shutil, "which", lambda name: name)
    monkeypatch.setattr(external_validators.subprocess, "run", look)
    header = dx_header()
    header.PatientName = "Secret^Name"
    header.PatientID = "SECRET"
    header.AccessionNumber = "SECRET"
    for one in objects(header).values():
        validate(one, ResultOptions(validators=("dciodvfy",)))
    assert len(seen) == 3
    for path, mode, data in seen:
        assert stat.S_IMODE(mode) == 0o600
        assert b"secret" not in data.lower()
        assert not path.exists()


def test_validation_leaves_the_object_as_it_was(objects, header):
    for one in objects(header).values():
        before = one.to_bytes()
        validate(one)
        assert one.to_bytes() == before
