# SPDX-License-Identifier: AGPL-3.0-or-later
"""Labels say how an analysis ended, and nobody else's are touched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from inference.contract import AnatomyAnswer
from plugin.archive import ArchiveError
from plugin.configuration.priority_table import read_priorities
from plugin.configuration.worklist import LabelSection
from plugin.queue import Job
from plugin.states import GlobalProbability, Metadata, ScanState, Status
from plugin.worker.labels import Labels, labels_of
from plugin.worker.scan import Scan
from plugin.worker.state_keeper import StateKeeper
from plugin.worker.study_sums import StudySums
from plugin.worker.sums_ledger import SumsLedger


@dataclass
class FakeArchive:
    """The metadata and labels of one study: series "x" and its images."""

    with_labels: bool = True
    refuses: bool = False
    shown: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    metadatas: dict[tuple[str, str, int], str] = field(default_factory=dict)
    modality: str = "US"
    asked: list[str] = field(default_factory=list)

    def has_labels(self) -> bool:
        return self.with_labels

    def labels(self, level: str, identifier: str) -> list[str]:
        if self.refuses or not self.with_labels:
            raise ArchiveError("Orthanc answers 403")
        return sorted(self.shown.get((level, identifier), ()))

    def put_label(self, level: str, identifier: str, label: str) -> None:
        self.shown.setdefault((level, identifier), set()).add(label)

    def delete_label(self, level: str, identifier: str, label: str) -> None:
        self.shown[level, identifier].remove(label)

    def metadata(self, level: str, identifier: str, name: Metadata) -> str | None:
        return self.metadatas.get((level, identifier, name))

    def put_metadata(self, level: str, identifier: str, name: Metadata, value: str) -> None:
        self.metadatas[level, identifier, name] = value

    def delete_metadata(self, level: str, identifier: str, name: Metadata) -> None:
        self.metadatas.pop((level, identifier, name), None)

    def metadata_of(
        self, resources: Sequence[str], level: str, names: Sequence[Metadata]
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        """All series of the study, or images of some of them."""
        self.asked.append(level)
        there = {name[0] for at, name, _ in self.metadatas if at in ("series", "instance")}
        images = {name for at, name, _ in self.metadatas if at == "instance"}
        inside = {one for one in images if one[0] in resources}
        found = there if level == "series" else inside
        return [
            (
                {"ID": one, "ParentSeries": one[0], "MainDicomTags": {"Modality": self.modality}},
                {
                    name: self.metadatas[level, one, name]
                    for name in names
                    if (level, one, name) in self.metadatas
                },
            )
            for one in sorted(found)
        ]


def keeper(archive: FakeArchive, ledger: SumsLedger | None = None, **section: Any) -> StateKeeper:
    labels = Labels(archive, LabelSection(**section))  # type: ignore[arg-type]
    sums = StudySums(archive, labels, ledger)  # type: ignore[arg-type]
    return StateKeeper(archive, read_priorities(), labels, sums)  # type: ignore[arg-type]


def end(
    archive: FakeArchive,
    image: str,
    status: str,
    ledger: SumsLedger | None = None,
    **section: Any,
) -> ScanState:
    """Image "x1" is in series "x"."""
    pneumothorax = GlobalProbability(
        key="pneumothorax", name="Pneumothorax", probability=0.9, threshold=0.5,
        present=True, severity=1,
    )  # fmt: skip
    found = (pneumothorax,) if status == "findings" else ()
    state = ScanState(level="instance", resource=image, status=Status(status), probabilities=found)
    scan = Scan(Job(1, "instance", image, "", image[0], "study", 1, "w", 0.0), [image])
    return keeper(archive, ledger, **section).keep(scan, state)


def shown(archive: FakeArchive, level: str, identifier: str) -> set[str]:
    return archive.shown.get((level, identifier), set())


@pytest.mark.parametrize(
    ("statuses", "labels"),
    [
        (["findings"], {"positive"}),
        (["no-findings"], {"negative"}),
        (["findings", "no-findings"], {"positive"}),
        (["no-findings", "abstained"], {"negative", "abstained"}),
        (["refused"], {"failed"}),
        (["findings", "failed"], {"positive", "failed"}),
        (["no-application", "running", "own-object"], set()),
    ],
)
def test_a_label_for_every_outcome(statuses: list[str], labels: set[str]) -> None:
    assert labels_of([Status(status) for status in statuses]) == labels


def test_study_series_and_image_get_the_label() -> None:
    archive = FakeArchive()
    end(archive, "x1", "findings")
    for place in (("instance", "x1"), ("series", "x"), ("study", "study")):
        assert shown(archive, *place) == {"sidelight-positive"}


def test_a_study_is_positive_when_one_of_its_images_is() -> None:
    archive = FakeArchive()
    end(archive, "x1", "findings")
    end(archive, "y1", "no-findings")
    assert shown(archive, "series", "y") == {"sidelight-negative"}
    assert shown(archive, "study", "study") == {"sidelight-positive"}


def test_a_new_result_replaces_the_label_of_the_old_one() -> None:
    archive = FakeArchive()
    end(archive, "x1", "failed")
    end(archive, "x1", "no-findings")
    assert shown(archive, "study", "study") == {"sidelight-negative"}
    end(archive, "x1", "no-application")
    assert shown(archive, "study", "study") == set()
    assert ("study", "study", Metadata.LABELS) not in archive.metadatas


def test_labels_of_others_stay_even_where_they_look_like_ours() -> None:
    archive = FakeArchive()
    archive.shown["study", "study"] = {"teaching", "negative", "failed"}
    end(archive, "x1", "failed", prefix="")
    end(archive, "x1", "findings", prefix="")
    end(archive, "x1", "no-application", prefix="")
    assert shown(archive, "study", "study") == {"teaching", "negative", "failed"}


def test_a_label_that_a_person_removed_comes_back_with_the_next_result_only() -> None:
    archive = FakeArchive()
    end(archive, "x1", "findings")
    archive.shown["study", "study"].clear()
    assert shown(archive, "study", "study") == set()
    end(archive, "x1", "findings")
    assert shown(archive, "study", "study") == {"sidelight-positive"}


def test_only_the_configured_levels_get_labels() -> None:
    archive = FakeArchive()
    end(archive, "x1", "findings", levels=("study",))
    assert set(archive.shown) == {("study", "study")}


def test_an_orthanc_without_labels_has_the_metadata_instead() -> None:
    archive = FakeArchive(with_labels=False)
    end(archive, "x1", "findings")
    assert archive.metadatas["study", "study", Metadata.LABELS] == "sidelight-positive"
    end(archive, "x1", "abstained")
    assert archive.metadatas["study", "study", Metadata.LABELS] == "sidelight-abstained"


def test_an_orthanc_that_refuses_labels_keeps_the_result() -> None:
    archive = FakeArchive(refuses=True)
    end(archive, "x1", "findings")
    state = json.loads(archive.metadatas["instance", "x1", Metadata.STATE])
    assert state["status"] == "findings"


def test_the_state_and_the_study_have_the_priority_and_the_state_says_why() -> None:
    archive = FakeArchive()
    end(archive, "x1", "findings")
    end(archive, "x2", "no-findings")
    state = ScanState.model_validate_json(archive.metadatas["instance", "x1", Metadata.STATE])
    assert (state.priority, state.priority_rule, state.within_minutes) == (3, "pneumothorax", 15)
    assert state.priority_reason.startswith("Pneumothorax 90 %")
    assert archive.metadatas["study", "study", Metadata.PRIORITY] == "3"


def end_series(
    archive: FakeArchive, series: str, status: str, ledger: SumsLedger | None = None
) -> None:
    """The slices of a series were analysed."""
    anatomy = AnatomyAnswer(
        modality="CT", regions=("head",), codes=(), body_part_examined="HEAD", confidence=1.0
    )
    state = ScanState(level="series", resource=series, status=Status(status), anatomy=anatomy)
    scan = Scan(Job(1, "series", series, "", series, "study", 1, "w", 0.0), ["1", "2"])
    keeper(archive, ledger).keep(scan, state)


def test_a_series_of_slices_is_labelled_once() -> None:
    archive = FakeArchive()
    end_series(archive, "x", "no-findings")
    assert set(archive.shown) == {("series", "x"), ("study", "study")}
