# SPDX-License-Identifier: AGPL-3.0-or-later
"""Headers of a site's archive, collected for training: gently, labelled, and without identity."""

from __future__ import annotations

import csv
import socket
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.uid import ImplicitVRLittleEndian

from deid import DeidentificationKey, Deidentifier, Option, Policy
from deid.errors import SiteVocabularyError
from deid.site_vocabulary import SiteWords, write_vocabulary
from inference.anatomy.in_process import InProcessAnatomy
from inference.anatomy.serving.served import ServedAnatomy
from inference.contract import AnatomyAnswer, AnatomyVote, PixelAnatomyAnswer
from inference.header_source import HeaderRequest, HeaderSourceError
from plugin.anatomy.records import AnatomyOverride, OverrideLog
from plugin.collecting import collect_headers
from plugin.collecting.answering import Answering
from plugin.collecting.collector import Collector
from plugin.collecting.labelling import in_doubt
from plugin.collecting.notebook import Notebook
from plugin.collecting.orthanc_load import OrthancLoad
from plugin.collecting.pace import OverError, Pace, QuietHours
from plugin.collecting.plain_header import header_of
from plugin.collecting.source import policy_with_words
from plugin.configuration.deidentification import DeidentificationSection
from plugin.gate import AnatomyGate
from plugin.results.private import PRIVATE_CREATOR
from plugin.standardization.arriving import Wanted
from plugin.standardization.incoming import standardized
from plugin.standardization.original_attributes import MODIFYING_SYSTEM
from plugin.states import Metadata
from tests.deid.made_scans import ct, file_of
from tests.inference.anatomy.body_files import body_files

NAME = "Zimtstern^Adelheid"
IDENTITY = ("Zimtstern", "Adelheid", "PID-4711", "ORIGINAL-ROOM-3")


def numbered(tags: Mapping[str, Any]) -> dict[str, Any]:
    """The same tags by number, as Orthanc writes them with ``?short``."""
    return {
        f"{tag >> 16:04x},{tag & 0xFFFF:04x}": [numbered(item) for item in value]
        if isinstance(value, list)
        else value
        for keyword, value in tags.items()
        if (tag := tag_for_keyword(keyword)) is not None
    }


