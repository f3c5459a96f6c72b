# SPDX-License-Identifier: AGPL-3.0-or-later
"""Patient, study and UIDs: the result lands beside its original, and once only."""

from __future__ import annotations

import logging
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from inference.contract import Outcome
from plugin.results import ResultOptions, build, discretion, uids, validate
from tests.plugin.results.samples import SOURCES, dx_header


def reread(header: Dataset, character_set: str | list[str] | None, **raw: bytes) -> Dataset:
    """The header as it comes from a file, with raw bytes of any encoding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header.SpecificCharacterSet = character_set
    for keyword, value in raw.items():
        setattr(header, keyword, "X" * len(value))
    header.ensure_file_meta()
    header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header.save_as(buffer, enforce_file_format=True)
    data = buffer.getvalue()
    for value in raw.values():
        padded = value + b" " * (len(value) % 2)
        data = data.replace(b"X" * len(value) + b" " * (len(value) % 2), padded, 1)
    return pydicom.dcmread(BytesIO(data))


def stored(one) -> Dataset:
    return pydicom.dcmread(BytesIO(one.to_bytes()))


@pytest.mark.parametrize(
    ("character_set", "name", "encoding"),
    [
        ("ISO_IR 100", "Müller^Jörg", "latin-1"),
        ("ISO_IR 144", "Иванов^Пётр", "iso8859-5"),
        ("ISO_IR 192", "王^小东", "utf-8"),
        ("GB18030", "王^小东", "gb18030"),
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ", "shift_jis"),
    ],
)
def test_names_in_any_character_set_come_through(objects, character_set, name, encoding):
    header = reread(dx_header(), character_set, PatientName=name.encode(encoding))
    for one in objects(header).values():
        read = stored(one)
        assert read.SpecificCharacterSet == "ISO_IR 192"
        assert str(read.PatientName) == name


@pytest.mark.parametrize(
    "character_set", ["ISO_IR 999", "latin-1", "", None, ["ISO_IR 6", "nonsense"]]
)
def test_an_unknown_character_set_does_not_stop_a_result(objects, character_set):
    header = reread(dx_header(), character_set, PatientName=b"M\xfcller^J")
    for one in objects(header).values():
        assert "ller^J" in str(stored(one).PatientName)
        assert validate(one) == []


def test_bytes_that_are_not_of_their_character_set_do_not_stop_a_result(objects):
    header = reread(dx_header(), "ISO_IR 192", PatientName=b"M\xfc\xffller^J")
    built = objects(header)
    assert "ller^J" in str(stored(built["SR"]).PatientName)
    assert validate(built["SR"]) == []


def test_patient_and_study_are_those_of_the_original(objects, dx):
    dx.PatientAge = "056Y"
    dx.StudyDescription = "Chest pa"
    dx.IssuerOfPatientID = "HOSPITAL"
    for one in objects(dx).values():
        read = stored(one)
        for keyword in (
            "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex",
            "PatientAge", "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID",
            "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
        ):  # fmt: skip
            assert read[keyword].value == dx[keyword].value


def test_type_2_attributes_are_there_even_if_the_original_has_none(objects):
    for one in objects(SOURCES["bare header"]()).values():
        read = stored(one)
        for keyword in (
            "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate",
            "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
        ):  # fmt: skip
            assert not read[keyword].value
        assert "IssuerOfPatientID" not in read


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("AccessionNumber", "ACC/2026-03-04/000000000000000017"),
        ("StudyID", "a study identifier that is too long"),
        ("PatientID", "P" * 80),
        ("StudyInstanceUID", "1.02.3"),
    ],
)
def test_numbers_by_which_others_find_the_study_go_over_as_they_are(objects, keyword, value):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = dx_header()
        setattr(header, keyword, value)
        for one in objects(header).values():
            assert stored(one)[keyword].value == value
            assert validate(one) == []


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientBirthDate", "2.1.1970"),
        ("StudyDate", "20261399"),
        ("StudyTime", "25 o'clock"),
        ("PatientSex", "female"),
    ],
)
def test_invalid_values_of_other_attributes_become_empty(objects, keyword, value):
    header = dx_header()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        setattr(header, keyword, value)
        for one in objects(header).values():
            assert not stored(one)[keyword].value
            assert validate(one) == []


def test_building_and_checking_say_nothing_of_the_patient(objects, caplog, recwarn):
    header = SOURCES["CT, illegal UIDs"]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header.PatientName = "Secret^Name"
        header.PatientBirthDate = "SECRET"
        header.PatientID = "SECRET-ID" * 9
    recwarn.clear()
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        for one in objects(header).values():
            validate(one)
    said = caplog.text + " ".join(str(warning.message) for warning in recwarn)
    assert "secret" not in said.lower()
    assert header.SOPInstanceUID not in said


def test_a_repeated_run_has_the_same_uids(objects, header):
    first, second = objects(header), objects(header)
    assert first.keys() == second.keys()
    for kind, one in first.items():
        other = second[kind]
        assert one.sop_instance_uid == other.sop_instance_uid
        assert one.dataset.SeriesInstanceUID == other.dataset.SeriesInstanceUID


def test_every_uid_inside_is_repeated_too(objects, dx):
    def all_uids(one):
        return [str(element.value) for element in one.dataset.iterall() if element.VR == "UI"]

    first, second = objects(dx), objects(dx)
    for kind, one in first.items():
        assert all_uids(one) == all_uids(second[kind])


def test_another_source_model_or_configuration_has_other_uids(model, answer, image):
    def names(header=None, digest="ab" * 32, configuration="", frame=1):
        header = header or dx_header()
        header.NumberOfFrames = 9
        header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
        analysis = answer(Outcome.FINDINGS, digest=digest)
        options = ResultOptions(configuration_digest=configuration)
        found = build(header, model, analysis, image(300, 200, frame=frame), options)
        return frozenset(one.sop_instance_uid for one in found)

    other_source = dx_header()
    other_source.SOPInstanceUID = "1.2.3.4"
    variants = [
        names(),
        names(header=other_source),
        names(digest="cd" * 32),
        names(configuration="ef" * 32),
        names(frame=2),
    ]
    assert len(frozenset.union(*variants)) == 3 * len(variants)


def test_segmentations_of_a_study_share_a_series_and_reports_do_not(objects):
    one, other = dx_header(), dx_header()
    other.SOPInstanceUID = "1.2.3.4"
    first, second = objects(one), objects(other)
    same = {
        kind: first[kind].dataset.SeriesInstanceUID == second[kind].dataset.SeriesInstanceUID
        for kind in first
    }
    assert same == {"SR": False, "SEG": True, "PR": True}


def test_the_device_changes_with_the_weights(dx, model, answer, image):
    def device(digest):
        analysis = answer(Outcome.FINDINGS, digest=digest)
        found = build(dx, model, analysis, image(300, 200), ResultOptions())
        return {one.dataset.ContributingEquipmentSequence[0].DeviceUID for one in found}

    first, second = device("ab" * 32), device("cd" * 32)
    assert len(first) == len(second) == 1
    assert first != second


@given(parts=st.lists(st.one_of(st.text(), st.integers()), max_size=6))
def test_a_derived_uid_is_legal_and_a_version_8_uuid(parts):
    made = pydicom.uid.UID(uids.derive(*parts))
    assert made.is_valid
    number = int(made.removeprefix("2.25."))
    assert number >> 76 & 0xF == 8
    assert number >> 62 & 0x3 == 2


@given(st.lists(st.text(min_size=1), min_size=2, max_size=4, unique=True))
def test_parts_are_not_run_together(parts):
    assert uids.derive(*parts) != uids.derive("".join(parts))
    assert uids.derive(*parts) != uids.derive(*reversed(parts))


def test_threads_that_overlap_leave_pydicoms_checks_as_they_were(objects, dx):
    before = pydicom.config.settings.writing_validation_mode
    built = list(objects(dx).values())
    entered, leave = threading.Event(), threading.Event()

    def stay():
        with discretion.values_unquoted():
            entered.set()
            leave.wait(10)

    with ThreadPoolExecutor(4) as pool:
        waiting = pool.submit(stay)
        entered.wait(10)
        list(pool.map(validate, built))
        assert pydicom.config.settings.writing_validation_mode == pydicom.config.IGNORE
        leave.set()
        waiting.result()
    assert pydicom.config.settings.writing_validation_mode == before
