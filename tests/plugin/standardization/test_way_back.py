# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files that get back the header that they had before they were made standard at arrival."""

from __future__ import annotations

import io
import resource
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)
from typer.testing import CliRunner

from deid.seals import SEAL
from plugin.results.private import PrivateElement, mark
from plugin.standardization.arriving import Wanted
from plugin.standardization.commands import app
from plugin.standardization.copies import modified_copy
from plugin.standardization.incoming import standardized
from plugin.standardization.way_back import Outcome, restore_all, restored
from tests.deid.made_scans import ct, file_of

CAME = ct(BodyPartExamined="KNEE", SeriesDescription="HEAD NATIV", StudyDescription=None)
HEAD = Wanted({"BodyPartExamined": "HEAD", "StudyDescription": "CT HEAD"}, source="Hospital Doe")


def stored(came: Dataset = CAME, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A file as Orthanc has it after it was made standard at arrival."""
    content = standardized(file_of(came, syntax), HEAD)
    assert content is not None
    return content


def read(content: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def edited(content: bytes, modifying: str, keyword: str, value: str) -> bytes:
    """A file after another system changed an attribute, and said so."""
    dataset, item, before = read(content), Dataset(), Dataset()
    setattr(before, keyword, dataset[keyword].value)
    setattr(dataset, keyword, value)
    item.ModifyingSystem = modifying
    item.ModifiedAttributesSequence = [before]
    earlier = list(dataset.get("OriginalAttributesSequence") or [])
    dataset.OriginalAttributesSequence = [*earlier, item]
    return file_of(dataset)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_file_gets_back_what_stood_there_and_loses_what_was_added(syntax: str) -> None:
    outcome, content = restored(stored(CAME, syntax))
    assert outcome is Outcome.RESTORED
    came = read(file_of(CAME, syntax))
    assert {e.tag: e.value for e in read(content)} == {e.tag: e.value for e in came}
    assert read(content).file_meta == came.file_meta


def test_what_other_systems_had_on_record_before_stays_on_record() -> None:
    before = edited(file_of(CAME), "PACS", "SeriesDescription", "SKULL")
    outcome, content = restored(stored(read(before)))
    assert outcome is Outcome.RESTORED
    again = read(content)
    assert [one.ModifyingSystem for one in again.OriginalAttributesSequence] == ["PACS"]
    assert (again.BodyPartExamined, again.SeriesDescription) == ("KNEE", "SKULL")


def sealed() -> bytes:
    dataset = read(stored())
    dataset.DeidentificationMethod = ["per policy", SEAL.decode() + "x" * 22]
    return file_of(dataset)


def result() -> bytes:
    dataset = deepcopy(CAME)
    mark(dataset, {PrivateElement.PURPOSE: "result"})
    return file_of(dataset)


def with_pixels() -> Dataset:
    dataset = deepcopy(CAME)
    dataset.add_new("PixelData", "OW", bytes(512))
    return dataset


@pytest.mark.parametrize(
    ("file", "outcome"),
    [
        (file_of(CAME), Outcome.UNCHANGED),
        (edited(file_of(CAME), "PACS", "SeriesDescription", "SKULL"), Outcome.UNCHANGED),
        (edited(stored(), "PACS", "BodyPartExamined", "SKULL"), Outcome.CHANGED_SINCE),
        (sealed(), Outcome.SEALED),
        (result(), Outcome.OWN),
        (modified_copy(file_of(CAME), {"BodyPartExamined": "HEAD"}), Outcome.OWN),
        (b"KNEE", Outcome.NO_DICOM),
        (stored(with_pixels())[:-100], Outcome.UNREADABLE),
    ],
)
def test_what_can_not_or_need_not_be_restored_is_left_and_counted(
    file: bytes, outcome: Outcome
) -> None:
    assert restored(file) == (outcome, b"")


def of_frames() -> Dataset:
    dataset = deepcopy(CAME)
    dataset.add_new("PixelData", "OB", encapsulate([b"\1\2\3\4" * 10, b"\5\6" * 5]))
    dataset["PixelData"].is_undefined_length = True
    return dataset


@pytest.mark.parametrize(
    ("came", "syntax"),
    [
        (with_pixels, ExplicitVRLittleEndian),
        (with_pixels, ImplicitVRLittleEndian),
        (with_pixels, DeflatedExplicitVRLittleEndian),
        (of_frames, JPEGBaseline8Bit),
    ],
)
def test_a_file_that_ends_within_an_element_is_never_restored_nor_called_unchanged(
    came: Callable[[], Dataset], syntax: UID
) -> None:
    whole = stored(came(), syntax)
    assert restored(whole)[0] is Outcome.RESTORED
    pixels = whole.find(b"\xe0\x7f\x10\x00")
    header = range(pixels + 1, pixels + 8) if pixels > 0 else ()
    for end in (*header, *range(len(whole) - 40, len(whole) - 4)):
        assert restored(whole[:end]) == (Outcome.UNREADABLE, b""), end


def test_a_file_that_ends_with_its_meta_information_is_not_called_unchanged() -> None:
    whole = stored()
    assert restored(whole[: whole.index(b"\x08\x00\x16\x00")])[0] is Outcome.UNREADABLE


def test_what_could_not_be_written_to_its_end_is_written_the_next_time(tmp_path: Path) -> None:
    source, target = tmp_path / "export", tmp_path / "restored"
    source.mkdir()
    (source / "1.dcm").write_bytes(stored(with_pixels()))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            restore_all(source, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(target.iterdir()) == []
    assert restore_all(source, target) == {Outcome.RESTORED: 1}
    assert [one.name for one in target.iterdir()] == ["1.dcm"]


def test_where_a_file_system_has_no_links_nothing_is_written_over_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(path: Path, target: Path) -> None:
        if meanwhile:
            path.write_text("mine")
        raise PermissionError

    meanwhile = False
    monkeypatch.setattr(Path, "hardlink_to", no_links)
    (tmp_path / "1.dcm").write_bytes(stored())
    assert restore_all(tmp_path / "1.dcm", tmp_path / "out") == {Outcome.RESTORED: 1}
    meanwhile = True
    assert restore_all(tmp_path / "1.dcm", tmp_path / "other") == {Outcome.THERE: 1}
    assert [one.name for one in (tmp_path / "other").iterdir()] == ["1.dcm"]
    assert (tmp_path / "other" / "1.dcm").read_text() == "mine"


def test_a_folder_is_written_to_another_one_and_nothing_is_written_over(tmp_path: Path) -> None:
    source, target = tmp_path / "export", tmp_path / "restored"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "1.dcm").write_bytes(stored())
    (source / "2.dcm").write_bytes(file_of(CAME))
    (source / "notes.txt").write_text("KNEE")
    assert restore_all(source, target) == {
        Outcome.RESTORED: 1,
        Outcome.UNCHANGED: 1,
        Outcome.NO_DICOM: 1,
    }
    assert [one.name for one in target.rglob("*.*")] == ["1.dcm"]
    assert read((target / "deep" / "1.dcm").read_bytes()).BodyPartExamined == "KNEE"
    (target / "deep" / "1.dcm").write_text("mine")
    assert restore_all(source, target)[Outcome.THERE] == 1
    assert (target / "deep" / "1.dcm").read_text() == "mine"


def test_the_command_counts_and_ends_with_an_error_where_something_is_missing(
    tmp_path: Path,
) -> None:
    (tmp_path / "1.dcm").write_bytes(stored())
    asked = ["restore", str(tmp_path / "1.dcm"), "--out", str(tmp_path / "out")]
    first = CliRunner().invoke(app, asked)
    assert (first.exit_code, first.output.strip()) == (0, f"1 {Outcome.RESTORED.value}")
    again = CliRunner().invoke(app, asked)
    assert (again.exit_code, again.output.strip()) == (1, f"1 {Outcome.THERE.value}")
    same = CliRunner().invoke(app, ["restore", str(tmp_path), "--out", str(tmp_path)])
    assert same.exit_code == 1
    assert "another" in same.output
