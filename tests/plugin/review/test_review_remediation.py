# SPDX-License-Identifier: Apache-2.0
"""Enough errors of a class open a remediation, a person closes it, and both are remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plugin.configuration.review import ReviewSection
from plugin.review.ledger import Judgement, Ledger
from plugin.review.remediation import Rule, timestamp

NOW = datetime(2026, 11, 20, tzinfo=UTC)
MODEL = ("chest", "1.0.0")


def rule(tmp_path: Path, **section: object) -> Rule:
    defaults = {"RemediationErrors": 3, "RemediationShare": 0.5, "RemediationDays": 30}
    return Rule(Ledger(tmp_path / "reviews.sqlite"), ReviewSection(**{**defaults, **section}))


def judge(
    taking: Rule, image: int, wrong: bool, days_ago: float = 1, version: str = "1.0.0"
) -> None:
    at = timestamp(NOW - timedelta(days=days_ago))
    judgements = [Judgement("nodule", wrong), Judgement("effusion", False)]
    taking.ledger.record(f"image-{image}", ("chest", version), judgements, at)


def state(taking: Rule, finding: str = "nodule", version: str = "1.0.0") -> str:
    return next(
        one.state for one in taking.state(NOW) if (one.finding, one.version) == (finding, version)
    )


def test_it_opens_with_the_last_error_that_is_needed_and_for_that_class_only(
    tmp_path: Path,
) -> None:
    taking = rule(tmp_path)
    for image in range(3):
        assert image == 0 or state(taking) == "watching"
        judge(taking, image, wrong=True)
    assert state(taking) == "open"
    assert state(taking, "effusion") == "watching"


def test_errors_that_are_few_among_many_reviewed_open_nothing(tmp_path: Path) -> None:
    taking = rule(tmp_path)
    for image in range(9):
        judge(taking, image, wrong=image < 3)
    assert state(taking) == "watching"


def test_an_image_counts_once_however_often_it_is_reviewed(tmp_path: Path) -> None:
    taking = rule(tmp_path)
    for _ in range(5):
        judge(taking, 1, wrong=True)
    assert state(taking) == "watching"
    (one,) = (r for r in taking.state(NOW) if r.finding == "nodule")
    assert (one.reviewed, one.wrong) == (1, 1)


def test_old_errors_and_those_of_another_version_do_not_count(tmp_path: Path) -> None:
    taking = rule(tmp_path)
    for image in range(3):
        judge(taking, image, wrong=True, days_ago=40)
    assert taking.state(NOW) == []
    for image in range(3, 5):
        judge(taking, image, wrong=True)
    judge(taking, 5, wrong=True, version="1.1.0")
    assert state(taking) == "watching"
    assert state(taking, version="1.1.0") == "watching"


def test_a_person_closes_it_and_new_errors_open_it_again(tmp_path: Path) -> None:
    taking = rule(tmp_path)
    for image in range(3):
        judge(taking, image, wrong=True)
    taking.close(*MODEL, "nodule", by="Dr. Vera Lind", reason="retrained")
    closed = next(one for one in taking.state(NOW) if one.finding == "nodule")
    assert (closed.state, closed.wrong) == ("closed", 0)
    assert closed.closed is not None
    assert (closed.closed.by, closed.closed.reason) == ("Dr. Vera Lind", "retrained")
    late = timestamp(datetime.now(UTC) + timedelta(hours=1))
    for image in range(10, 13):
        taking.ledger.record(f"image-{image}", MODEL, [Judgement("nodule", True)], late)
    assert state(taking) == "open"


def test_counts_survive_a_new_start(tmp_path: Path) -> None:
    taking = rule(tmp_path)
    for image in range(3):
        judge(taking, image, wrong=True)
    assert state(rule(tmp_path)) == "open"


@pytest.mark.parametrize("key", ["RemediationErrors", "RemediationShare", "RemediationDays"])
def test_the_rule_is_configurable(tmp_path: Path, key: str) -> None:
    stricter = {"RemediationErrors": 4, "RemediationShare": 1.0, "RemediationDays": 1}[key]
    taking = rule(tmp_path, **{key: stricter})
    for image in range(4):
        judge(taking, image, wrong=image < 3, days_ago=2)
    looser = {"RemediationErrors": 3, "RemediationShare": 0.5, "RemediationDays": 30}[key]
    assert "open" not in [one.state for one in taking.state(NOW)]
    again = Rule(taking.ledger, ReviewSection(**{
        "RemediationErrors": 3, "RemediationShare": 0.5, "RemediationDays": 30, key: looser
    }))  # fmt: skip
    assert state(again) == "open"
