# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Sidelight section: strict, and clear about what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from plugin.application import Application
from plugin.configuration import Configuration, ConfigurationError, read, reference
from plugin.configuration.patterns import IN_WORDS

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
        ({"Results": {"Segmentation": "FOO"}}, ["'FOO'", "'LABELMAP', 'FRACTIONAL' or 'NONE'"]),
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


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (
            {"Anatomy": {"Collecting": {"Window": "22:00-5"}}},
            "Sidelight.Anatomy.Collecting.Window = '22:00-5': allowed: "
            + IN_WORDS[r"^$|^([01]?\d|2[0-3])-([01]?\d|2[0-3])$"],
        ),
        (
            {"Hanging": {"Table": "hangings.toml"}},
            "Sidelight.Hanging.Table = 'hangings.toml': allowed: absolute path, or empty",
        ),
    ],
)
def test_what_a_pattern_allows_is_said_in_words(section: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(section)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("Workers.Count", "integer, 1 to 64"),
        ("Workers.GiveWay", "number, 0 to 0.9"),
        ("Doors.Hl7.TimeoutSeconds", "number above 0, up to 600"),
        ("Results.SeriesNumbers", "object of integer, 1 to 2147483000"),
        ("Anatomy.Collecting.Window", "two full hours from 0 to 23 as 22-5, or empty"),
        ("Inference.TrustedKeys", "list of 44 characters of base64"),
        ("DataDirectory", "text"),
    ],
)
def test_the_table_of_keys_says_the_limits(key: str, allowed: str) -> None:
    assert next(row for row in reference() if row[0] == key)[2] == allowed


def test_a_wrong_token_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read({"Inference": {"Token": 12345}})
    assert "12345" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"Url": "http://ai.example"}, ["Url = 'http://ai.example'", "loopback only", "https://"]),
        ({"Url": "http://192.0.2.1:8"}, ["loopback only"]),
        ({"Url": "https://ai.example/?key=1"}, ["allowed: scheme, host, port and path"]),
        ({"Url": "https://"}, ["Sidelight.Inference.Url"]),
        (
            {"Url": "http://127.0.0.1:8", "Token": "hidden-word"},
            ["Token", "needs a Url with https"],
        ),
        ({"Url": "https://me:hidden-word@ai.example"}, ["Url = ***", "Inference.Token"]),
        ({"Url": "https://ai.example/p?token=hidden-word"}, ["'https://ai.example/p?***'", "path"]),
        ({"Url": "https://ai.example/#hidden-word"}, ["Url = 'https://ai.example/#***'"]),
        ({"Url": "http://localhost:abc"}, ["a port is a number from 1 to 65535"]),
        ({"Url": "https://ai.example:99999"}, ["a port is a number from 1 to 65535"]),
        ({"Url": "https://ai.example:0"}, ["a port is a number from 1 to 65535"]),
        ({"Url": "https://[ai.example"}, ["host and port can't be read"]),
        ({"Url": "https://me:hidden-word@ai.example:x"}, ["Url = ***", "can't be read"]),
    ],
)
def test_scans_and_a_token_go_to_another_machine_over_tls_only(
    section: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read({"Inference": section})
    for word in words:
        assert word in str(caught.value)
    assert "hidden-word" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ({}, ""),
        ({"Url": "unix:/run/inference.sock", "Token": "word"}, "unix:/run/inference.sock"),
        ({"Url": "http://localhost:8080/v"}, "http://localhost:8080"),
        ({"Url": "http://[::1]:8"}, "http://[::1]:8"),
        ({"Url": "https://ai.example:8443/sub/", "Token": "word"}, "https://ai.example:8443"),
    ],
)
def test_addresses_of_inference_that_nobody_can_listen_to_are_taken(
    section: dict[str, object], place: str
) -> None:
    assert read({"Inference": section}).inference.place == place


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


def test_webhooks_without_a_secret_are_refused() -> None:
    for secret in ({}, {"Secret": "short"}):
        with pytest.raises(ConfigurationError, match="Secret of 16 characters"):
            read({"Doors": {"Webhooks": {"ResultUrls": ["https://hooks.example"], **secret}}})


@pytest.mark.parametrize(
    "section",
    [
        {"Webhooks": {"ResultUrls": ["ftp://user:hidden-word@x"], "Secret": "0123456789abcdef"}},
        {"Webhooks": {"ResultUrls": [["hidden-word"]], "Secret": "0123456789abcdef"}},
        {"Webhooks": {"ResultUrls": ["https://u:hidden-word@x:9x"], "Secret": "0123456789abcdef"}},
        {"Escalation": {"WorkitemUrl": "https://ups.example:99999/?key=hidden-word"}},
        {"Escalation": {"WorkitemUrl": "ftp://ups.example/?key=hidden-word"}},
        {"Webhooks": {"Secret": ["hidden-word"]}},
        {"Webhooks": ["hidden-word"]},
        {"Escalation": {"WorkitemAuthorization": {"Bearer": "hidden-word"}}},
    ],
)
def test_a_wrong_secret_or_address_is_not_repeated(section: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read({"Doors": section})
    assert "Sidelight.Doors" in str(caught.value)
    assert "hidden-word" not in str(caught.value)


def test_doors_change_no_result() -> None:
    assert read({"Doors": {"Hl7": {"Host": "ris"}}}).digest() == read({}).digest()


def test_pinned_digests_and_trusted_keys_are_checked_for_their_form() -> None:
    key = "A" * 43 + "="
    given = {"PinnedDigests": {"chest": f"{'a' * 64} {'b' * 64}"}, "TrustedKeys": [key]}
    section = read({"Inference": given}).inference
    assert section.trusted_keys == (key,)
    with pytest.raises(ConfigurationError, match="64 hexadecimal"):
        read({"Inference": {"PinnedDigests": {"chest": "ABC"}}})
    with pytest.raises(ConfigurationError, match="TrustedKeys"):
        read({"Inference": {"TrustedKeys": ["short"]}})


def test_pixels_that_are_left_alone_can_not_be_read() -> None:
    with pytest.raises(ConfigurationError, match="PixelText"):
        read({"Deidentification": {"PixelTerms": True, "PixelText": "leave"}})
    assert read({"Deidentification": {"PixelTerms": True}})
    assert read({"Deidentification": {"PixelTerms": True, "PixelText": "mask"}})


def test_a_folder_of_orders_that_can_not_be_read_is_a_problem_of_the_status(
    orthanc: Any, tmp_path: Path
) -> None:
    orthanc.GetConfigurationPath = lambda: str(tmp_path)

    def problems(worklists: Path) -> object:
        section = {"Anatomy": {"Worklists": str(worklists)}, "DataDirectory": str(tmp_path)}
        sidelight = Application(ROOT, {}, read(section), sys.executable)
        return sidelight._status()["problems"]

    assert problems(tmp_path) == []
    (said,) = cast("list[str]", problems(tmp_path / "missing"))
    assert "Anatomy.Worklists" in said
    assert str(tmp_path) not in said
