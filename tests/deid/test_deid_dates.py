# SPDX-License-Identifier: Apache-2.0
"""One shift per patient, in whole days; intervals and order exact."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid import Deidentifier, Option, OptionConflictError, Policy
from deid.dates import kept_time, kept_zone, shifted_date, shifted_date_time
from deid.pseudonyms import PatientIdentity, Pseudonyms
from tests.deid.made_scans import KEY, PIPELINE, ct

DAYS = st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 12, 31))
SHIFTS = st.integers(min_value=-36500, max_value=36500)
IDENTITIES = st.builds(PatientIdentity, st.text(max_size=8), st.text(min_size=1, max_size=16))


def as_date(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


@given(DAYS, DAYS, SHIFTS)
def test_intervals_between_dates_stay_exact(one: date, other: date, days: int) -> None:
    moved = [as_date(shifted_date(day.strftime("%Y%m%d"), days)) for day in (one, other)]

    assert moved[1] - moved[0] == other - one
    assert moved[0] - one == timedelta(days)


@given(DAYS, st.times(), SHIFTS)
def test_the_time_of_day_of_a_date_time_stays_exact(day: date, moment: time, days: int) -> None:
    rest = moment.strftime("%H%M%S.%f") + "+0100"

    moved = shifted_date_time(day.strftime("%Y%m%d") + rest, days)

    assert moved == (day + timedelta(days)).strftime("%Y%m%d") + rest


@given(st.lists(DAYS, min_size=2, max_size=2), st.sampled_from(["%Y", "%Y%m", "%Y%m%d"]), SHIFTS)
def test_the_order_of_partial_dates_is_kept(days: list[date], form: str, shift: int) -> None:
    first, last = sorted(days)

    moved = [shifted_date_time(day.strftime(form), shift) for day in (first, last)]

    assert moved[0] <= moved[1]
    assert len(moved[0]) == len(first.strftime(form))


@given(IDENTITIES, st.integers(-400, 400), st.integers(0, 800))
def test_a_shift_is_in_its_range_and_never_zero(patient, first: int, length: int) -> None:
    last = first + length
    if first == last == 0:
        return
    days = Pseudonyms(KEY, (first, last)).date_shift(patient)

    assert first <= days <= last
    assert days != 0


def test_a_small_range_around_zero_is_used_whole() -> None:
    pseudonyms = Pseudonyms(KEY, (-1, 2))

    found = {pseudonyms.date_shift(PatientIdentity("", str(number))) for number in range(200)}

    assert found == {-1, 1, 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240229", "20240309"),
        ("2024.02.29", "2024.03.09"),
        ("202402", "202402"),
        ("2024", "2024"),
        ("20240230", None),
        ("2024-02-29", None),
        ("29022024", None),
        ("Smith", None),
        ("00010101x", None),
    ],
)
def test_a_date_that_is_none_is_not_handed_on(text: str, expected: str | None) -> None:
    assert shifted_date(text, 9) == expected


@pytest.mark.parametrize("text", ["20240229101112.123456", "202402291011", "20240229", "2024+0100"])
def test_date_times_of_any_precision_are_shifted(text: str) -> None:
    assert shifted_date_time(text, 366) != text
    assert len(shifted_date_time(text, 366)) == len(text)


@pytest.mark.parametrize("text", ["20240229 1011", "2024022925", "20240229101112.1234567", "Smith"])
def test_a_date_time_that_is_none_is_not_handed_on(text: str) -> None:
    assert shifted_date_time(text, 1) is None


def test_times_and_zones_are_kept_if_they_are_some() -> None:
    assert [kept_time(t) for t in ("10", "1011", "101112.5", "10:11:12")] == [
        "10", "1011", "101112.5", "10:11:12"
    ]  # fmt: skip
    assert [kept_time(t) for t in ("2500", "noon", "10-11", "101112.1234567")] == [None] * 4
    assert kept_zone("+0530") == "+0530"
    assert kept_zone("Delhi") is None


def test_a_shift_before_the_first_year_is_not_handed_on() -> None:
    assert shifted_date("00010101", -1) is None


def test_all_dates_of_a_patient_move_alike_in_every_study_and_process() -> None:
    first = ct(StudyDate="20240110", AcquisitionDateTime="20240111083000")
    second = ct(StudyInstanceUID="1.2.3", StudyDate="20240210")

    one = Deidentifier(KEY, PIPELINE).deidentify(first).dataset
    other = Deidentifier(KEY, PIPELINE).deidentify(second).dataset

    moved = as_date(one.StudyDate)
    assert as_date(other.StudyDate) - moved == timedelta(31)
    assert one.AcquisitionDateTime == (moved + timedelta(1)).strftime("%Y%m%d") + "083000"
    assert one.StudyDate != "20240110"


def test_what_was_done_to_dates_is_said() -> None:
    scan = ct(StudyDate="20240110", SeriesTime="101112", TimezoneOffsetFromUTC="+0100")

    strict, modified, full = (
        Deidentifier(KEY, options).deidentify(scan).dataset
        for options in ((), (Option.MODIFIED_DATES,), (Option.FULL_DATES,))
    )

    said = [d.LongitudinalTemporalInformationModified for d in (strict, modified, full)]
    assert said == ["REMOVED", "MODIFIED", "UNMODIFIED"]
    assert strict.StudyDate == ""
    assert "SeriesTime" not in strict
    assert modified.SeriesTime == "101112"
    assert modified.TimezoneOffsetFromUTC == "+0100"
    assert full.StudyDate == "20240110"


def test_a_birth_date_is_emptied_under_modified_dates_too() -> None:
    dataset = Deidentifier(KEY, PIPELINE).deidentify(ct(PatientBirthDate="19370211")).dataset

    assert dataset.PatientBirthDate == ""


def test_contradicting_options_and_an_empty_range_are_refused() -> None:
    with pytest.raises(OptionConflictError):
        Deidentifier(KEY, (Option.FULL_DATES, Option.MODIFIED_DATES))
    with pytest.raises(OptionConflictError):
        Policy(date_shift_days=(0, 0))
    with pytest.raises(OptionConflictError):
        Policy(date_shift_days=(5, 4))
