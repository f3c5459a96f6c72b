# SPDX-License-Identifier: Apache-2.0
"""A person decides about single values wherever in a data set they stand."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from deid import Deidentifier, Extensions, Option
from deid.corrected_tags import CorrectedTagsStage
from deid.corrections import Corrections
from deid.errors import CorrectionError
from deid.reading import read
from deid.report import ElementRecord
from deid.tag_paths import parsed_path, shown_path
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of

REQUEST = "(0040,0275)[{}].(0040,0007)"
TEXT = "Zwerchfellhochstand links"
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
SAFE = (*PIPELINE, Option.SAFE_PRIVATE)


def item(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def requested(*descriptions: str) -> Dataset:
    items = [item(ScheduledProcedureStepDescription=text) for text in descriptions]
    return ct(RequestAttributesSequence=Sequence(items))


def correct(
    dataset: Dataset, options: tuple[Option, ...] = PIPELINE, **paths: list[str]
) -> tuple[Dataset, dict[str, ElementRecord]]:
    content = file_of(dataset)
    header = read(content).header
    by_uid = {
        str(dataset.SOPInstanceUID): Corrections(
            redacted=frozenset(parsed_path(one, header) for one in paths.get("redact", [])),
            kept=frozenset(parsed_path(one, header) for one in paths.get("keep", [])),
        )
    }
    extensions = Extensions(after=(CorrectedTagsStage(by_uid),))
    made = Deidentifier(KEY, options, extensions=extensions).deidentify(content)
    records = {one.path: one for one in made.report.elements}
    return dcmread(BytesIO(made.to_bytes())), records


def test_one_value_of_one_item_is_redacted_and_its_siblings_stay() -> None:
    dataset = requested("chest lateral", "chest frontal")
    made, records = correct(dataset, redact=[REQUEST.format(2)])
    first, second = made.RequestAttributesSequence
    assert first.ScheduledProcedureStepDescription == "chest lateral"
    assert "ScheduledProcedureStepDescription" not in second
    record = records["00400275[2].00400007"]
    assert (record.rule, record.action) == ("a reviewer's decision", "removed")
    assert records["00400275[1].00400007"].action == "kept"


def test_one_value_of_one_item_keeps_its_original() -> None:
    dataset = requested("chest lateral", TEXT)
    plain, _ = correct(dataset)
    assert plain.RequestAttributesSequence[1].ScheduledProcedureStepDescription != TEXT
    made, records = correct(dataset, keep=[REQUEST.format(2)])
    assert made.RequestAttributesSequence[1].ScheduledProcedureStepDescription == TEXT
    assert made.RequestAttributesSequence[0] == plain.RequestAttributesSequence[0]
    assert records["00400275[2].00400007"].action == "kept"


def test_a_sequence_of_which_nothing_stayed_comes_back_with_the_value_that_is_kept() -> None:
    dataset = requested("Lumorix", "Lumorix tandro")
    plain, _ = correct(dataset)
    assert "RequestAttributesSequence" not in plain
    made, records = correct(dataset, keep=[REQUEST.format(2)])
    first, second = made.RequestAttributesSequence
    assert len(first) == 0
    assert second.ScheduledProcedureStepDescription == "Lumorix tandro"
    assert records["00400275"].action == "items treated one by one"


def test_a_dummy_item_gives_way_to_the_items_that_came() -> None:
    paths = [item(OpticalPathDescription="Lumorix"), item(OpticalPathDescription="Tandro")]
    dataset = ct(SOPClassUID=WHOLE_SLIDE, OpticalPathSequence=Sequence(paths))
    plain, _ = correct(dataset)
    assert len(plain.OpticalPathSequence) == 1
    made, _ = correct(dataset, keep=["(0048,0105)[2].(0048,0107)"])
    first, second = made.OpticalPathSequence
    assert (len(first), second.OpticalPathDescription) == (0, "Tandro")


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_values_in_sequences_are_corrected_in_every_encoding(syntax: str) -> None:
    dataset = requested("chest lateral", TEXT)
    dataset.RequestAttributesSequence[0].ScheduledProcedureStepStartDate = "20260102"
    by_uid = {
        str(dataset.SOPInstanceUID): Corrections(
            redacted=frozenset({parsed_path(REQUEST.format(1))}),
            kept=frozenset({parsed_path(REQUEST.format(2))}),
        )
    }
    extensions = Extensions(after=(CorrectedTagsStage(by_uid),))
    scan = Deidentifier(KEY, PIPELINE, extensions=extensions).deidentify(file_of(dataset, syntax))
    made = dcmread(BytesIO(scan.to_bytes()))
    assert "ScheduledProcedureStepDescription" not in made.RequestAttributesSequence[0]
    assert made.RequestAttributesSequence[0].ScheduledProcedureStepStartDate != ""
    assert made.RequestAttributesSequence[1].ScheduledProcedureStepDescription == TEXT


def test_a_name_in_a_sequence_can_not_be_kept_in_any_character_set() -> None:
    dataset = requested("gesehen von Müller")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Mueller^Ann"
    dataset.OperatorsName = "Muller^Bo"
    within = dataset.RequestAttributesSequence[0]
    within.SpecificCharacterSet = "ISO_IR 100"
    with pytest.raises(CorrectionError, match="name or number of the same header"):
        correct(dataset, keep=[REQUEST.format(1)])


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("(0040,0275)[1].(0040,0009)", "can identify"),
        ("(0040,0275)[3].(0040,0007)", "not there"),
        ("(0040,0275)[1].(0040,0008)", "not there"),
        ("(0010,1002)[1].(0010,0020)", "can identify"),
        ("(0040,1011)[1].(0008,0104)", "as a whole"),
    ],
)
def test_what_can_not_be_kept_in_a_sequence_says_why(path: str, why: str) -> None:
    dataset = requested("chest", "chest")
    dataset.RequestAttributesSequence[0].ScheduledProcedureStepID = "SPS-1"
    dataset.OtherPatientIDsSequence = Sequence([item(PatientID="P-1")])
    dataset.IntendedRecipientsOfResultsIdentificationSequence = Sequence(
        [item(CodeValue="1", CodingSchemeDesignator="L", CodeMeaning="Ward")]
    )
    with pytest.raises(CorrectionError, match=why):
        correct(dataset, keep=[path])


def test_what_says_what_a_content_item_is_can_not_be_redacted() -> None:
    text = item(RelationshipType="CONTAINS", ValueType="TEXT", TextValue="chest")
    dataset = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", ContentSequence=Sequence([text]))
    options = (*PIPELINE, Option.CLEAN_STRUCTURED_CONTENT)
    with pytest.raises(CorrectionError, match="can't be redacted"):
        correct(dataset, options, redact=["(0040,A730)[1].(0040,A040)"])
    made, _ = correct(dataset, options, redact=["(0040,A730)[1].(0040,A160)"])
    assert made.ContentSequence[0].ValueType == "TEXT"
    assert made.ContentSequence[0].get("TextValue") in (None, "", "REMOVED")


def test_a_private_element_in_an_item_is_named_by_its_creator_wherever_its_block_lies() -> None:
    dataset = requested("chest")
    within = dataset.RequestAttributesSequence[0]
    within.add_new(0x00190042, "LO", "SIEMENS MR HEADER")
    within.add_new(0x0019420C, "IS", "700")
    within.add_new(0x0019420D, "CS", "DIRECTIONAL")
    path = '(0040,0275)[1].(0019,"SIEMENS MR HEADER",0C)'
    plain, _ = correct(dataset, SAFE)
    assert (0x0019, 0x420C) in plain.RequestAttributesSequence[0]
    made, records = correct(dataset, SAFE, redact=[path])
    left = made.RequestAttributesSequence[0]
    assert (0x0019, 0x420C) not in left
    assert left[0x0019420D].value == "DIRECTIONAL"
    assert records["00400275[1].0019420C"].action == "removed"
    header = read(file_of(dataset)).header
    assert shown_path(parsed_path("00400275[1].0019420C"), header) == path


@pytest.mark.parametrize(
    "text",
    ["", "0040027", "(0040,0275)", "(0040,0275)[0].(0040,0007)", "00400275[1]", "0040027500400007",
     "00400275[1].", '(0019,"NOBODY",0C)', "00400275[1].00400007\n", "00400275.00400007",
     ".".join(["00400275[1]"] * 40 + ["00400007"]), '(0019,"' + "A" * 70 + '",0C)'],
)  # fmt: skip
def test_what_is_no_path_is_refused(text: str) -> None:
    header = read(file_of(requested("chest"))).header
    if text == "(0040,0275)":
        assert str(parsed_path(text)) == "00400275"
        return
    with pytest.raises(CorrectionError):
        parsed_path(text, header)


def test_a_path_reads_as_it_is_written() -> None:
    for text in ("00400275[12].0040A730[1].00080104", "00081030"):
        assert str(parsed_path(text)) == text
        assert str(parsed_path(shown_path(parsed_path(text), read(file_of(ct())).header))) == text
