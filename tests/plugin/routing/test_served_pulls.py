# SPDX-License-Identifier: AGPL-3.0-or-later
"""Only what the applications serve is fetched, by what a query tells; in doubt it is fetched."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import pydicom
import pytest

from plugin.gate import InferenceUnavailableError
from plugin.routing.answered import AnswerReader
from plugin.routing.pull_report import PullReport
from tests.plugin.routing.tables import CT_CHEST, SCAN, application
from tests.plugin.routing.test_pulling import Night, series

LUNG = {"applications": ["lung"]}


def night(folder: Path, contents: dict[str, list[dict[str, str]]], **changes: Any) -> Night:
    """A night whose archive tells the series of its studies; the application takes CT of chest."""
    folder.mkdir(exist_ok=True)
    made = Night(folder, **(LUNG | changes))
    made.pacs.studies, made.pacs.contents = list(contents), contents
    return made


def outcome(one: Night) -> dict[str, Any]:
    told = PullReport(one.table, one.puller.ledger, lambda: one.time).pulls()[0]["outcome"]
    return cast("dict[str, Any]", told)


def why(one: Night, uid: str) -> dict[str, Any]:
    (told,) = PullReport(one.table, one.puller.ledger, lambda: one.time).of_study(uid)
    return told


def test_only_the_series_that_an_application_takes_are_fetched(tmp_path: Path) -> None:
    parts = [series(1, text="chest .9"), series(2, text="head .95"), series(3, "SR")]
    one = night(tmp_path, {"1.2.1": parts, "1.2.2": [series(4, text="head .9")]})
    assert one.puller.step() == 1
    assert one.pacs.fetched == [("1.2.1", "1.2.8.1")]
    assert one.pacs.open == 0
    told = outcome(one)
    assert (told["found"], told["fetched"], told["in_part"], told["unserved"]) == (2, 1, 1, 1)
    assert told["why"] == {
        "CT of chest: lung": 1,
        "CT of head: no application takes it": 2,
        "SR: no application takes this modality": 1,
    }


def test_why_a_study_was_fetched_in_part_or_left_is_told_series_by_series(tmp_path: Path) -> None:
    parts = [series(1, text="chest .9"), series(2, text="head .95")]
    one = night(tmp_path, {"1.2.1": parts, "1.2.2": [series(4, text="head .9")]})
    one.puller.step()
    told = why(one, "1.2.1")
    assert (told["pull"], told["takes"]) == ("nightly", "in-part")
    fates = [(s["number"], s["fate"], s["taken"], s["applications"]) for s in told["series"]]
    assert fates == [("1", "served", True, ["lung"]), ("2", "unserved", False, [])]
    left = why(one, "1.2.2")
    assert (left["takes"], left["reason"]) == ("nothing", "CT of head: no application takes it")


@pytest.mark.parametrize(
    "told",
    [
        series(1),
        series(1, text="head .6"),
        series(1, text="refused"),
        series(1, modality=""),
        series(1, modality="Doe^Jane"),
    ],
    ids=["silent", "not sure", "refused", "no modality", "no code string"],
)
def test_what_leaves_doubt_is_fetched_or_left_by_the_rule_of_the_pull(
    tmp_path: Path, told: dict[str, str]
) -> None:
    assert night(tmp_path / "pull", {"1.2.1": [told]}).puller.step() == 1
    one = night(tmp_path / "leave", {"1.2.1": [told]}, unsure="leave")
    assert one.puller.step() == 0
    assert "Doe" not in str(why(one, "1.2.1")) + str(outcome(one))


def test_an_application_that_wants_to_be_surer_gets_what_the_header_may_make_surer(
    tmp_path: Path,
) -> None:
    one = night(tmp_path, {"1.2.1": [series(1, text="chest .9")]})
    strict = application(scan={**SCAN, "minimum_confidence": 0.95})
    one.table = one.table.model_validate(
        {"application": [strict], "pull": [one.table.pulls[0].model_dump()]}
    )
    one.restart()
    assert one.puller.step() == 1


@pytest.mark.parametrize(
    ("takes", "fetched"), [("served-studies", [("1.2.1", "")]), ("everything", None)]
)
def test_a_pull_may_take_whole_studies_or_everything(
    tmp_path: Path, takes: str, fetched: list[tuple[str, str]] | None
) -> None:
    parts = [series(1, text="chest .9"), series(2, text="head .95")]
    contents = {"1.2.1": parts, "1.2.2": [series(4, text="head .9")]}
    one = night(tmp_path, contents, takes=takes)
    one.puller.step()
    assert one.pacs.fetched == (fetched or [("1.2.1", ""), ("1.2.2", "")])
    assert bool(one.pacs.asked_series) == (takes != "everything")


def test_where_no_series_are_told_the_words_of_the_study_decide(tmp_path: Path) -> None:
    one = night(tmp_path, {})
    one.pacs.studies = ["1.2.1", "1.2.2", "1.2.3"]
    one.pacs.words = {
        "1.2.1": {"StudyDescription": "head .95"}, "1.2.2": {"StudyDescription": "chest .95"},
    }  # fmt: skip
    assert one.puller.step() == 2
    assert [uid for uid, _ in one.pacs.fetched] == ["1.2.2", "1.2.3"]
    assert why(one, "1.2.1")["series_asked"] is False


def test_priors_of_any_modality_are_served_too(tmp_path: Path) -> None:
    one = night(tmp_path, {"1.2.1": [series(1, "PT", "chest .9"), series(2, "PT", "head .9")]})
    needs = {"priors": 1, "prior_series": "same-region"}
    one.table = one.table.model_validate(
        {"application": [application(needs=needs)], "pull": [one.table.pulls[0].model_dump()]}
    )
    one.restart()
    assert one.puller.step() == 1
    assert one.pacs.fetched == [("1.2.1", "1.2.8.1")]


def test_a_study_that_was_left_is_asked_about_again_only_when_it_has_changed(
    tmp_path: Path,
) -> None:
    one = night(tmp_path, {"1.2.1": [series(1, text="head .9")]})
    one.pacs.words = {"1.2.1": {"NumberOfStudyRelatedInstances": "40"}}
    assert [one.puller.step(), one.later(60), one.later(1440)] == [0, 0, 0]
    assert one.pacs.asked_series == ["1.2.1"]
    assert (outcome(one)["unserved"], outcome(one)["left"]) == (1, 0)
    one.pacs.contents["1.2.1"].append(series(2, text="chest .9"))
    one.pacs.words = {"1.2.1": {"NumberOfStudyRelatedInstances": "80"}}
    assert one.later(60) == 1
    assert one.pacs.fetched == [("1.2.1", "1.2.8.2")]
    assert one.later(60) == 0


def test_a_study_without_a_number_of_images_is_asked_about_once_a_day(tmp_path: Path) -> None:
    one = night(tmp_path, {"1.2.1": [series(1, text="head .9")]})
    assert [one.puller.step(), one.later(60), one.later(60)] == [0, 0, 0]
    assert len(one.pacs.asked_series) == 1
    one.later(1440)
    assert len(one.pacs.asked_series) == 2


def test_what_grows_there_after_it_was_fetched_in_part_is_fetched_as_far_as_it_is_new(
    tmp_path: Path,
) -> None:
    parts = [series(1, text="chest .9"), series(2, text="head .95")]
    one = night(tmp_path, {"1.2.1": parts})
    one.puller.step()
    one.pacs.held.clear()  # the site has deleted it
    parts.append(series(3, text="chest .9"))
    assert [one.later(60), one.later(1440)] == [0, 1]
    assert one.pacs.fetched == [("1.2.1", "1.2.8.1"), ("1.2.1", "1.2.8.3")]


def test_what_was_cut_off_is_fetched_again_though_a_part_of_it_is_here(tmp_path: Path) -> None:
    parts = [series(1, text="chest .9"), series(2, text="chest .9"), series(3, text="head .9")]
    one = night(tmp_path, {"1.2.1": parts})
    one.pacs.broken = {"1.2.8.2"}
    assert one.puller.step() == 0
    assert one.pacs.held == {"1.2.1"}
    one.pacs.broken.clear()
    one.restart()
    assert one.later(60) == 1
    assert one.pacs.fetched == [("1.2.1", "1.2.8.1"), ("1.2.1", "1.2.8.2")]


def test_two_pulls_of_one_archive_fetch_each_its_own_series(tmp_path: Path) -> None:
    one = night(tmp_path, {"1.2.1": [series(1, text="chest .9"), series(2, text="head .95")]})
    pulls = [
        {"name": name, "modality": "PACS", "applications": [served]}
        for name, served in (("chests", "lung"), ("heads", "head"))
    ]
    head = application("head", scan={**SCAN, "regions": ["head"]})
    one.table = one.table.model_validate({"application": [application(), head], "pull": pulls})
    one.restart()
    assert one.puller.step() == 2
    assert one.pacs.fetched == [("1.2.1", "1.2.8.1"), ("1.2.1", "1.2.8.2")]


def test_a_study_whose_header_was_refused_is_judged_again(tmp_path: Path) -> None:
    one = night(tmp_path, {"1.2.1": [series(1, text="refused")]}, unsure="leave")
    assert one.puller.step() == 0
    one.pacs.contents["1.2.1"] = [series(1, text="chest .9")]
    assert one.later(60) == 1


def test_while_inference_is_away_nothing_is_judged_and_the_pull_says_so(tmp_path: Path) -> None:
    one = night(tmp_path, {"1.2.1": [series(1, text="away")], "1.2.2": [series(2)]})
    assert one.puller.step() == 0
    assert (outcome(one)["left"], outcome(one)["trouble"][:9]) == (2, "inference")
    one.pacs.contents["1.2.1"] = [series(1, text="chest .9")]
    assert one.later(60) == 2


def test_a_pull_waits_for_inference_to_start_and_then_begins_at_once(tmp_path: Path) -> None:
    one = night(tmp_path, {"1.2.1": [series(1, text="chest .9")]})
    one.puller.ready = lambda: False
    assert one.puller.step() == 0
    assert outcome(one)["trouble"].startswith("inference")
    assert one.pacs.asked == []
    one.puller.ready = lambda: True
    assert one.later(1) == 1
    assert outcome(one)["trouble"] == ""


class Inference:
    """Answers, or is away, and keeps the headers that it was shown."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []
        self.away = False

    def deidentify(self, file: bytes) -> Any:
        header = pydicom.dcmread(io.BytesIO(file))
        return {e.keyword: str(e.value) for e in header if e.VR != "UI" or "SOPClass" in e.keyword}

    def recognize(self, passed: Any) -> Any:
        if self.away:
            raise InferenceUnavailableError("away")
        self.shown.append(passed)
        return CT_CHEST


