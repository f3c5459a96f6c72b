# SPDX-License-Identifier: Apache-2.0
"""Who a request comes from: only names that somebody has checked."""

from __future__ import annotations

import base64

import pytest
from pydantic import ValidationError

from plugin.caller import Caller, authenticates
from plugin.configuration import Configuration


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_the_user_of_basic_authentication_is_named_without_the_password() -> None:
    assert Caller(authenticated=True).of(basic("vlind:se:cret")) == "vlind"


def test_a_name_that_orthanc_does_not_check_is_no_name() -> None:
    assert Caller(authenticated=False).of(basic("vlind:secret")) == ""


def test_a_trusted_proxy_names_the_user_and_only_the_configured_header_counts() -> None:
    headers = {"x-remote-user": "lind", "x-forwarded-user": "mallory", **basic("proxy:x")}
    assert Caller(authenticated=True, user_header="X-Remote-User").of(headers) == "lind"
    assert Caller(authenticated=True).of(headers) == "proxy"


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!!", "Bearer abc", "Basic " + base64.b64encode(b"\xff").decode()],
)
def test_what_is_no_user_is_nobody(header: str) -> None:
    assert Caller(authenticated=True).of({"authorization": header}) == ""


def test_a_name_can_not_smuggle_lines() -> None:
    assert "\n" not in Caller(authenticated=True).of(basic("a\nX-Evil: 1:pw"))


@pytest.mark.parametrize(
    "other", ["anna ", " anna", "anna\x00", "\tanna", "ann\u00e4", "anna\u200b", "\u00e4nna"]
)
def test_nobody_is_taken_for_somebody_else(other: str) -> None:
    named = Caller(authenticated=True).of(basic(other))
    assert named != "anna"
    assert "?" in named
    assert named == named.strip()


def test_a_long_name_is_not_the_account_that_it_begins_with() -> None:
    caller = Caller(authenticated=True)
    assert caller.of(basic("a" * 64)) == "a" * 64
    assert caller.of(basic("a" * 65)) == "a" * 63 + "?"


@pytest.mark.parametrize("account", ["", "anna ", " anna", "a?", "a" * 65, "M\u00fcller", "a\nb"])
@pytest.mark.parametrize("key", ["Reviewers", "Auditors"])
def test_rights_are_given_to_accounts_that_can_be_told_apart(key: str, account: str) -> None:
    with pytest.raises(ValidationError, match="told apart"):
        Configuration.model_validate({"DeidentificationReview": {key: [account]}})


def test_deciders_too_can_be_told_apart() -> None:
    with pytest.raises(ValidationError, match="told apart"):
        Configuration.model_validate({"Inference": {"Deciders": ["anna "]}})
    given = {"Inference": {"Deciders": ["DOMAIN\\anna, Dr. B@x"]}}
    assert Configuration.model_validate(given).inference.deciders == ("DOMAIN\\anna, Dr. B@x",)


@pytest.mark.parametrize(
    ("whole", "checks"),
    [
        ({"AuthenticationEnabled": True}, True),
        ({"AuthenticationEnabled": False, "RemoteAccessAllowed": True}, False),
        ({"RemoteAccessAllowed": True}, True),
        ({}, False),
    ],
)
def test_whether_orthanc_checks_users(whole: dict[str, object], checks: bool) -> None:
    assert authenticates(whole) is checks
