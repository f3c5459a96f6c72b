# SPDX-License-Identifier: AGPL-3.0-or-later
"""All times of a result are in one zone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from pydicom.dataset import Dataset

from inference.contract import Outcome
from plugin.results import ResultOptions, build
from plugin.results.objects import AdditionalKind
from tests.plugin.results.samples import dx_header

PAIRS = (
    ("InstanceCreationDate", "InstanceCreationTime"),
    ("ContentDate", "ContentTime"),
    ("PresentationCreationDate", "PresentationCreationTime"),
)


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/New_York"])
def _machine_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def made(model, answer, image, offset: str) -> list[Dataset]:  # type: ignore[no-untyped-def]
    header = dx_header()
    header.TimezoneOffsetFromUTC = offset
    options = ResultOptions(validators=(), additional=get_args(AdditionalKind))
    objects = build(header, model, answer(Outcome.FINDINGS), image(300, 200), options)
    return [one.dataset for one in objects]


@pytest.mark.parametrize("offset", ["+0530", "-0800", "+0000"])
@pytest.mark.usefixtures("_machine_in")
def test_when_a_result_was_made_is_said_in_the_zone_of_the_original(
    model: object, answer: Callable[..., object], image: Callable[..., object], offset: str
) -> None:
    now = datetime.now(UTC)
    seen = set()
    for dataset in made(model, answer, image, offset):
        assert dataset.TimezoneOffsetFromUTC == offset
        for day, clock in PAIRS:
            if day in dataset:
                seen.add(day)
                text = f"{dataset[day].value}{str(dataset[clock].value)[:6]}{offset}"
                moment = datetime.strptime(text, "%Y%m%d%H%M%S%z")
                assert abs(moment - now) < timedelta(minutes=1), dataset.Modality
    assert seen == {day for day, _ in PAIRS}


@pytest.mark.parametrize("offset", ["CET", "+25:00", "0100", "+9900"])
def test_an_offset_that_is_none_is_not_carried_over(
    model: object, answer: Callable[..., object], image: Callable[..., object], offset: str
) -> None:
    for dataset in made(model, answer, image, offset):
        assert "TimezoneOffsetFromUTC" not in dataset
