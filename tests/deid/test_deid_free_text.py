# SPDX-License-Identifier: Apache-2.0
"""Free text of a header, read by the detectors."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from deid import DeidentificationKey, Deidentifier, Option, Policy
from deid.policy import FreeText
from deid.profile_files import ProfileFileError, load
from tests.deid.made_scans import ct, file_of

KEY = DeidentificationKey(bytes(range(32)))
OPTIONS = (Option.CLEAN_DESCRIPTORS, Option.MODIFIED_DATES, Option.CLEAN_STRUCTURED_CONTENT)
NARRATIVE = (
    "Mrs. Quillfeather, seen 03/15/2024 by Dr. Tamsin Oakhollow: no pneumothorax, "
    "small nodule in the left upper lobe, MRN 4471-993."
)


def scan() -> Dataset:
    dataset = ct()
    dataset.PatientName = "Quillfeather^Ottoline"
    dataset.PatientID = "4471993"
    dataset.StudyDate = "20240315"
    dataset.ImageComments = NARRATIVE
    dataset.StudyDescription = "CT CHEST follow-up OTTOLINE"
    return dataset


def cleaned(dataset: Dataset, how: FreeText = FreeText.DETECTED) -> Dataset:
    made = Deidentifier(KEY, OPTIONS, Policy(free_text=how)).deidentify(file_of(dataset))
    return dcmread(BytesIO(made.to_bytes()))


def test_a_sentence_stays_and_the_people_in_it_go() -> None:
    text = cleaned(scan()).ImageComments
    assert "no pneumothorax, small nodule in the left upper lobe" in text
    for told in ("Quillfeather", "Tamsin", "Oakhollow", "2024", "4471", "993"):
        assert told not in text
    assert "%PATIENT NAME%" in text


def test_dates_in_text_are_shifted_as_those_of_the_header() -> None:
    made = cleaned(scan())
    shifted = made.StudyDate
    assert f"{shifted[4:6]}/{shifted[6:]}/{shifted[:4]}" in made.ImageComments


def test_a_date_of_birth_is_not_shifted_in_text_but_taken_out() -> None:
    scan_ = scan()
    scan_.PatientBirthDate = "19310412"
    scan_.PatientComments = "Seen at 12.04.1931 hours, prior 12.05.2019"
    assert cleaned(scan_).PatientComments.startswith("Seen at %DATE% hours, prior ")
    scan_.PatientBirthDate = ""
    scan_.PatientComments = "Geb. 12.04.1931. DOB: 4/12/1931. Née le 12/04/1931"
    assert cleaned(scan_).PatientComments == "Geb. %DATE%. DOB: %DATE%. Nee le %DATE%"


def test_settings_that_look_like_years_stay() -> None:
    scan_ = scan()
    for text in ("lossy JPEG 2000", "range -2048 to +2047", "matrix 2048"):
        scan_.ImageComments = text
        assert cleaned(scan_).ImageComments == text


def test_the_patients_own_number_has_the_stand_in_of_the_header() -> None:
    dataset = scan()
    dataset.ImageComments = "prior of 4471993 on file"
    made = cleaned(dataset)
    assert made.ImageComments == f"prior of {made.PatientID} on file"


def test_a_name_that_only_one_text_gives_away_is_found_in_the_others() -> None:
    dataset = scan()
    dataset.StudyDescription = "CHEST Brackenthwaite"
    dataset.ImageComments = "Referred by Dr. Brackenthwaite, thin slices"
    made = cleaned(dataset)
    assert "Brackenthwaite" not in made.StudyDescription
    assert made.StudyDescription.startswith("CHEST")


def test_a_value_never_grows_beyond_its_vr() -> None:
    dataset = scan()
    dataset.SeriesDescription = "Ottoline Quillfeather " * 2 + "axial lung"
    dataset.ProtocolName = "Quillfeather thorax routine, Dr. Tamsin Oakhollow, thin and soft"
    made = cleaned(dataset)
    assert max(len(made.SeriesDescription), len(made.ProtocolName)) <= 64


def test_words_of_a_medical_name_never_pass_though_the_detectors_know_them_as_medicine() -> None:
    dataset = scan()
    dataset.PatientName = "Short^Axis"
    dataset.ImageComments = "short axis views, good quality"
    assert "short" not in cleaned(dataset).ImageComments.lower()


def test_without_the_policy_only_listed_words_stay() -> None:
    made = cleaned(scan(), FreeText.LISTED)
    assert "%" not in made.get("ImageComments", "")
    assert "Oakhollow" not in str(made)


def test_each_header_is_read_with_its_own_names() -> None:
    deidentifier = Deidentifier(KEY, OPTIONS, Policy(free_text=FreeText.DETECTED))
    for name in ("Quillfeather^Ottoline", "Marchbanks^Percival"):
        dataset = scan()
        dataset.PatientName = name
        family = name.partition("^")[0]
        dataset.ImageComments = f"{family.upper()} with contrast"
        made = dcmread(BytesIO(deidentifier.deidentify(file_of(dataset)).to_bytes()))
        assert family.lower() not in made.ImageComments.lower()
        assert made.ImageComments.endswith("with contrast")


def test_a_profile_file_chooses_it(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('options = ["clean-descriptors"]\nfree_text = "detected"\n', encoding="utf-8")
    assert load(str(path)).policy.free_text is FreeText.DETECTED
    path.write_text('free_text = "everything"\n', encoding="utf-8")
    with pytest.raises(ProfileFileError):
        load(str(path))
