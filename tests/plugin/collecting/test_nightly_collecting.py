# SPDX-License-Identifier: AGPL-3.0-or-later
"""Headers are put aside night by night: in the window, a few, and never twice."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deid import DeidentificationKey, Deidentifier, Option, Policy
from deid.site_vocabulary import SiteWords, write_vocabulary
from inference.anatomy.training.corpus import read_site_table
from plugin.anatomy.commands import app
from plugin.anatomy.ledger import FILE_NAME, AnatomyLedger, Lesson
from plugin.anatomy.records import AnatomyOverride, OverrideLog
from plugin.archive import ArchiveUnavailableError
from plugin.collecting.answering import Answering
from plugin.collecting.nightly import AGAIN_SECONDS, LOOK_SECONDS, Nightly
from plugin.collecting.notebook import Notebook, notebook_folder
from plugin.collecting.pace import OverError, QuietHours
from plugin.collecting.quota import Quota
from plugin.configuration import Configuration, ConfigurationError, read
from plugin.configuration.anatomy_collecting import CollectingSection
from plugin.gate import AnatomyGate, InferenceUnavailableError
from plugin.worker.catalogue import application_version
from tests.plugin.collecting.test_header_collecting import Idle, Shelf, Witnesses, collector

MIDNIGHT = datetime(2026, 3, 2, 0, 30)  # noqa: DTZ001 - local time, as the clock on the wall


@pytest.fixture
def key() -> DeidentificationKey:
    return DeidentificationKey.generate()


class Clock:
    """The clock on the wall; sleeping is noted and takes no time."""

    def __init__(self, now: datetime = MIDNIGHT) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now


def nightly(shelf: Shelf, folder: Path, key: DeidentificationKey, clock: Clock, **given: Any):
    changes = given.pop("changes", {})
    version = given.pop("version", "0.1.0")
    section = CollectingSection(**({"window": "22-5", "interval_seconds": 0.0} | given))

    def make(pace: Any, quota: Quota) -> Any:
        given = {"gate": AnatomyGate(Witnesses(version=version)), **changes}
        now = Answering(notebook.answering)
        return collector(shelf, folder, key, pace=pace, quota=quota, answering=now, **given)

    def versions() -> dict[str, str]:
        if not version:
            raise InferenceUnavailableError("the service starts")
        return {"anatomy-metadata": version, "anatomy-pixels": version}

    notebook = Notebook(folder)
    sleep = clock.slept.append
    return Nightly(section, notebook, Idle(), make, versions, now=clock, sleep=sleep)


def test_a_night_looks_at_no_more_series_than_its_share_even_after_a_restart(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf, clock = Shelf([f"CHEST {n}" for n in range(8)]), Clock()
    for _ in range(3):  # as if Orthanc were started again and again
        nightly(shelf, tmp_path, key, clock, rows_per_night=3).step()
    assert len(shelf.read) == 3
    clock.now = datetime(2026, 3, 2, 23, 0)  # noqa: DTZ001 - the next night
    nightly(shelf, tmp_path, key, clock, rows_per_night=3).step()
    assert sorted(shelf.read) == [f"s{n}-0" for n in range(6)]


def test_outside_of_the_window_nothing_is_asked(tmp_path: Path, key: DeidentificationKey) -> None:
    shelf, clock = Shelf(["CHEST"]), Clock(datetime(2026, 3, 2, 12))  # noqa: DTZ001
    assert nightly(shelf, tmp_path, key, clock).step() == LOOK_SECONDS
    assert shelf.read == []


def test_a_window_past_midnight_is_one_night(tmp_path: Path, key: DeidentificationKey) -> None:
    shelf, clock = Shelf([f"CHEST {n}" for n in range(4)]), Clock()
    clock.now = datetime(2026, 3, 1, 23, 0)  # noqa: DTZ001
    nightly(shelf, tmp_path, key, clock, rows_per_night=2).step()
    clock.now = datetime(2026, 3, 2, 4, 0)  # noqa: DTZ001
    nightly(shelf, tmp_path, key, clock, rows_per_night=2).step()
    assert len(shelf.read) == 2


def test_an_archive_that_was_gone_through_is_left_alone_for_the_night(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf, clock = Shelf(["CHEST 1"]), Clock()
    nightly(shelf, tmp_path, key, clock).step()
    shelf.descriptions.append("CHEST 2")
    nightly(shelf, tmp_path, key, clock).step()
    assert shelf.read == ["s0-0"]
    clock.now = datetime(2026, 3, 3, 1)  # noqa: DTZ001
    nightly(shelf, tmp_path, key, clock).step()
    assert shelf.read == ["s0-0", "s1-0"]


@pytest.mark.parametrize("away", ["orthanc", "inference"])
def test_what_is_away_is_asked_again_later_and_no_series_is_lost(
    tmp_path: Path, key: DeidentificationKey, away: str
) -> None:
    shelf, clock = Shelf(["CHEST 1"]), Clock()

    class Away(Witnesses):
        def recognize_anatomy(self, header: Any) -> Any:
            raise InferenceUnavailableError("the service starts")

    def page(since: int, limit: int) -> Any:
        raise ArchiveUnavailableError("Orthanc starts")

    changes: dict[str, Any] = {}
    right = shelf.series_page
    if away == "orthanc":
        shelf.series_page = page  # type: ignore[method-assign]
    else:
        changes["gate"] = AnatomyGate(Away())
    assert nightly(shelf, tmp_path, key, clock, changes=changes).step() == AGAIN_SECONDS
    assert Notebook(tmp_path).size() == 0
    shelf.series_page = right  # type: ignore[method-assign]
    nightly(shelf, tmp_path, key, clock).step()
    assert Notebook(tmp_path).size() == 1


def test_words_that_cant_be_read_are_waited_for_and_said(
    tmp_path: Path, key: DeidentificationKey, caplog: pytest.LogCaptureFixture
) -> None:
    class EndedError(Exception):
        """Of the loop that goes on for ever."""

    words, waited = tmp_path / "vocabulary.json", list[float]()

    def sleep(seconds: float) -> None:
        if waited:
            raise EndedError
        waited.append(seconds)
        write_vocabulary(words, SiteWords())

    words.write_text("{damaged")
    options = [Option.CLEAN_DESCRIPTORS]
    made = Deidentifier(key, options=options, policy=Policy(vocabulary=str(words)))
    loop = nightly(
        Shelf(["CHEST 1"]), tmp_path, key, Clock(), changes={"header_deidentifier": made}
    )
    loop.sleep = sleep
    with pytest.raises(EndedError):
        loop.run_forever()
    assert waited == [AGAIN_SECONDS]
    assert "waiting: the site's vocabulary can't be used" in caplog.text
    assert Notebook(tmp_path).size() == 1


def test_series_are_looked_at_no_faster_than_the_interval() -> None:
    rests: list[float] = []
    quota = Quota(most=3, interval=2.0, sleep=rests.append)
    for _ in range(3):
        quota.take()
    assert rests == [2.0, 2.0]
    with pytest.raises(OverError, match="3 series"):
        quota.take()


def test_the_oldest_rows_make_room_and_their_series_are_not_looked_at_again(
    tmp_path: Path,
) -> None:
    notebook = Notebook(tmp_path)
    for number in range(5):
        notebook.keep(f"2.25.{number}", {"SeriesDescription": f"CHEST {number}"})
    notebook.prune(3)
    assert [row["SeriesDescription"][-1] for row in notebook.rows()] == ["2", "3", "4"]
    assert notebook.size() == 3
    assert notebook.knows("2.25.0")


def test_a_reviewers_later_word_takes_the_place_of_a_models(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf, clock = Shelf(["CHEST 5.0"]), Clock()
    nightly(shelf, tmp_path, key, clock).step()
    said = AnatomyOverride(regions=("neck",), by="r", reason="seen", at="2026-01-01T00:00:00Z")
    shelf.overrides["s0"] = OverrideLog(overrides=(said,)).model_dump_json()
    clock.now = datetime(2026, 3, 3, 1)  # noqa: DTZ001
    nightly(shelf, tmp_path, key, clock).step()
    (row,) = Notebook(tmp_path).rows()
    assert (row["regions"], row["label_source"]) == ("neck", "reviewer")


def test_the_export_holds_rows_of_rules_and_of_quiet_hours_marked_by_source(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf = Shelf(["CHEST 5.0", "ROUTINE 5.0", "CHEST LUNG"])
    nightly(shelf, notebook_folder(tmp_path), key, Clock()).step()
    rows = list(Notebook(notebook_folder(tmp_path)).rows())
    again = next(row for row in rows if "lung" in row["SeriesDescription"].lower())
    disputed = {k: v for k, v in again.items() if k[:1].isupper() or k == "site"}
    ledger = AnatomyLedger(tmp_path / FILE_NAME)
    ledger.learn("s2", Lesson("metadata", disputed | {"regions": "neck"}))
    out = tmp_path / "rows.csv"
    result = CliRunner().invoke(app, ["export", str(tmp_path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    with out.open(newline="") as stream:
        found = {(r["origin"], r["label_source"], r["regions"]) for r in csv.DictReader(stream)}
    assert found == {
        ("rules", "pixels", "neck"),
        ("quiet-hours", "tags", "chest"),
        ("quiet-hours", "pixels", "abdomen"),
    }
    read = read_site_table(out)
    assert {row.source for row in read} == {"pixels", "tags"}
    assert all("origin" not in row.values for row in read)
    counted = CliRunner().invoke(app, ["count", str(tmp_path)]).output
    assert "collected at quiet hours: 3" in counted


def test_a_model_that_was_rolled_back_teaches_no_more_through_the_rows_that_it_labelled(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf, clock = Shelf(["CHEST 5.0", "ROUTINE 5.0", "WHATEVER"]), Clock()
    said = AnatomyOverride(regions=("neck",), by="r", reason="seen", at="2026-01-01T00:00:00Z")
    shelf.overrides["s2"] = OverrideLog(overrides=(said,)).model_dump_json()
    folder, out = notebook_folder(tmp_path), tmp_path / "rows.csv"
    AnatomyLedger(tmp_path / FILE_NAME).count()  # the file is made by whoever first asks

    def exported() -> tuple[list[tuple[str, str]], str]:
        result = CliRunner().invoke(app, ["export", str(tmp_path), "--out", str(out)])
        assert result.exit_code == 0, result.output
        with out.open(newline="") as stream:
            rows = [(r["label_source"], r["label_model"]) for r in csv.DictReader(stream)]
        return sorted(rows), result.output

    of = {n: ("tags", f"anatomy-metadata {n}") for n in ("0.1.0", "0.2.0")}
    seen = {n: ("pixels", f"anatomy-pixels {n}") for n in ("0.1.0", "0.2.0")}
    person = ("reviewer", "")
    nightly(shelf, folder, key, clock, version="0.2.0").step()
    assert exported()[0] == [seen["0.2.0"], person, of["0.2.0"]]
    clock.now = datetime(2026, 3, 2, 12)  # noqa: DTZ001 - by day
    nightly(shelf, folder, key, clock, version="0.1.0").step()
    rows, told = exported()
    assert rows == [person]
    assert "2 rows of quiet hours left out" in told
    clock.now = datetime(2026, 3, 3, 1)  # noqa: DTZ001 - the next night
    changes = {"pixel_teacher": True}
    nightly(shelf, folder, key, clock, version="0.1.0", changes=changes).step()
    rows, told = exported()
    assert rows == [seen["0.1.0"], person, of["0.1.0"]]
    assert "left out" not in told


def test_as_long_as_nobody_knows_which_models_answer_no_label_is_taken_for_theirs(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf, clock = Shelf(["CHEST 5.0"]), Clock()
    assert nightly(shelf, tmp_path, key, clock, version="").step() == LOOK_SECONDS
    assert shelf.read == []


def test_a_window_is_hours_and_is_off_by_default() -> None:
    assert Configuration().anatomy.collecting.window == ""
    section = CollectingSection(window="22-5")
    assert QuietHours(*(section.hours or ())).holds(23)
    for wrong in ("22", "22-24", "night", "22-5 "):
        with pytest.raises(ConfigurationError, match="Window"):
            read({"Anatomy": {"Collecting": {"Window": wrong}}})


def test_collecting_changes_nothing_of_what_is_done_with_a_scan() -> None:
    plain, collecting = (
        Configuration(),
        read({"Anatomy": {"Collecting": {"Window": "22-5", "PixelTeacher": True}}}),
    )
    assert application_version([], plain) == application_version([], collecting)
    assert application_version([], plain) != application_version(
        [], plain, anatomy={"anatomy-metadata": "0.2.0"}
    )
