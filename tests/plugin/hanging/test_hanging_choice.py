# SPDX-License-Identifier: AGPL-3.0-or-later
"""Of several images that fit a box the one hangs that is made to be read."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from plugin.anatomy import AnatomyBook
from plugin.hanging.filling import Hanger
from plugin.states import ScanState, Status
from tests.plugin.hanging.test_hanging_rules import hung, projection, table
from tests.plugin.routing.tables import CT_CHEST, Archive
from tests.plugin.web.fake_archive import CHEST

MAMMOGRAM = CHEST.model_copy(
    update={"modality": "MG", "regions": ("breast",), "view": "CC", "laterality": "R"}
)
RAW = {"PresentationIntentType": "FOR PROCESSING", "ImageType": "ORIGINAL\\PRIMARY"}
SHOWN = {"PresentationIntentType": "FOR PRESENTATION", "ImageType": "DERIVED\\PRIMARY"}
TOMOSYNTHESIS = {
    **SHOWN, "NumberOfFrames": "60", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.13.1.3",
}  # fmt: skip
COPY = {"PresentationIntentType": "FOR PRESENTATION", "ImageType": "DERIVED\\SECONDARY"}
MAGNIFIED = {
    **SHOWN, "ViewCodeSequence": [{"ViewModifierCodeSequence": [{"CodeValue": "399163009"}]}],
}  # fmt: skip
REPEATED = {**SHOWN, "AcquisitionDate": "20261103", "AcquisitionTime": "101500"}
FIRST = {**SHOWN, "AcquisitionDate": "20261103", "AcquisitionTime": "100900"}

Tags = dict[str, Any]


def of_two(best: Tags, other: Tags, anatomy: Any = MAMMOGRAM) -> None:
    """In whatever order they came, and of a prior too, the best one hangs."""
    for order in permutations((best, other)):
        archive = Archive()
        now = archive.add_study("now", StudyDate="20261103")
        before = archive.add_study("before", StudyDate="20251103")
        expected = []
        for study in (now, before):
            archive.studies[study]["PatientMainDicomTags"]["PatientID"] = "PID-1"
            images = [projection(archive, study, anatomy, **tags) for tags in order]
            AnatomyBook(archive).sum_up(study)
            expected.append(images[order.index(best)])
        places = hung(archive, now)
        assert [one for one in places.values() if one] == expected


@pytest.mark.parametrize(
    ("best", "other"),
    [
        (SHOWN, RAW),
        (SHOWN, TOMOSYNTHESIS),
        (TOMOSYNTHESIS, RAW),
        (SHOWN, COPY),
        (SHOWN, MAGNIFIED),
        (REPEATED, FIRST),
    ],
    ids=[
        "the-image-for-presentation-and-not-the-raw-one",
        "the-plain-image-and-not-the-tomosynthesis-with-its-sixty-frames",
        "the-tomosynthesis-where-else-there-is-the-raw-image-alone",
        "the-image-and-not-a-secondary-copy",
        "the-whole-view-and-not-its-magnification",
        "the-repeated-image-and-not-the-first-one",
    ],
)
def test_of_two_mammograms_of_a_view_hangs(best: Tags, other: Tags) -> None:
    of_two(best, other)


def test_of_two_chest_films_the_one_for_presentation_hangs() -> None:
    of_two(SHOWN, RAW, CHEST.model_copy(update={"modality": "DX"}))


def test_each_image_of_a_series_is_judged_by_its_own_header() -> None:
    archive = Archive()
    study = archive.add_study("now")
    raw = projection(archive, study, MAMMOGRAM, **RAW)
    shown = archive.add_instance(archive.instances[raw]["ParentSeries"])
    archive.tags[shown] = {**archive.tags[raw], **SHOWN}
    archive.set_state(
        ScanState(level="instance", resource=shown, status=Status.NO_APPLICATION, anatomy=MAMMOGRAM)
    )
    AnatomyBook(archive).sum_up(study)
    assert hung(archive, study)[(1, 1)] == shown


def test_of_ct_series_the_original_hangs_and_not_the_longer_derived_one() -> None:
    archive = Archive()
    study, original = archive.ct("now")
    archive.series_of(study, 40, ImageType="DERIVED\\SECONDARY\\MIP")
    assert hung(archive, study) == {(1, 1): original, (1, 2): ""}


BESIDE = table(
    {"at": "left", "orientation": "axial"}, {"at": "right", "prior": 1, "orientation": "axial"}
)


def beside(current: list[Tags], prior: list[Tags]) -> tuple[int, int, tuple[str, ...]]:
    """Which of these series hang, and in what the prior is like the current one."""
    archive = Archive()
    now, before = archive.add_study("now", StudyDate="20261103"), archive.add_study("before")
    archive.studies[before]["MainDicomTags"]["StudyDate"] = "20251103"
    numbers = {}
    for study, listed in ((now, current), (before, prior)):
        archive.studies[study]["PatientMainDicomTags"]["PatientID"] = "PID-1"
        for number, tags in enumerate(listed):
            slices = int(tags.get("slices", 5))
            given = {name: value for name, value in tags.items() if name != "slices"}
            numbers[archive.series_of(study, slices, CT_CHEST, **given)] = number
    found = Hanger(archive, BESIDE).hang(now)
    assert found is not None
    left, right = found.boxes
    assert left.shown is not None
    assert right.shown is not None
    return numbers[left.shown.series], numbers[right.shown.series], right.alike


FLAIR = {"SeriesDescription": "t2_flair_tra", "EchoTime": "90", "RepetitionTime": "9000"}
MPRAGE = {"SeriesDescription": "t1 mprage axial", "EchoTime": "3", "RepetitionTime": "2000"}
OTHER_FLAIR = {"SeriesDescription": "AX dark fluid", "EchoTime": "110", "RepetitionTime": "8000"}


def test_beside_a_flair_hangs_the_flair_of_the_prior_and_not_its_longer_mprage() -> None:
    current = [{**MPRAGE, "slices": "10"}, {**FLAIR, "slices": "12"}]
    prior = [{**MPRAGE, "slices": "20"}, {**FLAIR, "slices": "12"}]
    _, hung_, alike = beside(current, prior)
    assert hung_ == 1
    assert {"description", "echo-time", "repetition-time"} <= set(alike)


def test_a_sequence_that_another_device_names_otherwise_is_known_by_its_timing() -> None:
    _, hung_, alike = beside([FLAIR], [{**MPRAGE, "slices": "20"}, OTHER_FLAIR])
    assert hung_ == 1
    assert "description" not in alike


@pytest.mark.parametrize(
    ("trait", "same", "unlike"),
    [
        ("contrast", {"ContrastBolusAgent": "agent"}, {}),
        ("kernel", {"ConvolutionKernel": "B70f"}, {"ConvolutionKernel": "B30f"}),
        ("thickness", {"SliceThickness": "1"}, {"SliceThickness": "5"}),
        ("description", {"SeriesDescription": "Lung 1.0"}, {"SeriesDescription": "Bone 5.0"}),
    ],
)
def test_the_series_of_a_prior_that_is_alike_hangs_though_another_has_more_slices(
    trait: str, same: Tags, unlike: Tags
) -> None:
    _, hung_, alike = beside([same], [{**unlike, "slices": "20"}, same])
    assert hung_ == 1
    assert trait in alike


def test_of_series_that_are_equally_alike_the_one_with_most_slices_hangs() -> None:
    assert beside([FLAIR], [FLAIR, {**FLAIR, "slices": "9"}, FLAIR])[1] == 1


def test_raw_values_do_not_hang_however_alike_they_are() -> None:
    raw = {**FLAIR, "PresentationIntentType": "FOR PROCESSING"}
    assert beside([FLAIR], [raw, MPRAGE])[1] == 1


def test_two_boxes_of_a_prior_follow_the_two_of_the_current_study() -> None:
    rules = table(
        *({"at": [1, one], "orientation": "axial"} for one in (1, 2)),
        *({"at": [2, one], "orientation": "axial", "prior": 1} for one in (1, 2)),
    )
    archive = Archive()
    now, before = archive.add_study("now"), archive.add_study("before", StudyDate="20251103")
    expected = {}
    for row, study in ((1, now), (2, before)):
        archive.studies[study]["PatientMainDicomTags"]["PatientID"] = "PID-1"
        counts = (9, 6) if row == 1 else (6, 9)
        for column, (slices, tags) in enumerate(zip(counts, (FLAIR, MPRAGE), strict=True), 1):
            expected[row, column] = archive.series_of(study, slices, CT_CHEST, **tags)
    assert hung(archive, now, rules) == expected
