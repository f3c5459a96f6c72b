# SPDX-License-Identifier: AGPL-3.0-or-later
"""Of several images that fit a box the one hangs that is made to be read."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from plugin.anatomy import AnatomyBook
from plugin.states import ScanState, Status
from tests.plugin.hanging.test_hanging_rules import hung, projection
from tests.plugin.routing.tables import Archive
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
