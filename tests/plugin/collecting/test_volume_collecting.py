# SPDX-License-Identifier: AGPL-3.0-or-later
"""Volumes of a site's archive are shown to who learns from them: de-identified and in memory."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest

from deid import DeidentificationKey, Deidentifier, Option, Policy
from deid.errors import SiteVocabularyError
from deid.policy import Faces
from deid.site_vocabulary import SiteWords, write_vocabulary
from inference.header_source import HeaderSourceError
from inference.volume_source import VolumeRequest
from plugin.archive import ArchiveError, ArchiveUnavailableError
from plugin.collecting import collect_volumes
from plugin.collecting.pace import Pace, QuietHours
from plugin.collecting.volumes import MOST_SLICES, VolumeCollector, is_axial
from plugin.gate import GateRefusedError, LearningGate
from tests.inference.anatomy.body_files import body_files
from tests.plugin.collecting.test_header_collecting import Idle

NAME = "Zimtstern^Adelheid"


class Shelf:
    """Series of one patient each; every file is a slice of a phantom with a name."""

    def __init__(self, count: int, **tags: Any) -> None:
        self.count, self.tags = count, tags
        regions = ("chest", "abdomen", "pelvis")
        self.files = [
            file
            for region in regions
            for file in body_files(region, PatientName=NAME, PatientIdentityRemoved=None)
        ]
        self.read: list[str] = []
        self.fetched: list[str] = []

    def series_page(self, since: int, limit: int) -> list[dict[str, Any]]:
        return [
            {
                "ID": f"s{n}",
                "MainDicomTags": {"SeriesInstanceUID": f"1.2.3.{n}", "Modality": "CT"},
                "Instances": [f"s{n}-{k}" for k in range(len(self.files))],
            }
            for n in range(self.count)
        ][since : since + limit]

    def simplified_tags(self, instance: str) -> dict[str, Any]:
        self.read.append(instance)
        return {
            "PatientID": f"PID-{instance.split('-', maxsplit=1)[0]}",
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
            "ImageOrientationPatient": "1\\0\\0\\0\\1\\0",
            "ImageType": "ORIGINAL\\PRIMARY\\AXIAL",
        } | self.tags

    def file(self, instance: str) -> bytes:
        self.fetched.append(instance)
        return self.files[int(instance.split("-")[1])]

    def children(self, level: str, identifier: str) -> list[Any]:
        return [
            {"ID": f"{identifier}-{k}", "MainDicomTags": {"InstanceNumber": str(k + 1)}}
            for k in range(len(self.files))
        ]


class Learner:
    def __init__(self, most: int = 99, known: Sequence[str] = ()) -> None:
        self.most, self.known = most, set(known)
        self.taken: list[tuple[str, str, Sequence[bytes]]] = []
        self.passed: list[str] = []

    @property
    def satisfied(self) -> bool:
        return len(self.taken) >= self.most

    def knows(self, series: str) -> bool:
        return series in self.known

    def wants(self, patient: str, modality: str) -> bool:
        return True

    def take(self, series: str, patient: str, instances: Sequence[bytes]) -> None:
        self.taken.append((series, patient, instances))

    def pass_by(self, series: str) -> None:
        self.passed.append(series)


@pytest.fixture
def deidentifier() -> Deidentifier:
    key = DeidentificationKey.generate()
    return Deidentifier(key, [Option.CLEAN_DESCRIPTORS], Policy(faces=Faces.LEAVE))


def collector(
    shelf: Shelf, learner: Learner, deidentifier: Deidentifier, queries: int = 10_000
) -> VolumeCollector:
    pace = Pace(QuietHours(0, 0), queries, Idle())
    return VolumeCollector(shelf, pace, deidentifier, learner, LearningGate(learner))


def test_slices_reach_the_learner_without_identity_under_pseudonyms(
    deidentifier: Deidentifier,
) -> None:
    learner = Learner()
    assert collector(Shelf(2), learner, deidentifier).run() == ""
    (series, patient, files), (other_series, other_patient, _) = learner.taken
    assert len({series, patient, other_series, other_patient}) == 4
    assert "PID" not in patient
    for content in files:
        assert b"Zimtstern" not in content
    dataset = pydicom.dcmread(BytesIO(files[0]))
    assert dataset.PatientIdentityRemoved == "YES"
    assert dataset.Rows == 48


def test_no_more_is_asked_than_the_learner_wants_and_the_pace_allows(
    deidentifier: Deidentifier,
) -> None:
    shelf, learner = Shelf(5), Learner(most=2)
    assert collector(shelf, learner, deidentifier).run() == ""
    assert {one.split("-")[0] for one in shelf.fetched} == {"s0", "s1"}
    shelf, learner = Shelf(5), Learner()
    assert "10 questions" in collector(shelf, learner, deidentifier, queries=10).run()
    assert learner.taken == []


def test_a_phantom_for_quality_control_is_passed_by(deidentifier: Deidentifier) -> None:
    shelf, learner = Shelf(1, QualityControlSubject="YES"), Learner()
    assert collector(shelf, learner, deidentifier).run() == ""
    assert (learner.taken, shelf.fetched) == ([], [])
    assert learner.passed == [deidentifier.uid("1.2.3.0")]


def test_a_series_that_was_learned_from_is_not_even_looked_at(deidentifier: Deidentifier) -> None:
    shelf = Shelf(1)
    learner = Learner(known=[deidentifier.uid("1.2.3.0")])
    assert collector(shelf, learner, deidentifier).run() == ""
    assert shelf.read == []


@pytest.mark.parametrize(
    "tags",
    [
        {"ImageOrientationPatient": "0\\1\\0\\0\\0\\-1"},
        {"ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER"},
        {"NumberOfFrames": "40"},
        {"ImageOrientationPatient": "x"},
    ],
)
def test_what_is_no_axial_series_is_passed_by_without_fetching_a_pixel(
    deidentifier: Deidentifier, tags: dict[str, str]
) -> None:
    shelf, learner = Shelf(1, **tags), Learner()
    collector(shelf, learner, deidentifier).run()
    assert (shelf.fetched, learner.taken) == ([], [])
    assert learner.passed == [deidentifier.uid("1.2.3.0")]


def test_a_long_series_is_shown_by_slices_spread_over_it(deidentifier: Deidentifier) -> None:
    shelf, learner = Shelf(1), Learner()
    shelf.files *= 4
    collector(shelf, learner, deidentifier).run()
    assert len(learner.taken[0][2]) == len(shelf.fetched) == MOST_SLICES


def test_a_series_that_cant_be_read_is_passed_by_and_an_absent_orthanc_ends_the_run(
    deidentifier: Deidentifier,
) -> None:
    shelf, learner = Shelf(1), Learner()

    def broken(instance: str) -> bytes:
        raise ArchiveError("Orthanc can't read the file")

    def absent(instance: str) -> bytes:
        raise ArchiveUnavailableError("Orthanc is away")

    shelf.file = broken  # type: ignore[method-assign]
    assert collector(shelf, learner, deidentifier).run() == ""
    assert len(learner.passed) == 1
    shelf.file = absent  # type: ignore[method-assign]
    assert collector(shelf, learner, deidentifier).run() == "Orthanc is away"
    assert len(learner.passed) == 1


def test_no_series_is_passed_by_as_long_as_the_sites_words_cant_be_read(tmp_path: Path) -> None:
    words = tmp_path / "vocabulary.json"
    words.write_text("{damaged")
    policy = Policy(faces=Faces.LEAVE, vocabulary=str(words))
    reads_words = Deidentifier(DeidentificationKey.generate(), [Option.CLEAN_DESCRIPTORS], policy)
    learner = Learner()
    with pytest.raises(SiteVocabularyError):
        collector(Shelf(2), learner, reads_words).run()
    assert learner.passed == []
    write_vocabulary(words, SiteWords())
    assert collector(Shelf(2), learner, reads_words).run() == ""
    assert len(learner.taken) == 2


def test_only_deidentified_slices_pass_the_gate() -> None:
    gate = LearningGate(Learner())
    with pytest.raises(GateRefusedError, match="bytes"):
        gate.take("s", "p", [b"a file"])  # type: ignore[list-item]
    assert (gate.refused, gate.passed) == (1, 0)


def test_axial_is_told_by_the_directions_of_the_slice() -> None:
    assert is_axial({"ImageOrientationPatient": "-1\\0\\0\\0\\-1\\0"})
    assert not is_axial({})


def test_volumes_with_identity_cross_no_network(tmp_path: Path) -> None:
    request = VolumeRequest(url="http://pacs.example.org:8042", key_file=str(tmp_path / "key"))
    with pytest.raises(HeaderSourceError, match="own machine"):
        collect_volumes(request, Learner())


def test_a_missing_key_is_said(tmp_path: Path) -> None:
    request = VolumeRequest(url="http://127.0.0.1:1", key_file=str(tmp_path / "key"))
    with pytest.raises(HeaderSourceError, match="names the site's key"):
        collect_volumes(request, Learner())


def test_who_is_not_wanted_yet_gets_a_turn_at_the_end(deidentifier: Deidentifier) -> None:
    class JudgesFirst(Learner):
        """Wants the last patient of three first."""

        def wants(self, patient: str, modality: str) -> bool:
            return bool(self.taken) or patient == last

    shelf, everybody = Shelf(3), Learner()
    collector(shelf, everybody, deidentifier).run()
    last = everybody.taken[2][1]
    learner = JudgesFirst()
    assert collector(Shelf(3), learner, deidentifier).run() == ""
    assert [patient for _, patient, _ in learner.taken] == [
        last,
        *(patient for _, patient, _ in everybody.taken[:2]),
    ]


def test_who_is_wanted_neither_first_nor_at_the_end_is_asked_about_twice_and_no_more(
    deidentifier: Deidentifier,
) -> None:
    class WantsNobody(Learner):
        def wants(self, patient: str, modality: str) -> bool:
            return False

    shelf = Shelf(10)
    assert collector(shelf, WantsNobody(), deidentifier).run() == ""
    assert len(shelf.read) == 20
