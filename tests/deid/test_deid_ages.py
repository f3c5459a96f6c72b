# SPDX-License-Identifier: Apache-2.0
"""What a structured report says of age and birth tells no more than the header does."""

from __future__ import annotations

import io

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from deid import Deidentifier, Option
from tests.deid.made_scans import KEY, ct, file_of

_REPORT = "1.2.840.10008.5.1.4.1.1.88.33"
_OPTIONS = (
    Option.CLEAN_STRUCTURED_CONTENT,
    Option.PATIENT_CHARACTERISTICS,
    Option.MODIFIED_DATES,
)


def coded(value: str, scheme: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, "Age"
    return code


def number(value: str, unit: str, **others: object) -> Dataset:
    measured = Dataset()
    measured.NumericValue = value
    measured.MeasurementUnitsCodeSequence = Sequence([coded(unit, "UCUM")])
    for keyword, other in others.items():
        setattr(measured, keyword, other)
    item = content("NUM", "121033", "DCM")
    item.MeasuredValueSequence = Sequence([measured])
    return item


def content(kind: str, concept: str, scheme: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", kind
    item.ConceptNameCodeSequence = Sequence([coded(concept, scheme)])
    return item


def left_of(
    *items: Dataset, options: tuple[Option, ...] = _OPTIONS, **header: object
) -> list[Dataset]:
    report = ct(SOPClassUID=_REPORT, Modality="SR", ContentSequence=Sequence(items), **header)
    made = Deidentifier(KEY, options).deidentify(file_of(report))
    return list(pydicom.dcmread(io.BytesIO(made.to_bytes())).ContentSequence)


@pytest.mark.parametrize(
    ("unit", "value", "left"),
    [
        ("a", "93", "90"),
        ("a", "90.5", "90"),
        ("a", "89", "89"),
        ("mo", "1120", "1080"),
        ("mo", "14", "14"),
        ("wk", "5000", "4696"),
        ("d", "33900", "32872"),
        ("d", "400", "400"),
        ("kg", "95", "95"),
        ("mm", "1200", "1200"),
    ],
)
def test_an_age_above_89_in_a_report_becomes_90_years(unit: str, value: str, left: str) -> None:
    (item,) = left_of(number(value, unit))
    assert str(item.MeasuredValueSequence[0].NumericValue) == left


def test_an_age_as_float_and_as_fraction_is_capped_too() -> None:
    exact = number("93", "a", FloatingPointValue=93.5)
    exact.MeasuredValueSequence[0].RationalNumeratorValue = 187
    exact.MeasuredValueSequence[0].RationalDenominatorValue = 2
    (item,) = left_of(exact)
    measured = item.MeasuredValueSequence[0]
    assert measured.FloatingPointValue == 90
    assert (measured.RationalNumeratorValue, measured.RationalDenominatorValue) == (90, 1)


def test_the_report_says_that_an_age_was_capped() -> None:
    report = ct(SOPClassUID=_REPORT, ContentSequence=Sequence([number("93", "a")]))
    made = Deidentifier(KEY, _OPTIONS).deidentify(file_of(report))
    (record,) = (one for one in made.report.elements if one.path.endswith("0040A30A"))
    assert (record.rule, record.action.value) == ("age above 89", "cleaned")


@pytest.mark.parametrize(
    ("concept", "scheme"), [("121031", "DCM"), ("21112-8", "LN"), ("184099003", "SCT")]
)
@pytest.mark.parametrize("dates", [Option.MODIFIED_DATES, Option.FULL_DATES])
def test_a_birth_date_in_a_report_is_not_even_shifted(
    concept: str, scheme: str, dates: Option
) -> None:
    item = content("DATE", concept, scheme)
    item.Date = "19310412"
    (left,) = left_of(item, options=(Option.CLEAN_STRUCTURED_CONTENT, dates))
    assert left.Date == "19000101"


@pytest.mark.parametrize("dates", [Option.MODIFIED_DATES, Option.FULL_DATES])
def test_the_birth_date_of_the_header_stays_in_no_other_attribute(dates: Option) -> None:
    item, moment = content("DATE", "121071", "DCM"), content("DATETIME", "121071", "DCM")
    item.Date, moment.DateTime = "19310412", "19310412083000"
    options = (Option.CLEAN_STRUCTURED_CONTENT, dates)
    day, time = left_of(
        item, moment, options=options, PatientBirthDate="19310412", StudyDate="20240229"
    )
    assert day.Date == "19000101"
    assert time.DateTime == "19000101000000"


def test_the_dates_of_a_newborn_stay() -> None:
    dates = {"PatientBirthDate": "20240229", "StudyDate": "20240229", "AcquisitionDate": "20240229"}
    made = Deidentifier(KEY, (Option.FULL_DATES,)).deidentify(file_of(ct(**dates))).dataset
    assert made.StudyDate == made.AcquisitionDate == "20240229"


@pytest.mark.parametrize(("age", "left"), [("9Y", "009Y"), ("22y", "022Y"), ("93Y", "090Y")])
def test_an_age_without_its_zeros_is_read(age: str, left: str) -> None:
    dataset = Deidentifier(KEY, _OPTIONS).deidentify(file_of(ct(PatientAge=age))).dataset
    assert dataset.PatientAge == left
