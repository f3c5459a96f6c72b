# SPDX-License-Identifier: Apache-2.0
"""Site rules for rare values, and how far the patients of a set are alike."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian
from typer.testing import CliRunner

from deid import Deidentifier, Option, Policy
from deid.anonymity import anonymity
from deid.commands import app
from deid.elements import Element
from deid.errors import OptionConflictError
from deid.outliers import Beyond, OutlierRule
from deid.profile_files import ProfileFileError, load
from deid.source_files import sources
from tests.deid.made_scans import KEY, ROOT, ct, file_of

sidelight = typer.Typer()
sidelight.add_typer(app, name="deid")
sidelight.command("other")(lambda: None)

PROFILE = """
options = ["patient-characteristics"]

[[outlier]]
attribute = "PatientAge"
lowest = 18
highest = 80

[[outlier]]
attribute = "PatientWeight"
lowest = 40
highest = 149.5
beyond = "blank"

[[outlier]]
attribute = "PatientSize"
highest = 2
"""


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    file = tmp_path / "profile.toml"
    file.write_text(PROFILE)
    return file


@pytest.mark.parametrize(
    ("age", "made"),
    [
        ("081Y", "080Y"),
        ("080Y", "080Y"),
        ("018Y", "018Y"),
        ("017Y", "018Y"),
        ("215M", "018Y"),
        ("216M", "216M"),
        ("003D", "018Y"),
        ("", ""),
    ],
)
def test_ages_beyond_the_bounds_become_the_bound(profile: Path, age: str, made: str) -> None:
    options, policy = load(str(profile))
    scan = Deidentifier(KEY, options, policy).deidentify(file_of(ct(PatientAge=age)))
    assert (scan.dataset.PatientAge or "") == made


@pytest.mark.parametrize(
    ("weight", "made"), [("149.5", 149.5), ("149.6", None), ("39", None), ("40.0", 40), ("", None)]
)
def test_weights_beyond_the_bounds_become_empty(
    profile: Path, weight: str, made: float | None
) -> None:
    options, policy = load(str(profile))
    scan = Deidentifier(KEY, options, policy).deidentify(file_of(ct(PatientWeight=weight)))
    assert scan.dataset.PatientWeight == made


def test_a_rule_holds_at_any_depth_and_the_report_names_it() -> None:
    item = Dataset()
    item.PatientSize = "2.31"
    rule = OutlierRule.of("PatientSize", None, 2, Beyond.CAP)
    dataset = ct(PatientSize="2.31", ReferencedStudySequence=Sequence([item]))
    options = (Option.PATIENT_CHARACTERISTICS, Option.RETAIN_UIDS)

    scan = Deidentifier(KEY, options, Policy(outliers=(rule,))).deidentify(file_of(dataset))

    assert b"2.31" not in scan.to_bytes()
    (record,) = [record for record in scan.report.elements if record.path == "00101020"]
    assert (record.rule, str(record.action)) == ("site rule for outliers", "cleaned")


def test_what_no_option_keeps_stays_away(profile: Path) -> None:
    _, policy = load(str(profile))
    scan = Deidentifier(KEY, (), policy).deidentify(file_of(ct(PatientWeight="200")))
    assert not scan.dataset.get("PatientWeight")


@pytest.mark.parametrize("text", [b"heavy", b"nan", b"inf", b"1_0", b"200kg", b"1e999"])
def test_what_is_no_number_is_within_no_bounds(text: bytes) -> None:
    rule = OutlierRule.of("PatientWeight", None, 150, Beyond.CAP)
    assert rule.applied(Element(rule.tag, "DS", text)).value == b""


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4),
    bounds=st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)).map(sorted),
    beyond=st.sampled_from(Beyond),
)
def test_no_value_is_left_beyond_the_bounds(
    values: list[float], bounds: list[int], beyond: Beyond
) -> None:
    rule = OutlierRule.of("PatientWeight", *bounds, beyond)
    texts = [f"{value:.8g}" for value in values]
    made = bytes(rule.applied(Element(rule.tag, "DS", "\\".join(texts).encode())).value).decode()
    for text, left in zip(texts, made.split("\\"), strict=bool(made)):
        within = bounds[0] <= float(text) <= bounds[1]
        assert not left or bounds[0] <= float(left) <= bounds[1]
        assert (left == text) == within


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('attribute = "PatientName"\nhighest = 3', "AS, DS, IS"),
        ('attribute = "Weight"\nhighest = 3', "AS, DS, IS"),
        ('attribute = "PatientWeight"', "lowest, highest"),
        ('attribute = "PatientWeight"\nlowest = 3\nhighest = 2', "above"),
        ('attribute = "PatientAge"\nhighest = 80.5', "whole years"),
        ('attribute = "PatientAge"\nhighest = 80\nbeyond = "x"', "wrong form"),
        ('attribute = "PatientAge"\nhighest = "x"', "wrong form"),
    ],
)
def test_a_wrong_rule_is_explained(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "profile.toml"
    file.write_text("[[outlier]]\n" + line)
    with pytest.raises((OptionConflictError, ProfileFileError), match=words):
        load(str(file))


def patients(folder: Path, *known: tuple[str, str]) -> Path:
    folder.mkdir()
    for at, (sex, age) in enumerate(known):
        dataset = ct(
            PatientID=f"P{at}", PatientSex=sex, PatientAge=age, SOPInstanceUID=f"{ROOT}.3.{at}"
        )
        (folder / f"{at}.dcm").write_bytes(file_of(dataset))
    (folder / "notes.txt").write_text("no DICOM")
    return folder


def test_the_smallest_class_of_patients_is_k(tmp_path: Path) -> None:
    folder = patients(tmp_path / "set", *[("M", "050Y")] * 3, *[("F", "050Y")] * 2, ("F", "061Y"))

    report = anonymity(sources(folder), 3, ("PatientSex", "PatientAge"))

    assert (report.patients, report.k) == (6, 1)
    assert report.classes == {1: 1, 2: 1, 3: 1}
    assert report.rare == ("P3", "P4", "P5")
    assert report.alone == {"PatientSex": 0, "PatientAge": 1}


def test_files_of_one_patient_are_one_patient(tmp_path: Path) -> None:
    folder = patients(tmp_path / "set", ("M", "050Y"), ("M", "050Y"))
    second = ct(PatientID="P0", PatientSex="M", PatientAge="051Y", SOPInstanceUID=f"{ROOT}.4")
    (folder / "more.dcm").write_bytes(file_of(second))

    report = anonymity(sources(folder), 2, ("PatientSex", "PatientAge"))

    assert (report.patients, report.k, report.rare) == (2, 1, ("P0", "P1"))


def test_an_empty_set_has_no_class(tmp_path: Path) -> None:
    report = anonymity(sources(patients(tmp_path / "set")), 2)
    assert (report.patients, report.k, report.rare) == (0, 0, ())


def test_the_command_says_k_and_its_status_whether_it_is_enough(
    tmp_path: Path, profile: Path
) -> None:
    source = patients(tmp_path / "in", *[("M", "085Y")] * 2, *[("M", "088Y")] * 3)
    out, report = tmp_path / "out", tmp_path / "k.json"

    def k_with(chosen: str) -> tuple[int, int]:
        key = ("--key-file", str(tmp_path / "key"), "--profile", chosen)
        option = ("--option", "patient-characteristics")
        made = CliRunner().invoke(sidelight, ["deid", str(source), str(out), *key, *option])
        assert made.exit_code == 0, made.output
        told = CliRunner().invoke(
            sidelight, ["deid", "anonymity", str(out), "--report", str(report)]
        )
        assert "PatientSex" in told.output
        return told.exit_code, json.loads(report.read_text())["k"]

    assert k_with("basic") == (1, 2)
    assert k_with(str(profile)) == (0, 5)
    assert all(pydicom.dcmread(file).PatientAge == "080Y" for file in out.rglob("*.dcm"))


def test_an_unknown_attribute_is_explained(tmp_path: Path) -> None:
    with pytest.raises(OptionConflictError, match="keyword"):
        anonymity(sources(tmp_path), 2, ("Sex",))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize(
    ("index", "beyond", "made"),
    [(71.5, Beyond.CAP, 40.0), (12.0, Beyond.CAP, 15.0), (30.5, Beyond.CAP, 30.5),
     (71.5, Beyond.BLANK, None), (float("nan"), Beyond.CAP, None)],
)  # fmt: skip
def test_a_body_mass_index_beyond_the_bounds_does_not_tell_a_weight(
    syntax: str, index: float, beyond: Beyond, made: float | None
) -> None:
    rule = OutlierRule.of("PatientBodyMassIndex", 15, 40, beyond)
    policy = Policy(outliers=(rule,))
    content = file_of(ct(PatientBodyMassIndex=index), syntax)
    scan = Deidentifier(KEY, (Option.PATIENT_CHARACTERISTICS,), policy).deidentify(content)
    assert scan.dataset.get("PatientBodyMassIndex") == made


def test_the_body_mass_index_goes_with_size_and_weight() -> None:
    content = file_of(ct(PatientBodyMassIndex=30.5, PatientWeight="90", PatientSize="1.7"))
    kept = {"PatientBodyMassIndex", "PatientWeight", "PatientSize"}
    for options, left in (((), set()), ((Option.PATIENT_CHARACTERISTICS,), kept)):
        scan = Deidentifier(KEY, options).deidentify(content)
        assert {keyword for keyword in kept if keyword in scan.dataset} == left
