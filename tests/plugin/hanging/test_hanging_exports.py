# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hangings for viewers: legal DICOM, and protocols that OHIF's matching understands."""

from __future__ import annotations

import io
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from plugin.configuration.hanging_table import Hanging, read_hangings
from plugin.hanging.dicom_protocol import hanging_protocol
from plugin.hanging.filling import Hanger
from plugin.hanging.ohif import protocol, study_protocol
from tests.plugin.routing.tables import Archive

SHIPPED = read_hangings().hangings
MOMENT = datetime(2026, 11, 3, 10, 0, tzinfo=UTC)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
@pytest.mark.parametrize("hanging", SHIPPED, ids=lambda one: one.name)
def test_every_shipped_hanging_is_legal_dicom(hanging: Hanging, tmp_path: Path) -> None:
    path = tmp_path / "hanging.dcm"
    path.write_bytes(hanging_protocol(hanging))
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = [one for one in said.stderr.splitlines() if one.strip() != "HangingProtocol"]
    assert [one for one in lines if one] == []


def test_the_object_says_where_each_box_is_and_what_it_shows() -> None:
    hanging = next(one for one in SHIPPED if one.name == "chest-film")
    dataset = pydicom.dcmread(io.BytesIO(hanging_protocol(hanging, MOMENT)))
    assert (dataset.HangingProtocolName, dataset.NumberOfPriorsReferenced) == ("chest-film", 1)
    (definition,) = dataset.HangingProtocolDefinitionSequence
    (region,) = definition.AnatomicRegionSequence
    assert (region.CodeValue, region.CodingSchemeDesignator) == ("816094009", "SCT")
    positions = [
        list(one.ImageBoxesSequence[0].DisplayEnvironmentSpatialPosition)
        for one in dataset.DisplaySetsSequence
    ]
    assert positions == [
        [0.0, 1.0, 0.5, 0.5], [0.5, 1.0, 1.0, 0.5], [0.0, 0.5, 0.5, 0.0], [0.5, 0.5, 1.0, 0.0],
    ]  # fmt: skip
    times = [one.TimeBasedImageSetsSequence[0] for one in dataset.ImageSetsSequence]
    assert [one.ImageSetSelectorCategory for one in times] == [
        "RELATIVE_TIME", "ABSTRACT_PRIOR", "RELATIVE_TIME", "ABSTRACT_PRIOR",
    ]  # fmt: skip
    assert times[1].ImageSetLabel == "CR/DX chest PA/AP, prior 1"


@pytest.mark.parametrize("hanging", SHIPPED, ids=lambda one: one.name)
def test_an_image_of_another_modality_is_in_no_image_set(hanging: Hanging) -> None:
    dataset = pydicom.dcmread(io.BytesIO(hanging_protocol(hanging)))
    for one, box in zip(dataset.ImageSetsSequence, hanging.boxes, strict=True):
        by_tag = {item.SelectorAttribute: item for item in one.ImageSetSelectorSequence}
        modality = by_tag[0x00080060]
        assert modality.ImageSetSelectorUsageFlag == "NO_MATCH"
        asked = modality.SelectorCSValue
        asked = [asked] if isinstance(asked, str) else list(asked)
        assert tuple(asked) == hanging.shown_by(box)[0]


@pytest.mark.parametrize("name", ["mammography", "chest-film"])
def test_raw_values_are_in_no_image_set_but_images_that_do_not_say_so_are(name: str) -> None:
    hanging = next(one for one in SHIPPED if one.name == name)
    dataset = pydicom.dcmread(io.BytesIO(hanging_protocol(hanging)))
    for one in dataset.ImageSetsSequence:
        by_tag = {item.SelectorAttribute: item for item in one.ImageSetSelectorSequence}
        intent = by_tag[0x00080068]
        assert intent.SelectorCSValue == "FOR PRESENTATION"
        assert intent.ImageSetSelectorUsageFlag == "MATCH"


def test_each_box_of_a_head_asks_for_its_plane() -> None:
    hanging = next(one for one in SHIPPED if one.name == "mr-head")
    dataset = pydicom.dcmread(io.BytesIO(hanging_protocol(hanging)))
    filters = [tuple(one.FilterOperationsSequence) for one in dataset.DisplaySetsSequence]
    assert all(
        (one.FilterByCategory, one.FilterByOperator, one.ImageSetSelectorUsageFlag)
        == ("IMAGE_PLANE", "MEMBER_OF", "NO_MATCH")
        for (one,) in filters
    )
    planes = [one.SelectorCSValue for (one,) in filters]
    assert planes == ["TRANSVERSE", "TRANSVERSE", "SAGITTAL", "CORONAL"]


def test_a_box_for_any_plane_filters_nothing() -> None:
    hanging = next(one for one in SHIPPED if one.name == "chest-film")
    dataset = pydicom.dcmread(io.BytesIO(hanging_protocol(hanging)))
    assert not any(one.FilterOperationsSequence for one in dataset.DisplaySetsSequence)


def test_the_same_rules_are_the_same_object_and_others_another() -> None:
    def uid(hanging: Hanging) -> str:
        return str(pydicom.dcmread(io.BytesIO(hanging_protocol(hanging))).SOPInstanceUID)

    first = SHIPPED[0]
    assert uid(first) == uid(first) != uid(first.model_copy(update={"description": "other"}))


@pytest.mark.parametrize("hanging", SHIPPED, ids=lambda one: one.name)
def test_a_protocol_for_ohif_has_a_viewport_for_every_box_and_a_selector_for_each(
    hanging: Hanging,
) -> None:
    made = protocol(hanging)
    (stage,) = made["stages"]
    assert len(stage["viewports"]) == hanging.rows * hanging.columns
    named = [one["id"] for port in stage["viewports"] for one in port["displaySets"]]
    assert sorted(named) == sorted(made["displaySetSelectors"])
    assert made["numberOfPriorsReferenced"] == hanging.priors


def test_the_protocol_of_a_study_names_the_series_that_hang_there() -> None:
    archive = Archive()
    before, prior = archive.ct("before", "20261004")
    study, current = archive.ct("now")
    for number, series in enumerate((current, prior)):
        archive.serieses[series]["MainDicomTags"]["SeriesInstanceUID"] = f"2.25.7{number}"
    found = Hanger(archive, read_hangings()).hang(study)
    assert found is not None
    made = study_protocol(found)
    uid, earlier = (
        archive.studies[one]["MainDicomTags"]["StudyInstanceUID"] for one in (study, before)
    )
    assert made["id"] == f"sidelight-{found.hanging.name}-{uid}"
    assert made["protocolMatchingRules"][0]["constraint"] == {"equals": {"value": uid}}
    assert [
        (one["studyMatchingRules"][0]["constraint"]["equals"]["value"],
         one["seriesMatchingRules"][0]["constraint"]["equals"]["value"])
        for one in made["displaySetSelectors"].values()
    ] == [(uid, "2.25.70"), (earlier, "2.25.71")]  # fmt: skip
