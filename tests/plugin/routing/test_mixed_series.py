# SPDX-License-Identifier: AGPL-3.0-or-later
"""Series whose images are not alike: the same verdict and set in whatever order they arrived."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from plugin.routing.facts import SeriesFacts, facts, tags_of
from plugin.routing.matching import Matcher
from plugin.routing.records import Decision
from tests.plugin.routing.tables import AXIAL, CT_CHEST, SCAN, Archive, application, table

CORONAL = "1\\0\\0\\0\\0\\-1"
SAGITTAL = "0\\1\\0\\0\\0\\-1"
SLICE = {"ImageOrientationPatient": AXIAL, "ImageType": "ORIGINAL\\PRIMARY\\AXIAL"}
SCOUT = {"ImageOrientationPatient": CORONAL, "ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER"}
REFORMAT = {
    "ImageOrientationPatient": SAGITTAL,
    "ImageType": "DERIVED\\SECONDARY\\REFORMATTED",
}


def decided(
    images: Sequence[tuple[int, dict[str, str]]], **conditions: Any
) -> tuple[Decision, list[str]]:
    """The decision about a series of these images, in order of arrival, and which go along."""
    archive = Archive()
    study, series = archive.ct("now", slices=0)
    kinds = {}
    for number, tags in images:
        instance = archive.image_of(series, **tags, InstanceNumber=str(number))
        kinds[instance] = tags["ImageType"].rsplit("\\", 1)[-1]
    scan = {**SCAN, **conditions}
    (decision,) = Matcher(archive, table(application(scan=scan))).decide(study).decisions
    return decision, [kinds[one] for part in decision.parts for one in part.instances]


def numbered(*images: dict[str, str]) -> list[tuple[int, dict[str, str]]]:
    return list(enumerate(images, 1))


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_scout_among_slices_is_left_out_whenever_it_arrived(order: tuple[int, ...]) -> None:
    images = numbered(SCOUT, SLICE, SLICE, SLICE)
    decision, sent = decided([images[at] for at in order], orientation="axial")
    assert (decision.decision, sent) == ("matched", ["AXIAL"] * 3)
    found = {check.condition: check.found for check in decision.series[0].checks}
    assert (found["slices"], found["localizer"]) == ("3", "no localizer")


def test_what_is_left_out_does_not_count_as_slices() -> None:
    decision, _ = decided(numbered(SCOUT, SLICE, SLICE))
    assert decision.reason == "closest series: slices is 2, wanted: at least 3"


def test_a_scout_goes_along_where_the_category_includes_localizers() -> None:
    decision, sent = decided(numbered(SCOUT, SLICE, SLICE), localizers="include")
    assert (decision.decision, sorted(sent)) == ("matched", ["AXIAL", "AXIAL", "LOCALIZER"])


def test_a_series_of_localizers_alone_does_not_fit() -> None:
    planes = [{**SCOUT, "ImageOrientationPatient": p} for p in (AXIAL, CORONAL, SAGITTAL)]
    decision, sent = decided(numbered(*planes))
    assert (decision.decision, sent) == ("no-series-fits", [])
    assert decision.reason == "closest series: localizer is localizer, wanted: no localizer"


def test_reformats_are_left_out_where_derived_images_are() -> None:
    images = numbered(SLICE, SLICE, SLICE, *[REFORMAT] * 5)
    assert decided(images, derived="exclude")[1] == ["AXIAL"] * 3
    assert len(decided(images)[1]) == 8


def test_most_of_what_is_asked_for_decides_about_the_orientation() -> None:
    images = numbered(SLICE, SLICE, SLICE, *[REFORMAT] * 5)
    assert decided(images, orientation="axial")[0].decision == "no-series-fits"
    assert decided(images, orientation="axial", derived="exclude")[0].decision == "matched"


def test_of_images_that_lie_alike_the_middle_one_speaks_for_all() -> None:
    scout = {**SCOUT, "ImageOrientationPatient": AXIAL}
    for order in itertools.permutations(numbered(scout, SLICE, SLICE)):
        assert decided(list(order))[0].decision == "matched"


def test_few_headers_are_read_however_many_images_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = Archive()
    study, series = archive.ct("now", slices=50)
    archive.image_of(series, **SCOUT)
    asked: list[str] = []
    read = archive.simplified_tags
    monkeypatch.setattr(archive, "simplified_tags", lambda one: asked.append(one) or read(one))
    Matcher(archive, table(application())).decide(study)
    assert len(asked) == 2


def enhanced(shared: str, *frames: str) -> Dataset:
    """Header of an enhanced image whose orientation is said once, or frame by frame."""
    header = Dataset()
    header.NumberOfFrames = len(frames)
    header.SharedFunctionalGroupsSequence = Items([_group(shared)])
    header.PerFrameFunctionalGroupsSequence = Items([_group(frame) for frame in frames])
    return header


def _group(orientation: str) -> Dataset:
    group = Dataset()
    if orientation:
        plane = Dataset()
        plane.ImageOrientationPatient = orientation.split("\\")
        group.PlaneOrientationSequence = Items([plane])
    return group


def _as_orthanc_says(header: Dataset) -> dict[str, Any]:
    """``simplified-tags`` of a header."""
    said: dict[str, Any] = {}
    for element in header:
        if element.VR == "SQ":
            said[element.keyword] = [_as_orthanc_says(item) for item in element.value]
        else:
            many = element.value if element.VM > 1 else [element.value]
            said[element.keyword] = "\\".join(map(str, many))
    return said


@pytest.mark.parametrize(
    ("header", "orientation"),
    [
        (enhanced(CORONAL, "", ""), "coronal"),
        (enhanced("", AXIAL, AXIAL), "axial"),
        (enhanced("", CORONAL, AXIAL, AXIAL), "axial"),
        (enhanced("", *[AXIAL] * 3, *[SAGITTAL] * 1000), "sagittal"),
        (enhanced("", "", ""), "none"),
        (enhanced(""), "none"),
    ],
)
def test_an_enhanced_image_says_its_orientation_once_or_frame_by_frame(
    header: Dataset, orientation: str
) -> None:
    def known(tags: dict[str, Any]) -> SeriesFacts:
        return facts(CT_CHEST, tags, 1)

    assert known(_as_orthanc_says(header)).orientation == orientation
    assert known(tags_of(header)).orientation == orientation


def test_of_very_many_frames_some_are_asked() -> None:
    tags = tags_of(enhanced("", *[AXIAL] * 1001))
    assert 50 < len(tags["PerFrameFunctionalGroupsSequence"]) <= 100
