# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Sidelight section: strict, and clear about what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plugin.configuration import Configuration, ConfigurationError, read, reference

ROOT = Path(__file__).resolve().parents[2]


def test_every_key_has_a_default() -> None:
    assert read({}) == Configuration()


def test_the_shipped_configuration_is_valid() -> None:
    shipped = json.loads((ROOT / "orthanc.json").read_text(encoding="utf-8"))
    assert read(shipped["Sidelight"]).enabled


def test_the_shipped_configuration_is_closed_to_the_network() -> None:
    shipped = json.loads((ROOT / "orthanc.json").read_text(encoding="utf-8"))
    assert shipped["RemoteAccessAllowed"] is False
    assert shipped["AuthenticationEnabled"] is True
    assert shipped["RegisteredUsers"] == {}
    assert shipped["DicomAlwaysAllowStore"] is False


def test_an_unknown_key_is_named_with_the_allowed_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read({"Workers": {"Number": 3}})
    assert "Sidelight.Workers.Number" in str(caught.value)
    assert "Count, Nice, Scheduling" in str(caught.value)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"Workers": {"Count": "3"}}, ["Sidelight.Workers.Count", "'3'", "integer"]),
        ({"Workers": {"Count": 0}}, ["Sidelight.Workers.Count = 0", "greater than or equal to 1"]),
        ({"Results": {"Segmentation": "FOO"}}, ["'FOO'", "'BINARY', 'FRACTIONAL' or 'NONE'"]),
        ({"Inference": {"Device": "gpu"}}, ["Sidelight.Inference.Device", "cuda"]),
        ({"Enabled": "yes"}, ["Sidelight.Enabled", "boolean"]),
        ({"Deidentification": {"Options": ["Nothing"]}}, ["Options.0", "'CleanDescriptors'"]),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    section: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(section)
    for word in words:
        assert word in str(caught.value)


def test_a_wrong_token_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read({"Inference": {"Token": 12345}})
    assert "12345" not in str(caught.value)


def test_lists_of_the_configuration_are_read() -> None:
    read_section = read({"Deidentification": {"Options": ["FullDates"]}})
    assert read_section.deidentification.options == ("FullDates",)


def test_only_what_changes_results_changes_the_digest() -> None:
    plain = read({}).digest()
    assert read({"Workers": {"Count": 2}}).digest() == plain
    assert read({"Results": {"Segmentation": "FRACTIONAL"}}).digest() != plain


def test_the_readme_lists_every_key_with_its_default() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for key, default, allowed, _meaning in reference():
        assert f"| `{key}` | `{default}` | {allowed} |" in text