def test_an_answer_is_made_a_header_and_passes_the_gate_once() -> None:
    inference = Inference()
    reader = AnswerReader(inference.deidentify, inference.recognize)
    told = {"Modality": "CT", "SeriesDescription": "Łydka", "PatientName": "Doe^Jane"}
    assert reader.anatomy(told) == CT_CHEST
    assert reader.anatomy({**told, "SeriesNumber": "4"}) == CT_CHEST
    (shown,) = inference.shown
    assert shown == {
        "Modality": "CT", "SeriesDescription": "Łydka", "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    }  # fmt: skip


def test_while_inference_is_away_no_anatomy_is_known_and_it_is_asked_again() -> None:
    inference = Inference()
    reader = AnswerReader(inference.deidentify, inference.recognize)
    inference.away = True
    with pytest.raises(InferenceUnavailableError):
        reader.anatomy({"Modality": "CT"})
    inference.away = False
    assert reader.anatomy({"Modality": "CT"}) == CT_CHEST


def test_an_answer_that_is_not_valid_is_read_all_the_same() -> None:
    inference = Inference()
    told = {"Modality": "CT", "BodyPartExamined": "Thorax (low dose)", "StudyDescription": "x" * 99}
    assert AnswerReader(inference.deidentify, inference.recognize).anatomy(told) == CT_CHEST