class Shelf:
    """A small Orthanc whose series say what the test wants."""

    def __init__(self, descriptions: Sequence[str], station: str = "ORIGINAL-ROOM-3") -> None:
        self.descriptions, self.station = list(descriptions), station
        self.files = body_files("chest")
        self.fetched: list[str] = []
        self.read: list[str] = []
        self.overrides: dict[str, str] = {}

    def series_page(self, since: int, limit: int) -> list[dict[str, Any]]:
        return [
            {
                "ID": f"s{n}",
                "MainDicomTags": {"SeriesInstanceUID": f"1.2.3.{n}", "Modality": "CT"},
                "Instances": [f"s{n}-{k}" for k in range(len(self.files))],
            }
            for n in range(len(self.descriptions))
        ][since : since + limit]

    def simplified_tags(self, instance: str) -> dict[str, Any]:
        self.read.append(instance)
        number = int(instance.split("-", maxsplit=1)[0][1:])
        return {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
            "SOPInstanceUID": f"1.2.3.{number}.1",
            "StudyInstanceUID": "1.2.9",
            "SeriesInstanceUID": f"1.2.3.{number}",
            "Modality": "CT",
            "PatientName": NAME,
            "PatientID": "PID-4711",
            "StudyDate": "20260102",
            "StationName": self.station,
            "Manufacturer": "SIEMENS",
            "ManufacturerModelName": "Emotion 16",
            "SeriesDescription": self.descriptions[number],
            "SliceThickness": "5",
            "ProcedureCodeSequence": [{"CodeValue": "1", "CodeMeaning": "routine"}],
            "0009,0010": "private",
            "Rows": "512",
        }

    def file(self, instance: str) -> bytes:
        self.fetched.append(instance)
        return self.files[int(instance.split("-")[1])]

    def children(self, level: str, identifier: str) -> list[Any]:
        return [
            {"ID": f"{identifier}-{k}", "MainDicomTags": {"InstanceNumber": str(k + 1)}}
            for k in range(len(self.files))
        ]

    def metadata_of(
        self, resources: Sequence[str], level: str, names: Sequence[Metadata]
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        held = self.overrides
        return [
            ({"ID": one}, {Metadata.ANATOMY_OVERRIDES: held[one]} if one in held else {})
            for one in resources
        ]


def answered(
    *regions: Any, confidence: float, votes: Any = (), model: str = "anatomy-metadata 0.1.0"
) -> AnatomyAnswer:
    return AnatomyAnswer(
        modality="CT",
        regions=regions,
        codes=(),
        body_part_examined=None,
        confidence=confidence,
        votes=votes,
        model=model,
    )


class Witnesses:
    """Tags that know the word CHEST, pixels that always see an abdomen."""

    def __init__(self, confidence: float = 0.9, version: str = "0.1.0") -> None:
        self.confidence, self.version = confidence, version
        self.shown: list[int] = []

    def recognize_anatomy(self, header: Mapping[str, Any]) -> AnatomyAnswer:
        text = str(header.get("0008103E", {}).get("Value", ""))
        assert "Zimtstern" not in str(header)
        model = f"anatomy-metadata {self.version}"
        if "CHEST" not in text.upper():
            return answered(confidence=0.0, model=model)
        return answered("chest", confidence=0.95, model=model)

    def recognize_pixels(self, instances: Sequence[bytes]) -> PixelAnatomyAnswer:
        self.shown.append(len(instances))
        if len(instances) < 5:
            return PixelAnatomyAnswer(reason="too few", wants_more=True)
        return PixelAnatomyAnswer(
            regions=("abdomen",),
            confidence=self.confidence,
            model=f"anatomy-pixels {self.version}",
        )


class Idle:
    def busy(self) -> bool:
        return False


@pytest.fixture
def key() -> DeidentificationKey:
    return DeidentificationKey.generate()


def collector(shelf: Shelf, folder: Path, key: DeidentificationKey, **changes: Any) -> Collector:
    options = [Option.CLEAN_DESCRIPTORS, Option.MODIFIED_DATES]
    made = Deidentifier(key, options=options, policy=Policy())
    parts: dict[str, Any] = {
        "shelf": shelf,
        "pace": Pace(QuietHours(0, 0), 1000, Idle()),
        "deidentifier": made,
        "header_deidentifier": made,
        "gate": AnatomyGate(Witnesses()),
        "notebook": Notebook(folder),
        "pixel_teacher": True,
        "answering": Answering(
            {name: f"{name} 0.1.0" for name in ("anatomy-metadata", "anatomy-pixels")}
        ),
    }
    return Collector(**(parts | changes))


def table(folder: Path) -> list[dict[str, str]]:
    path, _ = Notebook(folder).write_table()
    with path.open(newline="") as stream:
        return sorted(csv.DictReader(stream), key=lambda row: row["SeriesDescription"])


def test_pixels_teach_where_tags_are_silent_and_their_label_is_marked_and_weighs_less(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf = Shelf(["CHEST 5.0", "ROUTINE 5.0"])
    assert collector(shelf, tmp_path, key).run() == ""
    silent, told = sorted(table(tmp_path), key=lambda row: row["label_source"])
    assert (silent["regions"], silent["label_source"]) == ("abdomen", "pixels")
    assert float(silent["weight"]) == pytest.approx(0.45)
    assert (told["regions"], told["label_source"]) == ("chest", "tags")
    assert all(name.startswith("s1") for name in shelf.fetched)


def test_an_entry_that_was_standardized_at_arrival_teaches_nothing(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    class Standardized(Shelf):
        def simplified_tags(self, instance: str) -> dict[str, Any]:
            before = {"SeriesDescription": "ROUTINE 5.0"}
            item = {
                "ModifyingSystem": MODIFYING_SYSTEM,
                "ReasonForTheAttributeModification": "CORRECT",
                "ModifiedAttributesSequence": [before],
            }
            told = super().simplified_tags(instance)
            return told | {"OriginalAttributesSequence": [item]}

        def short_tags(self, instance: str) -> dict[str, Any]:
            return numbered(self.simplified_tags(instance))

    collector(Standardized(["CHEST"]), tmp_path, key, pixel_teacher=False).run()
    (row,) = table(tmp_path)
    assert row["label_source"] == ""
    assert "chest" not in row["SeriesDescription"].lower()


def test_an_animal_teaches_nothing(tmp_path: Path, key: DeidentificationKey) -> None:
    class Kennel(Shelf):
        def simplified_tags(self, instance: str) -> dict[str, Any]:
            return super().simplified_tags(instance) | {"PatientSpeciesDescription": "Canine"}

    shelf = Kennel(["CHEST 5.0", "ROUTINE 5.0"])
    assert collector(shelf, tmp_path, key).run() == ""
    assert (table(tmp_path), shelf.fetched) == ([], [])


@pytest.mark.parametrize("absent", [True, False])
def test_nor_does_one_that_was_absent_or_broke_its_vr(
    tmp_path: Path, key: DeidentificationKey, absent: bool
) -> None:
    """As Orthanc tells it: by keyword without private attributes, by number with them."""

    class Standardized(Shelf):
        def simplified_tags(self, instance: str) -> dict[str, Any]:
            item: dict[str, Any] = {"ModifyingSystem": MODIFYING_SYSTEM}
            if not absent:
                value = {"SelectorAttribute": "0018,0015", "NonconformingDataElementValue": None}
                item["NonconformingModifiedAttributesSequence"] = [value]
            told = super().simplified_tags(instance) | {"BodyPartExamined": "CHEST"}
            return told | {"OriginalAttributesSequence": [item]}

        def short_tags(self, instance: str) -> dict[str, Any]:
            told = numbered(self.simplified_tags(instance))
            if absent:
                ours = {"5349,0010": PRIVATE_CREATOR, "5349,1011": "BodyPartExamined"}
                told["0400,0561"][0] |= ours
            return told

    collector(Standardized(["ROUTINE 5.0"]), tmp_path, key, pixel_teacher=False).run()
    (row,) = table(tmp_path)
    assert (row["BodyPartExamined"], row["label_source"]) == ("", "")


def test_what_orthanc_does_not_tell_of_implicit_vr_is_read_from_the_file(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    came = ct(SeriesDescription="ROUTINE 5.0", SeriesInstanceUID="1.2.3.0", PatientName=NAME)
    stored = standardized(
        file_of(came, ImplicitVRLittleEndian), Wanted({"BodyPartExamined": "CHEST"})
    )
    assert stored is not None

    class Standardized(Shelf):
        def simplified_tags(self, instance: str) -> dict[str, Any]:
            item = {"ModifyingSystem": MODIFYING_SYSTEM, "ModifiedAttributesSequence": [{}]}
            told = super().simplified_tags(instance) | {"BodyPartExamined": "CHEST"}
            return told | {"OriginalAttributesSequence": [item]}

        def short_tags(self, instance: str) -> dict[str, Any]:
            told = numbered(self.simplified_tags(instance))
            told["0400,0561"][0] |= {"5349,0010": PRIVATE_CREATOR, "5349,1011": None}
            return told

    shelf = Standardized(["ROUTINE 5.0"])
    shelf.files = [stored]
    collector(shelf, tmp_path, key, pixel_teacher=False).run()
    (row,) = table(tmp_path)
    assert (row["BodyPartExamined"], row["label_source"]) == ("", "")
    assert row["SeriesDescription"] == "ROUTINE 5.0"
    shelf.files = [b"no file"]
    assert collector(shelf, tmp_path / "other", key, pixel_teacher=False).run() == ""
    assert table(tmp_path / "other") == []


def test_without_a_pixel_teacher_no_pixel_is_fetched_and_the_row_has_no_label(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf = Shelf(["ROUTINE 5.0"])
    collector(shelf, tmp_path, key, pixel_teacher=False).run()
    (row,) = table(tmp_path)
    assert (row["regions"], row["label_source"], shelf.fetched) == ("", "", [])


def test_pixels_that_are_not_sure_give_no_label(tmp_path: Path, key: DeidentificationKey) -> None:
    gate = AnatomyGate(Witnesses(confidence=0.5))
    collector(Shelf(["ROUTINE 5.0"]), tmp_path, key, gate=gate).run()
    assert table(tmp_path)[0]["regions"] == ""


def test_a_reviewers_word_comes_before_every_model(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf = Shelf(["CHEST 5.0"])
    said = AnatomyOverride(regions=("neck",), by="r", reason="seen", at="2026-01-01T00:00:00Z")
    shelf.overrides["s0"] = OverrideLog(overrides=(said,)).model_dump_json()
    collector(shelf, tmp_path, key).run()
    (row,) = table(tmp_path)
    assert (row["regions"], row["label_source"], row["weight"]) == ("neck", "reviewer", "1.0")


def test_a_word_that_a_reviewer_changes_or_withdraws_is_heard_at_the_next_run(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf = Shelf(["CHEST 5.0"])
    words: list[AnatomyOverride] = []
    found = []
    for regions in (("neck",), ("neck", "chest"), None, None):
        words.append(AnatomyOverride(regions=regions, by="r", reason="seen", at="2026-01-01"))
        shelf.overrides["s0"] = OverrideLog(overrides=tuple(words)).model_dump_json()
        for _ in range(2):
            collector(shelf, tmp_path, key).run()
        (row,) = table(tmp_path)
        found.append((row["regions"], row["label_source"]))
    assert found[:2] == [("neck", "reviewer"), ("neck chest", "reviewer")]
    assert found[2:] == [("chest", "tags")] * 2
    assert len(shelf.read) == 3, "a series is read again only where the word is another one"


def test_a_row_says_which_model_labelled_it(tmp_path: Path, key: DeidentificationKey) -> None:
    said = AnatomyOverride(regions=("neck",), by="r", reason="seen", at="2026-01-01T00:00:00Z")
    shelf = Shelf(["CHEST 5.0", "ROUTINE 5.0", "WHATEVER"])
    shelf.overrides["s2"] = OverrideLog(overrides=(said,)).model_dump_json()
    collector(shelf, tmp_path, key).run()
    assert {(row["label_source"], row["label_model"]) for row in table(tmp_path)} == {
        ("tags", "anatomy-metadata 0.1.0"),
        ("pixels", "anatomy-pixels 0.1.0"),
        ("reviewer", ""),
    }


def test_what_a_model_labelled_that_answers_no_more_is_labelled_again(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf = Shelf(["CHEST 1.0", "CHEST LUNG"])
    collector(shelf, tmp_path, key).run()
    gate = AnatomyGate(Witnesses(version="0.2.0"))
    collector(shelf, tmp_path, key, gate=gate, answering=Answering()).run()
    assert {row["label_model"] for row in table(tmp_path)} == {"anatomy-metadata 0.2.0"}
    read = len(shelf.read)
    now = Answering({"anatomy-metadata": "anatomy-metadata 0.2.0"})
    collector(shelf, tmp_path, key, gate=gate, answering=now).run()
    assert len(shelf.read) == read, "of the model in service no row is labelled twice"


def test_pixels_are_fetched_again_only_where_another_model_is_known_to_read_them(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf = Shelf(["ROUTINE 5.0"])
    collector(shelf, tmp_path, key).run()
    fetched = len(shelf.fetched)
    collector(shelf, tmp_path, key).run()
    assert len(shelf.fetched) == fetched
    now = Answering({"anatomy-pixels": "anatomy-pixels 0.2.0"})
    collector(shelf, tmp_path, key, answering=now, pixel_teacher=False).run()
    assert len(shelf.fetched) == fetched
    gate = AnatomyGate(Witnesses(version="0.2.0"))
    collector(shelf, tmp_path, key, answering=now, gate=gate).run()
    assert [row["label_model"] for row in table(tmp_path)] == ["anatomy-pixels 0.2.0"]


def test_a_label_of_an_earlier_release_that_names_no_model_is_given_again(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    shelf = Shelf(["CHEST 5.0"])
    pseudonym = collector(shelf, tmp_path, key).deidentifier.uid("1.2.3.0")
    before = {"SeriesDescription": "CHEST", "regions": "chest", "label_source": "tags"}
    Notebook(tmp_path).keep(pseudonym, before)
    assert table(tmp_path) == []
    collector(shelf, tmp_path, key).run()
    assert [row["label_model"] for row in table(tmp_path)] == ["anatomy-metadata 0.1.0"]


def test_a_row_that_names_its_patient_as_an_earlier_release_did_is_made_again(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    said = AnatomyOverride(regions=("neck",), by="r", reason="seen", at="2026-01-01T00:00:00Z")
    shelf = Shelf(["CHEST 1", "CHEST 2"])
    for series in ("s0", "s1"):
        shelf.overrides[series] = OverrideLog(overrides=(said,)).model_dump_json()
    collector(shelf, tmp_path, key).run()
    pseudonym, notebook = collector(shelf, tmp_path, key).deidentifier.uid, Notebook(tmp_path)
    now = notebook.row(pseudonym("1.2.3.0")) or {}
    notebook.keep(pseudonym("1.2.3.0"), now | {"patient": "0123456789ab"})
    read = len(shelf.read)
    collector(shelf, tmp_path, key).run()
    assert len(shelf.read) == read + 1
    assert {row["patient"] for row in table(tmp_path)} == {now["patient"]}


def test_in_this_process_the_shipped_models_are_named_as_in_the_service() -> None:
    witnesses = InProcessAnatomy()
    told = witnesses.recognize_anatomy({"00081030": {"vr": "LO", "Value": ["CT CHEST"]}})
    assert told.model == ServedAnatomy().recognize({"StudyDescription": "CT CHEST"}).model
    assert witnesses.recognize_pixels(body_files("chest")).model.startswith("anatomy-pixels ")


def test_nothing_that_touches_the_disk_names_the_patient_or_the_station(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    collector(Shelf([f"CHEST {NAME}", "ROUTINE Zimtstern"]), tmp_path, key).run()
    table(tmp_path)
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"chest" in written
    for word in IDENTITY:
        assert word.encode().lower() not in written.lower()


def test_a_run_goes_on_where_the_last_one_ended(tmp_path: Path, key: DeidentificationKey) -> None:
    shelf = Shelf([f"CHEST {n}" for n in range(6)])
    pace = Pace(QuietHours(0, 0), 5, Idle())
    assert "5 questions" in collector(shelf, tmp_path, key, pace=pace).run()
    assert len(shelf.read) == 3
    assert collector(shelf, tmp_path, key).run() == ""
    assert sorted(shelf.read) == [f"s{n}-0" for n in range(6)]


def test_two_stations_are_two_groups_and_one_station_is_one(
    tmp_path: Path, key: DeidentificationKey
) -> None:
    for number, station in enumerate(("A", "B")):
        shelf = Shelf(["CHEST 1", "CHEST 2"], station)
        shelf.series_page = (
            lambda since, limit, n=number: [  # type: ignore[method-assign]
                {
                    "ID": f"s{k}",
                    "MainDicomTags": {"SeriesInstanceUID": f"1.2.{n}.{k}", "Modality": "CT"},
                    "Instances": [f"s{k}-0"],
                }
                for k in range(2)
            ][since:]
        )
        collector(shelf, tmp_path, key).run()
    assert len({row["station"] for row in table(tmp_path)}) == 2


@pytest.mark.parametrize(
    ("first", "last", "quiet", "loud"), [(22, 5, (23, 0, 4), (5, 12)), (1, 4, (1, 3), (0, 4))]
)
def test_quiet_hours_may_go_past_midnight(
    first: int, last: int, quiet: tuple[int, ...], loud: tuple[int, ...]
) -> None:
    hours = QuietHours(first, last)
    assert all(hours.holds(hour) for hour in quiet)
    assert not any(hours.holds(hour) for hour in loud)


def test_it_waits_for_the_quiet_hours_and_ends_with_them() -> None:
    times = iter([20, 21, 22, 22, 22, 5])
    waited: list[float] = []
    pace = Pace(
        QuietHours(22, 5),
        100,
        Idle(),
        now=lambda: datetime(2026, 1, 1, next(times)),  # noqa: DTZ001
        sleep=waited.append,
    )
    pace.admit()
    assert len(waited) == 2
    pace.admit()
    pace.admit()
    with pytest.raises(OverError, match="quiet hours"):
        pace.admit()


def test_it_pauses_while_the_archive_is_busy() -> None:
    class Working:
        left = 3

        def busy(self) -> bool:
            self.left -= 1
            return self.left >= 0

    waited: list[float] = []
    Pace(QuietHours(0, 0), 10, Working(), sleep=waited.append).admit()
    assert len(waited) == 3


def test_an_archive_works_when_jobs_run_or_images_arrive() -> None:
    class Archive:
        changes, jobs = 5, 0

        def running_jobs(self) -> int:
            return self.jobs

        def last_change(self) -> int:
            return self.changes

    archive = Archive()
    load = OrthancLoad(archive)
    assert not load.busy()
    archive.changes = 6
    assert load.busy()
    assert not load.busy()
    archive.jobs = 1
    assert load.busy()


def test_tags_that_contradict_each_other_are_in_doubt_however_sure() -> None:
    votes = (
        AnatomyVote(attribute="SeriesDescription", regions=("chest",), weight=0.9),
        AnatomyVote(attribute="BodyPartExamined", regions=("head",), weight=0.3),
    )
    sure = answered("chest", confidence=0.95, votes=votes)
    assert in_doubt(sure, 0.8)
    assert not in_doubt(sure.model_copy(update={"votes": votes[:1]}), 0.8)


@pytest.mark.parametrize("url", ["http://pacs.example.org:8042", "ftp://127.0.0.1", "127.0.0.1"])
def test_headers_with_identity_cross_no_network(tmp_path: Path, url: str) -> None:
    request = HeaderRequest(url=url, folder=str(tmp_path), key_file=str(tmp_path / "key"))
    with pytest.raises(HeaderSourceError, match="own machine"):
        collect_headers(request, Witnesses())


def test_a_key_that_is_missing_is_said_with_the_one_that_is_wanted(tmp_path: Path) -> None:
    request = HeaderRequest(
        url="http://127.0.0.1:1", folder=str(tmp_path), key_file=str(tmp_path / "dx.key")
    )
    with pytest.raises(HeaderSourceError, match="names the site's key"):
        collect_headers(request, Witnesses())


MALFORMED = {
    "PatientBirthDate": "QUENTIN1950",
    "PatientAge": "ZZYZXAGE9",
    "StudyTime": "ZZTIME",
    "Laterality": "quentin left",
    "PatientWeight": "QUENTIN",
    "FrameOfReferenceUID": "QUENTIN",
    "RequestAttributesSequence": [{"ScheduledProcedureStepStartDate": "QUENTIN"}],
}


def test_a_value_that_breaks_its_representation_is_in_no_warning(
    tmp_path: Path, key: DeidentificationKey, caplog: pytest.LogCaptureFixture
) -> None:
    class Malformed(Shelf):
        def simplified_tags(self, instance: str) -> dict[str, Any]:
            return super().simplified_tags(instance) | MALFORMED

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        header = header_of(MALFORMED)
        collector(Malformed(["CHEST"]), tmp_path, key, pixel_teacher=False).run()
    assert str(header.PatientBirthDate) == "QUENTIN1950"
    assert "PatientWeight" not in header
    assert [row["label_source"] for row in table(tmp_path)] == ["tags"]
    said = f"{[str(one.message) for one in told]} {caplog.text}".lower()
    assert "quentin" not in said
    assert "zz" not in said


@contextmanager
def answering(status: int) -> Iterator[str]:
    """The address of a server that answers every question with one status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    DeidentificationKey.from_file(tmp_path / "key", create=True)
    return str(tmp_path / "key")


@pytest.mark.parametrize("status", [401, 403])
def test_an_orthanc_that_refuses_is_given_its_user_and_password(
    tmp_path: Path, key_file: str, status: int
) -> None:
    with answering(status) as url:
        request = HeaderRequest(url=url, folder=str(tmp_path / "headers"), key_file=key_file)
        with pytest.raises(HeaderSourceError, match=rf"{status}.*--user.*SIDELIGHT_PASSWORD"):
            collect_headers(request, Witnesses())


def test_an_orthanc_that_is_away_before_there_is_a_header_is_said_and_ends_it(
    tmp_path: Path, key_file: str
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        request = HeaderRequest(url=url, folder=str(tmp_path / "headers"), key_file=key_file)
        with pytest.raises(HeaderSourceError, match=r"no header .* Orthanc can't be reached"):
            collect_headers(request, Witnesses())


def test_an_orthanc_that_goes_away_later_leaves_the_headers_of_before(
    tmp_path: Path, key_file: str
) -> None:
    Notebook(tmp_path / "headers").keep("1.2.3", {"StudyDescription": "CT CHEST"})
    request = HeaderRequest(
        url="http://127.0.0.1:1", folder=str(tmp_path / "headers"), key_file=key_file
    )
    found = collect_headers(request, Witnesses())
    assert (found.series, found.finished) == (1, False)
    assert "can't be reached" in found.reason


@pytest.mark.parametrize("beside", ["key", "data"])
def test_words_that_the_site_confirmed_are_learned_as_its_workers_read_them(
    tmp_path: Path, key_file: str, beside: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path if beside == "key" else tmp_path / "data"
    data.mkdir(exist_ok=True)
    named = {"data": str(data)} if beside == "data" else {}
    request = HeaderRequest(url="http://127.0.0.1:1", folder="x", key_file=key_file, **named)
    key = DeidentificationKey.from_file(Path(key_file))

    def kept() -> str:
        policy = policy_with_words(DeidentificationSection(), request)
        deidentifier = Deidentifier(key, [Option.CLEAN_DESCRIPTORS], policy)
        scan = deidentifier.deidentify_header(file_of(ct(SeriesDescription="SDLX chest")))
        return str(scan.dataset.SeriesDescription)

    assert "SDLX" not in kept()
    assert "confirm the words" in caplog.text
    write_vocabulary(data / "vocabulary.json", SiteWords(frozenset({"sdlx"})))
    caplog.clear()
    assert "SDLX" in kept()
    assert caplog.text == ""


def test_words_that_cant_be_read_are_said_before_a_series_is_asked_for(
    tmp_path: Path, key_file: str
) -> None:
    (tmp_path / "vocabulary.json").write_text("{damaged")
    request = HeaderRequest(
        url="http://127.0.0.1:1", folder=str(tmp_path / "headers"), key_file=key_file
    )
    with pytest.raises(HeaderSourceError, match=r"mend or remove it.*vocabulary\.json"):
        collect_headers(request, Witnesses())


@pytest.mark.parametrize("of_headers", [True, False])
def test_a_series_is_not_settled_as_long_as_the_sites_words_cant_be_read(
    tmp_path: Path, key: DeidentificationKey, of_headers: bool
) -> None:
    words = tmp_path / "vocabulary.json"
    words.write_text("{damaged")
    reads_words = Deidentifier(key, [Option.CLEAN_DESCRIPTORS], Policy(vocabulary=str(words)))
    changes = {"header_deidentifier" if of_headers else "deidentifier": reads_words}
    shelf, folder = Shelf(["ROUTINE 5.0"]), tmp_path / "headers"
    with pytest.raises(SiteVocabularyError):
        collector(shelf, folder, key, **changes).run()
    write_vocabulary(words, SiteWords())
    assert collector(shelf, folder, key, **changes).run() == ""
    assert [row["label_source"] for row in table(folder)] == ["pixels"]


def test_a_data_directory_that_is_not_there_is_said(tmp_path: Path, key_file: str) -> None:
    request = HeaderRequest(
        url="http://127.0.0.1:1", folder="x", key_file=key_file, data=str(tmp_path / "nowhere")
    )
    with pytest.raises(HeaderSourceError, match="no such data directory"):
        policy_with_words(DeidentificationSection(), request)
