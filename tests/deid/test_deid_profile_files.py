# SPDX-License-Identifier: Apache-2.0
"""A mistake in a profile is named, and never read as leave to let something pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from deid import Option
from deid.profile_files import ProfileFileError, load
from deid.profile_values import Section

_PRIVATE = '[[private]]\ncreator = "ACME"\ngroup = "0029"\nelement = "08"\nvr = "CS"\n'
_OUTLIER = '[[outlier]]\nattribute = "PatientWeight"\nhighest = 150\n'


def written(folder: Path, text: str) -> str:
    file = folder / "profile.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('allow_burned_in_annotation = "false"', "allow_burned_in_annotation .* true or false"),
        ("allow_burned_in_annotation = 1", "true or false"),
        ('record_digests = "no"', "record_digests"),
        (_PRIVATE + "kep = false", r"unknown in \[\[private\]\]: kep"),
        (_PRIVATE + 'keep = "false"', "keep in .* true or false"),
        (_PRIVATE.replace('"0029"', '"0028"'), "odd"),
        (_PRIVATE.replace('"08"', '"0801"'), "element"),
        (_PRIVATE.replace('"08"', "8"), "element"),
        (_PRIVATE.replace('"CS"', '"ZZ"'), "vr"),
        ('[[private]]\ngroup = "0029"\nelement = "08"\nvr = "CS"', "creator"),
        (_OUTLIER + "higest = 90", r"unknown in \[\[outlier\]\]: higest"),
        (_OUTLIER + 'beyond = "drop"', '"cap" or "blank"'),
        ('options = ["modified-date"]', "options .* modified-dates"),
        ('options = "modified-dates"', "options .* list"),
        ('pixel_text = "yes"', 'pixel_text .* "mask"'),
        ('free_text = ["listed"]', "free_text"),
        ("date_shift_days = [-10]", "date_shift_days"),
        ("date_shift_days = [-10.5, 3]", "date_shift_days"),
        ("kept_regions = [[1, 2, 3]]", "kept_regions"),
        ("kept_regions = [[1, 2, 3, -4]]", "kept_regions"),
        ('encrypt_for = "key.pem"', "encrypt_for"),
        ('pixeltext = "mask"', "unknown in a profile: pixeltext"),
        ("private = 3", "private"),
        ("private = [3]", "private"),
        ("options = [", "not TOML"),
    ],
)
def test_a_mistake_in_a_profile_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ProfileFileError, match=words):
        load(written(tmp_path, text))


def test_a_file_that_is_not_there_is_told_from_one_that_is_no_toml(tmp_path: Path) -> None:
    with pytest.raises(ProfileFileError, match="basic, research, or the path"):
        load(str(tmp_path / "none.toml"))


def test_what_is_written_right_is_read(tmp_path: Path) -> None:
    text = 'options = ["modified-dates"]\nallow_burned_in_annotation = true\n'
    read = load(written(tmp_path, text + "date_shift_days = [-9, -1]\n" + _PRIVATE + _OUTLIER))
    assert read.options == {Option.MODIFIED_DATES}
    assert read.policy.allow_burned_in_annotation
    assert read.policy.date_shift_days == (-9, -1)
    assert read.policy.private_elements[0].attribute == ("ACME", 0x0029, 0x08)
    assert read.policy.outliers[0].highest == 150


@pytest.mark.parametrize("name", ["basic", "research"])
def test_the_profiles_of_the_package_are_read(name: str) -> None:
    assert load(name).policy.videos == "review"


def test_a_section_that_is_no_table_is_named() -> None:
    with pytest.raises(ProfileFileError, match="must be a table"):
        Section([], "a profile", frozenset())  # type: ignore[arg-type]
