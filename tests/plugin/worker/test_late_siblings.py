# SPDX-License-Identifier: AGPL-3.0-or-later
"""A series whose tags are silent is asked again when the rest of its study arrives."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from inference.contract import AnatomyAnswer, AnatomyVote
from plugin.anatomy import Agreement, AnatomyBook, AnatomyOverride, Witness
from plugin.anatomy.ledger import AnatomyLedger
from plugin.queue import Job
from plugin.worker.late_siblings import MOST_TIMES, NAMES, LateSiblings
from plugin.worker.scan import Scan
from tests.plugin.routing.tables import CT_CHEST, Archive

SILENT = CT_CHEST.model_copy(update={"regions": (), "confidence": 0.0, "votes": ()})


def showing(region: str, confidence: float = 0.95) -> AnatomyAnswer:
    return CT_CHEST.model_copy(update={"regions": (region,), "confidence": confidence})


class Queue:
    """Keeps what is to be analysed."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def put_all(self, instances: Iterable[tuple[str, str]], /, *, forced: bool = False) -> int:
        assert forced
        some = [instance for instance, _ in instances]
        self.asked += some
        return len(some)


class Study:
    """A study whose series are noted as a worker notes them."""

    def __init__(self, folder: Path) -> None:
        self.archive, self.queue = Archive(), Queue()
        self.study = self.archive.add_study("one")
        self.ledger = AnatomyLedger(folder / "anatomy.sqlite")
        self.late = LateSiblings(self.archive, self.queue, self.ledger)

    def series(self, modality: str = "CT") -> str:
        series = self.archive.add_series(self.study, modality)
        self.archive.add_instance(series)
        return series

    def first_image(self, series: str) -> str:
        return str(self.archive.series(series)["Instances"][0])

    def noted(self, series: str, answer: AnatomyAnswer, agreement: Agreement | None = None) -> None:
        scan = Scan(Job(1, "series", series, "", series, self.study, 1, "w", 0.0), ["i"])
        known = AnatomyBook(self.archive).note(series, self.study, answer, agreement)
        self.late.noted(scan, known)

    def listens(
        self,
        series: str,
        *heard: str,
        pending: bool = False,
        resource: str = "",
        names: int = 0,
    ) -> None:
        """The tags of a series say nothing, and its siblings say this."""
        answer = showing(heard[0], 0.9) if heard else SILENT
        tags = Witness(name="metadata")
        siblings = Witness(name="siblings", regions=tuple(heard), confidence=0.9 if heard else 0.0)  # type: ignore[arg-type]
        agreement = Agreement(
            witnesses=(tags, siblings),
            preferred="siblings" if heard else "metadata",
            rules=("study-is-asked",),
            pending=pending,
            resource=resource or series,
            names_told=names,
        )
        self.noted(series, answer, agreement)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def test_a_silent_series_is_asked_again_when_a_sibling_that_is_sure_comes_later(
    study: Study,
) -> None:
    silent, other = study.series(), study.series()
    study.listens(silent)
    assert study.queue.asked == []
    study.noted(other, showing("abdomen"))
    assert study.queue.asked == [study.first_image(silent)]
    study.listens(silent, "abdomen")
    study.noted(other, showing("abdomen"))
    assert len(study.queue.asked) == 1
    kept = AnatomyBook(study.archive).recognized(silent)
    assert kept is not None
    assert kept.regions == ("abdomen",)
    assert [earlier.regions for earlier in kept.history] == [()]


def test_a_silent_series_is_asked_again_when_the_pixels_answer_for_its_sibling(
    study: Study,
) -> None:
    silent, other = study.series(), study.series()
    study.noted(other, showing("chest", 0.4))
    study.listens(silent)
    study.noted(other, showing("chest", 0.9))
    assert study.queue.asked == [study.first_image(silent)]


def test_a_sibling_that_was_noted_while_a_silent_series_listened_is_heard(study: Study) -> None:
    silent, other = study.series(), study.series()
    study.listens(silent, pending=True)
    study.noted(other, showing("chest"))
    assert study.queue.asked == [], "it is looked at again when it is complete"
    study.listens(silent)
    assert study.queue.asked == [study.first_image(silent)]


