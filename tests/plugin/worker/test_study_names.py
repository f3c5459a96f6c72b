# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the other series of a study are called, as Orthanc tells it."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from plugin.worker.study_names import MOST_NAMES, headers_of_others, names_of_others


def series(identifier: str, modality: str = "MR", **tags: str) -> dict[str, Any]:
    return {"ID": identifier, "MainDicomTags": {"Modality": modality} | tags}


def test_each_different_name_of_the_same_modality_is_told_once() -> None:
    study = [
        series("own", SeriesDescription="localizer"),
        series("a", SeriesDescription="flair", ProtocolName="p"),
        series("b", SeriesDescription="flair", ProtocolName="p"),
        series("c", BodyPartExamined="HEAD"),
        series("d", "SR", SeriesDescription="report"),
        series("e"),
    ]
    assert names_of_others(study, "own", "MR") == [("flair", "p", ""), ("", "", "HEAD")]


def test_a_study_of_a_thousand_series_is_told_in_part() -> None:
    study = [series(str(n), SeriesDescription=f"name {n}") for n in range(1000)]
    assert len(names_of_others(study, "own", "MR")) == MOST_NAMES


def test_the_study_keeps_its_words_and_the_series_gets_others() -> None:
    original = Dataset()
    original.Modality = "MR"
    original.PatientName = "Doe^Jane"
    original.StudyDescription = "MR1"
    original.SeriesDescription = "localizer"
    original.ProtocolName = "localizer"
    original.ViewPosition = "AP"
    region = Dataset()
    region.CodeMeaning = "Knee"
    original.AnatomicRegionSequence = Sequence([region])
    (told,) = headers_of_others(original, [series("a", SeriesDescription="flair")], "own")
    assert (told.StudyDescription, told.SeriesDescription) == ("MR1", "flair")
    for gone in ("ProtocolName", "ViewPosition", "AnatomicRegionSequence"):
        assert gone not in told
    assert original.SeriesDescription == "localizer"
    assert told.PatientName == "Doe^Jane", "de-identification finds it in the words by this"
