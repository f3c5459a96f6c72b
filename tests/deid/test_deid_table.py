# SPDX-License-Identifier: Apache-2.0
"""Table E.1-1 of PS3.15 is there whole, and what it says is done."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from deid import Deidentifier, Option
from deid.attribute_types import type_of
from deid.profile import resolved, row_of, table
from tests.deid import highdicom_tables
from tests.deid.made_scans import KEY, ROOT, ct, file_of

DATA = Path(__file__).parents[2] / "deid" / "data"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "ps315_e1-1.csv"
PLANTED = {
    "AE": "QZAEXW", "AS": "033Y", "CS": "QZCSXW", "DA": "19370211", "DT": "19370211101112",
    "TM": "101112", "UI": f"{ROOT}.99.1", "UR": "https://qz/xw", "IS": "48151623",
    "DS": "481516.23", "FD": 48151.623, "US": 4815, "SL": 48151623, "OB": b"QZOBXW",
    "UN": b"QZUNXW", "OW": b"QZOWXW",
}  # fmt: skip


TIME_ZONE = 0x00080201


def planted(tag: int, vr: str) -> DataElement:
    vr = vr.split(" ", 1)[0]
    if vr == "SQ":
        item = Dataset()
        item.PatientName = "QZSQXW"
        return DataElement(tag, "SQ", Sequence([item]))
    return DataElement(tag, vr, value_planted(tag, vr))


def value_planted(tag: int, vr: str) -> object:
    # Of all texts only the time zone has a form that it must have to stay.
    return "+0517" if tag == TIME_ZONE else PLANTED.get(vr.split(" ", 1)[0], "QZTXXW")


def rows() -> list[tuple[int, str, str]]:
    found = []
    for text, row in table().items():
        if "X" in text or text[:4] in ("0000", "0002", "0004", "FFFC"):
            continue
        try:
            vr = dictionary_VR(int(text, 16))
        except KeyError:
            vr = "SQ" if row.name.endswith("Sequence") else "LO"
        found.append((int(text, 16), vr, row.basic))
    return found


def treated(elements: list[DataElement], options: tuple[Option, ...] = ()) -> Dataset:
    dataset = ct()
    for element in elements:
        dataset[element.tag] = element
    return Deidentifier(KEY, options).deidentify(dataset).dataset


def is_planted(element: DataElement, vr: str) -> bool:
    if vr == "SQ":
        return any("QZSQXW" in str(item) for item in element.value)
    return str(element.value).strip("\0") == str(value_planted(int(element.tag), vr))


def test_the_table_has_all_655_rows_and_every_row_an_action() -> None:
    assert len(table()) == 655
    assert {row.basic for row in table().values()} == {
        "D", "Z", "X", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"
    }  # fmt: skip
    assert sum(len(row.options) for row in table().values()) > 500


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/data/ps315_e1-1.csv is not here")
def test_the_shipped_table_is_the_published_one() -> None:
    with SHARED.open() as published, (DATA / "ps315_e1-1.csv").open() as shipped:
        assert list(csv.DictReader(published)) == list(csv.DictReader(shipped))


def test_repeating_groups_have_their_rows() -> None:
    assert row_of(0x60023000) is row_of(0x601E3000) is not None
    assert row_of(0x50100020) is not None
    assert row_of(0x60020010) is None


def test_the_attribute_types_are_those_of_highdicom() -> None:
    assert highdicom_tables.attribute_types() == (DATA / "attribute_types.csv").read_text("utf-8")
    assert highdicom_tables.sop_class_modules() == (DATA / "sop_class_modules.csv").read_text(
        "utf-8"
    )


@pytest.mark.parametrize(
    ("action", "by_type"),
    [
        ("X/Z/D", {"3": "X", "2": "Z", "2C": "Z", "1": "D", "1C": "D", None: "D"}),
        ("X/Z", {"3": "X", "2": "Z", "1": "Z", None: "Z"}),
        ("X/D", {"3": "X", "2": "D", "1": "D"}),
        ("Z/D", {"3": "Z", "2": "Z", "1": "D"}),
        ("X/Z/U*", {"3": "X", "1": "U*", None: "U*"}),
        ("X", {"1": "X", "3": "X", None: "X"}),
    ],
)
def test_a_composite_action_means_the_strongest_that_leaves_a_valid_object(action, by_type) -> None:
    assert {kind: resolved(action, kind) for kind in by_type} == by_type


def test_the_type_of_an_attribute_depends_on_the_iod() -> None:
    ct_image, enhanced_ct = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"
    serial_number = 0x00181000

    assert type_of(serial_number, ct_image, None) == "3"
    assert type_of(serial_number, enhanced_ct, None) == "1"
    assert type_of(serial_number, "1.2.3.4.5", None) is None


@pytest.mark.parametrize("action", ["X", "Z", "D", "U"])
def test_every_row_of_the_strict_basic_profile_is_carried_out(action) -> None:
    chosen = [(tag, vr) for tag, vr, basic in rows() if basic == action]
    output = treated([planted(tag, vr) for tag, vr in chosen])

    wrong = []
    for tag, vr in chosen:
        element = output.get(tag)
        if action == "X":
            fine = element is None
        elif element is None or is_planted(element, vr):
            fine = False
        elif action == "U":
            fine = str(element.value).startswith("2.25.")
        else:
            fine = action == "Z" or not element.is_empty
        if not fine:
            wrong.append((f"{tag:08X}", vr, str(element)))
    assert len(chosen) > 40
    assert wrong == []


def test_every_composite_row_leaves_no_value() -> None:
    chosen = [(tag, vr) for tag, vr, basic in rows() if "/" in basic]
    output = treated([planted(tag, vr) for tag, vr in chosen])

    assert len(chosen) == 50
    left = [f"{tag:08X}" for tag, vr in chosen if tag in output and is_planted(output[tag], vr)]
    assert left == []


@pytest.mark.parametrize(
    "option",
    [
        Option.FULL_DATES,
        Option.PATIENT_CHARACTERISTICS,
        Option.DEVICE,
        Option.INSTITUTION,
        Option.RETAIN_UIDS,
    ],
)
def test_every_attribute_that_an_option_retains_stays(option) -> None:
    by_tag = {int(text, 16): row for text, row in table().items() if "X" not in text}
    chosen = [
        (tag, vr)
        for tag, vr, _ in rows()
        if by_tag[tag].options.get(option) == "K" and vr not in ("SQ", "OB or OW")
    ]
    output = treated([planted(tag, vr) for tag, vr in chosen], (option,))

    lost = [
        f"{tag:08X}" for tag, vr in chosen if tag not in output or not is_planted(output[tag], vr)
    ]
    # The National time stamp of a flow (OB) is no date in any of DICOM's forms.
    assert len(chosen) >= 5
    assert lost == []


def test_every_date_that_the_option_modifies_is_shifted_or_gone() -> None:
    by_tag = {int(text, 16): row for text, row in table().items() if "X" not in text}
    chosen = [
        (tag, vr)
        for tag, vr, _ in rows()
        if by_tag[tag].options.get(Option.MODIFIED_DATES) == "C" and vr in ("DA", "DT")
    ]
    output = treated([planted(tag, vr) for tag, vr in chosen], (Option.MODIFIED_DATES,))

    editions = {0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07}
    wrong = [
        f"{tag:08X}"
        for tag, vr in chosen
        if tag not in editions and (tag not in output or is_planted(output[tag], vr))
    ]
    assert len(chosen) > 90
    assert wrong == []


def test_every_text_that_the_option_cleans_keeps_its_anatomy_and_nothing_else() -> None:
    by_tag = {int(text, 16): row for text, row in table().items() if "X" not in text}
    chosen = [
        tag
        for tag, vr, _ in rows()
        if by_tag[tag].options.get(Option.CLEAN_DESCRIPTORS) == "C"
        and vr in ("LO", "SH", "ST", "LT", "UT", "UC")
    ]
    elements = [DataElement(tag, dictionary_VR(tag), "chest QZTXXW") for tag in chosen]
    output = treated(elements, (Option.CLEAN_DESCRIPTORS,))

    assert len(chosen) > 100
    assert {str(output[tag].value) for tag in chosen} == {"chest"}


@pytest.mark.parametrize("keyword", ["PatientWeight", "PatientSize"])
def test_a_retained_number_that_is_none_does_not_leave(keyword: str) -> None:
    content = file_of(ct(**{keyword: "12345678"}))
    deidentifier = Deidentifier(KEY, [Option.PATIENT_CHARACTERISTICS])
    assert b"12345678" in deidentifier.deidentify(content).to_bytes()
    named = content.replace(b"12345678", b"Doe Jane")
    assert b"Jane" not in deidentifier.deidentify(named).to_bytes()


@pytest.mark.parametrize("option", [Option.FULL_DATES, Option.MODIFIED_DATES])
def test_a_time_zone_that_is_none_does_not_leave(option: Option) -> None:
    content = file_of(ct(TimezoneOffsetFromUTC="+0100"))
    named = content.replace(b"+0100 ", b"J.Jane")
    assert named != content
    assert b"Jane" not in Deidentifier(KEY, [option]).deidentify(named).to_bytes()


def test_a_retired_point_of_a_treatment_plan_stays() -> None:
    """Beam Dose Specification Point: plans that were made with it are read with it."""
    beam, group = Dataset(), Dataset()
    beam.BeamDoseSpecificationPoint = [239.5, 239.5, -751.9]
    group.ReferencedBeamSequence = Sequence([beam])
    plan = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.481.5", FractionGroupSequence=Sequence([group]))
    made = Deidentifier(KEY).deidentify(plan).dataset
    kept = made.FractionGroupSequence[0].ReferencedBeamSequence[0]
    assert kept.BeamDoseSpecificationPoint == [239.5, 239.5, -751.9]