def test_the_image_that_was_looked_at_is_asked_about_where_images_are_looked_at_alone(
    study: Study,
) -> None:
    silent, other = study.series("CR"), study.series("CR")
    second = study.archive.add_instance(silent)
    study.listens(silent, resource=second)
    study.noted(other, showing("chest"))
    assert study.queue.asked == [second]


def test_siblings_of_another_modality_or_unsure_ones_wake_nobody(study: Study) -> None:
    silent = study.series()
    study.listens(silent)
    study.noted(study.series("MR"), showing("chest").model_copy(update={"modality": "MR"}))
    study.noted(study.series(), showing("chest", 0.7))
    assert study.queue.asked == []


def called(study: Study, name: str) -> str:
    series = study.series()
    study.archive.series(series)["MainDicomTags"]["SeriesDescription"] = name
    return series


def test_a_silent_series_is_asked_again_when_there_are_more_names_to_hear(study: Study) -> None:
    silent = study.series()
    study.listens(silent)
    for number in range(20):
        study.noted(called(study, f"name {number}"), SILENT)
    assert study.queue.asked == [study.first_image(silent)] * len(NAMES)


def test_a_series_that_heard_as_many_names_is_left_alone(study: Study) -> None:
    silent = study.series()
    study.listens(silent, names=4)
    for number in range(12):
        study.noted(called(study, f"name {number}"), SILENT)
    assert study.queue.asked == []


def test_names_leave_the_times_to_a_sibling_that_is_sure_later(study: Study) -> None:
    silent = study.series()
    study.listens(silent)
    for number in range(14):
        study.noted(called(study, f"name {number}"), SILENT)
    assert len(study.queue.asked) == len(NAMES)
    study.noted(study.series(), showing("chest"))
    assert len(study.queue.asked) == len(NAMES) + 1


def test_a_series_of_which_an_attribute_speaks_does_not_wait_for_names(study: Study) -> None:
    unsure = study.series()
    vote = AnatomyVote(attribute="SeriesDescription", regions=("neck",), weight=0.6)
    tags = showing("neck", 0.6).model_copy(update={"votes": (vote,)})
    witnesses = (Witness(name="metadata"), Witness(name="siblings"))
    study.noted(unsure, tags, Agreement(witnesses=witnesses, resource=unsure))
    for number in range(5):
        study.noted(called(study, f"name {number}"), SILENT)
    assert study.queue.asked == []


def test_series_without_a_name_wake_nobody(study: Study) -> None:
    silent = study.series()
    study.listens(silent)
    for _ in range(5):
        study.noted(study.series(), SILENT)
    assert study.queue.asked == []


def test_two_silent_series_do_not_confirm_each_other(study: Study) -> None:
    one, other = study.series(), study.series()
    study.listens(one, "chest")
    study.listens(other)
    assert study.queue.asked == []


def test_a_reviewer_has_the_last_word(study: Study) -> None:
    silent = study.series()
    study.listens(silent)
    said = AnatomyOverride(regions=("neck",), by="reader", reason="looked", at="2026-11-03")
    AnatomyBook(study.archive).override(silent, study.study, said)
    study.noted(study.series(), showing("chest"))
    assert study.queue.asked == []


def test_a_series_is_asked_again_once_for_the_same_regions_and_a_few_times_in_all(
    study: Study,
) -> None:
    silent, other = study.series(), study.series()
    study.listens(silent)
    for region in ("chest", "abdomen", "chest", "head", "neck", "pelvis"):
        study.noted(other, showing(region))
    assert len(study.queue.asked) == MOST_TIMES


def test_a_series_that_is_gone_is_not_asked_again(study: Study) -> None:
    silent, other = study.series(), study.series()
    study.listens(silent)
    study.archive.series(silent)["Instances"].clear()
    study.noted(other, showing("chest"))
    assert study.queue.asked == []
