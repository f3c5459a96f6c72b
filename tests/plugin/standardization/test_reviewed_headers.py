# SPDX-License-Identifier: AGPL-3.0-or-later
"""A reviewer's word about a series, and the headers of what comes to it afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import DigitalXRayImageStorageForPresentation

from deid import Deidentifier
from inference.contract import RegionName
from plugin.anatomy import (
    AnatomyBook,
    AnatomyOverride,
    OverrideLog,
    RecognizedAnatomy,
    SeriesAnatomy,
)
from plugin.anatomy.earlier_words import TROUBLE_SECONDS, EarlierWords
from plugin.arrival.protocol import Kind
from plugin.arrival.standardizing import HeaderDesk
from plugin.configuration import Configuration
from plugin.handover import Handover
from plugin.site_key import SiteKey
from plugin.standardization import settled
from plugin.standardization.reviewed import EarlierReviews, ReviewedSeries
from plugin.standardization.settled import SettledHeaders
from plugin.states import Metadata
from plugin.web import assembly
from tests.deid.made_scans import PIPELINE, ROOT, ct, file_of
from tests.plugin.query_plans import plan_of
from tests.plugin.standardization.test_standard_arrival import (
    HEAD,
    SKULL,
    Brain,
    admission,
    headers,
    read,
)

SERIES = f"{ROOT}.2.1"
STORED = {"ID": "abc", "MainDicomTags": {"SeriesInstanceUID": SERIES}}


def said(*regions: RegionName) -> SeriesAnatomy:
    """A series of the head of which a reviewer says this; nothing: the word is withdrawn."""
    word = AnatomyOverride(
        regions=regions or None, by="reader", reason="seen", at="2026-01-01T00:00:00+00:00"
    )
    return SeriesAnatomy(RecognizedAnatomy(**dict(HEAD)), OverrideLog(overrides=(word,)))


def handover(folder: Path, **arrival: str) -> Handover:
    return Handover(
        orthanc_url="http://127.0.0.1:9",
        authorization="",
        queue_file=str(folder / "queue.sqlite"),
        key_file=str(folder / "key"),
        inference_url="",
        web_socket="",
        stable_age=1.0,
        configuration=Configuration.model_validate({"Arrival": arrival}),
    )


def reviewed(folder: Path, **arrival: str) -> ReviewedSeries:
    """What the web process writes."""
    return ReviewedSeries.of(handover(folder, **arrival))


def slice_of(number: int, **more: Any) -> bytes:
    uids = {"SOPInstanceUID": f"{ROOT}.3.{number}", "SeriesInstanceUID": SERIES}
    return file_of(ct(**(SKULL | uids | more)))


def desk(folder: Path, brain: Brain) -> HeaderDesk:
    """What the arrival process asks, with the key of the node."""
    key = SiteKey.of(str(folder / "key"), folder).read()
    return HeaderDesk(headers(folder, brain), lambda: Deidentifier(key, PIPELINE))


def test_what_comes_to_a_series_that_a_reviewer_contradicts_is_stored_as_it_came(
    tmp_path: Path,
) -> None:
    brain = Brain()
    one = desk(tmp_path, brain)
    assert one.rule(slice_of(1))[0] is Kind.STANDARD
    reviewed(tmp_path).note(STORED, said("lower limb"))
    assert one.rule(slice_of(2)) == (Kind.KEEP, b"")
    # Also after a new start, whatever the slice says, and nobody is asked.
    again = desk(tmp_path, brain)
    assert again.rule(slice_of(3, SeriesDescription="HEAD")) == (Kind.KEEP, b"")
    assert brain.asked == 1
    other = {"SeriesInstanceUID": f"{ROOT}.2.2"}
    assert again.rule(slice_of(4, **other))[0] is Kind.STANDARD


def test_images_that_are_named_one_by_one_are_left_alone_too(tmp_path: Path) -> None:
    dx = {"SOPClassUID": DigitalXRayImageStorageForPresentation, "Modality": "DX"}
    one = desk(tmp_path, Brain())
    assert one.rule(slice_of(1, **dx))[0] is Kind.STANDARD
    reviewed(tmp_path).note(STORED, said("lower limb"))
    assert one.rule(slice_of(2, ViewPosition="PA", **dx)) == (Kind.KEEP, b"")


@pytest.mark.parametrize("last", [said(), said("head")])
def test_a_word_that_is_withdrawn_or_confirms_lets_the_standard_go_on(
    tmp_path: Path, last: SeriesAnatomy
) -> None:
    one, web = desk(tmp_path, Brain()), reviewed(tmp_path)
    web.note(STORED, said("lower limb"))
    assert one.rule(slice_of(1))[0] is Kind.KEEP
    web.note(STORED, last)
    assert one.rule(slice_of(2))[0] is Kind.STANDARD


def test_an_archive_of_pseudonyms_knows_its_series_by_them(tmp_path: Path) -> None:
    rules = admission(tmp_path, Brain())
    kind, content = rules.rule(slice_of(1))
    assert kind is Kind.STANDARD
    stored = {"MainDicomTags": {"SeriesInstanceUID": str(read(content).SeriesInstanceUID)}}
    reviewed(tmp_path, Mode="deidentify").note(stored, said("lower limb"))
    kind, content = rules.rule(slice_of(2))
    assert (kind, read(content).BodyPartExamined) == (Kind.STORE, "KNEE")


@pytest.mark.parametrize("missing", ["file", "key", "tag"])
def test_a_word_that_can_not_be_passed_on_is_no_error_but_a_line_in_the_log(
    tmp_path: Path, missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    if missing == "file":
        (tmp_path / "standard_headers.sqlite").mkdir()
    if missing == "key":
        (tmp_path / "key").write_bytes(b"short")
    reviewed(tmp_path).note({"MainDicomTags": {}} if missing == "tag" else STORED, said("neck"))
    (line,) = caplog.messages
    assert "reviewed series" in line
    assert SERIES not in line


def test_the_web_process_tells_of_words_only_where_headers_are_made_standard_at_arrival(
    tmp_path: Path,
) -> None:
    handed = handover(tmp_path)
    assert assembly._reviewed(handed) is None
    arrival = Configuration.model_validate({"Standardization": {"Mode": "arrival"}})
    tell = assembly._reviewed(handed.model_copy(update={"configuration": arrival}))
    assert tell is not None
    one = desk(tmp_path, Brain())
    tell(STORED, said("lower limb"))
    assert one.rule(slice_of(1))[0] is Kind.KEEP


class Clock:
    """Seconds that pass only when told."""

    now = 1e9

    def time(self) -> float:
        return self.now


def test_a_series_is_left_alone_as_long_as_it_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(settled, "time", clock)
    kept = SettledHeaders(tmp_path / "standard_headers.sqlite")
    kept.leave("1.2", True)
    for _ in range(5):
        clock.now += 40 * 86_400.0
        assert kept.left_alone("1.2")
        assert SettledHeaders(tmp_path / "standard_headers.sqlite").left_alone("1.2")
    clock.now += 61 * 86_400.0
    assert not kept.left_alone("1.2")


def test_what_has_expired_is_forgotten_while_others_are_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = SettledHeaders(tmp_path / "standard_headers.sqlite")
    now = 1000.0
    monkeypatch.setattr("time.time", lambda: now)
    kept.settle("series", "1.1", {}, 10.0)
    kept.settle("series", "1.2", {}, 90.0)
    now += 50.0
    steps = plan_of(kept._opened(), lambda: kept.settle("series", "1.3", {}, 90.0))
    assert not [one for one in steps if one.startswith("SCAN")]
    left = kept._opened().read("SELECT uid FROM settled ORDER BY uid")
    assert left == [("1.2",), ("1.3",)]


class Orthanc:
    """One study with one series that a reviewer of an earlier version has spoken about."""

    def __init__(self, known: SeriesAnatomy) -> None:
        self.held = {
            Metadata.ANATOMY: known.recognized.as_text(),
            Metadata.ANATOMY_OVERRIDES: known.log.model_dump_json(),
        }

    def study_identifiers(self) -> list[str]:
        return ["st1"]

    def metadata_of(self, *_: Any) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        return [({"ID": "s1", **STORED}, self.held)]

    def metadata(self, _level: str, _series: str, name: Metadata) -> str | None:
        return self.held.get(name)


def carried(folder: Path, known: SeriesAnatomy, sleep: Any = lambda _: None) -> None:
    shelf: Any = Orthanc(known)
    EarlierWords(shelf, EarlierReviews(reviewed(folder), AnatomyBook(shelf)), sleep).carry()


@pytest.mark.parametrize(
    ("regions", "kind"),
    [(("lower limb",), Kind.KEEP), (("head",), Kind.STANDARD), ((), Kind.STANDARD)],
)
def test_a_word_that_was_given_before_headers_were_made_standard_counts_as_one_given_now(
    tmp_path: Path, regions: tuple[RegionName, ...], kind: Kind
) -> None:
    one = desk(tmp_path, Brain())
    carried(tmp_path, said(*regions))
    assert one.rule(slice_of(1))[0] is kind


def test_earlier_words_wait_for_the_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    (tmp_path / "key").chmod(0o600)

    def mended(seconds: float) -> None:
        if seconds == TROUBLE_SECONDS:
            (tmp_path / "key").write_bytes(bytes(range(32)))

    carried(tmp_path, said("lower limb"), mended)
    assert desk(tmp_path, Brain()).rule(slice_of(1))[0] is Kind.KEEP
