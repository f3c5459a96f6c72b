# SPDX-License-Identifier: Apache-2.0
"""Names and numbers of a header don't pass in other guises, and what is none of them stays."""

from __future__ import annotations

import base64
import struct
from io import BytesIO

import pytest
from PIL import Image, ImageCms
from pydicom import Dataset, dcmread
from pydicom.dataelem import DataElement
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from deid import Deidentifier, Option
from deid.codes import is_standard_code
from deid.colour_profiles import cleaned_profile
from deid.errors import NestingTooDeepError, UnsupportedObjectError
from deid.reading import read
from tests.deid.made_scans import KEY, ct, file_of

PATIENT = {
    "PatientName": "Fenwick^Marigold=王^小東", "PatientID": "58204117",
    "PatientBirthDate": "19370412", "StudyDate": "20250131", "StudyTime": "143507",
    "SpecificCharacterSet": "ISO_IR 192",
}  # fmt: skip
LITTLE = "1.2.840.10008.1.2.1"
KEEPING = (Option.PATIENT_CHARACTERISTICS, Option.DEVICE, Option.INSTITUTION)


def left(options: tuple[Option, ...] = (), syntax: str = LITTLE, **attributes: object) -> Dataset:
    content = file_of(ct(**PATIENT | attributes), syntax)
    return dcmread(BytesIO(Deidentifier(KEY, options).deidentify(content).to_bytes()))


@pytest.mark.parametrize(
    "text",
    ["JFENWICK", "fenwick2", "v_Marigold", "FenwickMarigold", "王小東", "v小東",
     base64.b64encode(b"Dr. Fenwick").decode(), base64.b64encode(b"x Fenwick").decode().rstrip("="),
     b"Fenwick".hex(), "46 65 6E 77 69 63 6B", "58-204-117", "1937-04-12", "12.04.1937",
     "1.2.3.4.5.6"],
)  # fmt: skip
def test_a_name_or_number_in_another_guise_takes_its_technical_text_along(text: str) -> None:
    assert "SequenceName" not in left(SequenceName=text)


@pytest.mark.parametrize(
    "text", ["B30f", "*fl3d1_ns", "SOMATOM Definition AS+", "syngo CT VA48A", "STANDARD", "1.5.2.4",
             "QUANTUM7", "Fen", "AAAABBBBCCCC"]
)  # fmt: skip
def test_a_technical_text_that_is_none_stays(text: str) -> None:
    assert left(SequenceName=text).SequenceName == text


@pytest.mark.parametrize(
    "text", ["20250131.0", "1.9370412E7", "58204117.50", "143507", "143507.0", "32071"]
)
def test_a_decimal_that_says_who_or_when_goes(text: str) -> None:
    assert "DataCollectionDiameter" not in left(DataCollectionDiameter=text)


@pytest.mark.parametrize(
    "text",
    ["120", "-175.03125", "1085.6", "20250132", "143.507", "143507.25", "32071.5", "100000", "0"],
)
def test_a_decimal_that_says_neither_stays(text: str) -> None:
    assert str(left(DataCollectionDiameter=text).DataCollectionDiameter) == text


def test_a_full_minute_is_no_number_of_its_own() -> None:
    made = left(DataCollectionDiameter="143500", StudyTime="143500")
    assert made.DataCollectionDiameter == 143500


@pytest.mark.parametrize("syntax", [LITTLE, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_binary_number_that_says_who_or_when_goes_in_every_encoding(syntax: str) -> None:
    made = left(
        syntax=syntax, AcquisitionDuration=19370412.0, TableAngle=20250131.0,
        RegionLocationMinX0=58204117, RegionLocationMinY0=58204118,
    )  # fmt: skip
    for keyword in ("AcquisitionDuration", "TableAngle", "RegionLocationMinX0"):
        assert keyword not in made
    assert made.RegionLocationMinY0 == 58204118


def test_eight_letters_are_no_number() -> None:
    spelt = struct.unpack("<d", b"FENWICK ")[0]
    assert "AcquisitionDuration" not in left(AcquisitionDuration=spelt)


def test_the_edition_of_a_context_group_is_none_of_the_patients_dates() -> None:
    moved = (Option.MODIFIED_DATES,)
    assert left(moved, ContextGroupVersion="20100621").ContextGroupVersion == "20100621"
    precise = "20100621101010.5+0100"
    assert left(moved, ContextGroupVersion=precise).ContextGroupVersion == precise
    assert left(moved, ContextGroupVersion="19370412").ContextGroupVersion != "19370412"


def test_what_an_option_retains_stays_and_a_code_string_is_no_text() -> None:
    kept = left(KEEPING, EthnicGroup="Sorbian", InstitutionName="St. Mary", PatientSex="F")
    assert (kept.EthnicGroup, kept.InstitutionName, kept.PatientSex) == ("Sorbian", "St. Mary", "F")
    assert left(KEEPING, PatientSex="seen by Mrs. Fenwick").PatientSex != "seen by Mrs. Fenwick"


def test_a_name_that_another_one_replaced_is_a_name_still() -> None:
    content = file_of(ct(PatientName="X", SequenceName="by Fenwick"))
    at = content.index(b"\x10\0\x10\0PN")
    first = struct.pack("<HH2sH", 0x0010, 0x0010, b"PN", 8) + b"Fenwick "
    made = Deidentifier(KEY).deidentify(content[:at] + first + content[at:])
    assert b"Fenwick" not in made.to_bytes()


def test_a_name_is_told_in_a_character_set_that_nobody_declared() -> None:
    dataset = ct(PatientName="Q" * 10, SpecificCharacterSet="ISO_IR 100", SequenceName="Müllerov")
    content = file_of(dataset).replace(b"Q" * 10, "Müllerov ".encode())
    assert "Müllerov".encode("latin-1") not in Deidentifier(KEY).deidentify(content).to_bytes()


@pytest.mark.parametrize(
    ("value", "stays"),
    [("mm", True), ("g/ml", True), ("10*-6/mm", True), ("mm[Hg]", True), ("[hnsf'U]", True),
     ("Fenwicks", False), ("QX00101YV", False), ("anna", False)],
)  # fmt: skip
def test_a_unit_is_a_term_of_ucum(value: str, stays: bool) -> None:
    original = file_of(ct(PatientName="Doe^Jane"))

    cleaner = Deidentifier(KEY)._stages[1]._cleaner  # type: ignore[attr-defined]
    assert is_standard_code("UCUM", value, cleaner.context(read(original))) is stays


def srgb() -> bytes:
    return bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())


def test_a_colour_profile_keeps_its_colours_and_loses_its_texts() -> None:
    profile = srgb()
    made = cleaned_profile(profile)
    assert made is not None
    assert b"s\0R\0G\0B" in profile
    assert b"s\0R\0G\0B" not in made
    picture = Image.effect_noise((32, 32), 90).convert("RGB")
    seen = [
        ImageCms.applyTransform(
            picture,
            ImageCms.buildTransform(
                ImageCms.ImageCmsProfile(BytesIO(one)), ImageCms.createProfile("LAB"), "RGB", "LAB"
            ),
        )
        for one in (profile, made)
    ]
    assert seen[0] is not None
    assert seen[1] is not None
    assert seen[0].tobytes() == seen[1].tobytes()
    assert cleaned_profile(made) == made
    assert cleaned_profile(b"Fenwick" * 30) is None
    assert cleaned_profile(profile[:100]) is None


def test_a_voice_never_leaves() -> None:
    voice = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.9.4.1", Modality="AU")
    with pytest.raises(UnsupportedObjectError, match="voice"):
        Deidentifier(KEY).deidentify(file_of(voice))


@pytest.mark.parametrize("undefined", [True, False])
def test_five_hundred_nested_sequences_end_in_a_typed_error(undefined: bool) -> None:
    inner = struct.pack("<HHI", 0x0010, 0x0010, 8) + b"Fenwick "
    for _ in range(500):
        if undefined:
            item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner
            item += struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
        else:
            item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
        length = 0xFFFFFFFF if undefined else len(item)
        inner = struct.pack("<HHI", 0x0008, 0x1140, length) + item
    content = file_of(ct(), ImplicitVRLittleEndian)
    at = content.index(struct.pack("<HH", 0x0008, 0x0060))
    with pytest.raises(NestingTooDeepError):
        Deidentifier(KEY).deidentify(content[:at] + inner + content[at:])


def test_a_claim_of_a_block_whose_creator_names_the_patient_is_none() -> None:
    dataset = ct(**PATIENT)
    claim = Dataset()
    claim.PrivateGroupReference, claim.PrivateCreatorReference = 0x0029, "ACME Fenwick"
    claim.BlockIdentifyingInformationStatus = "SAFE"
    dataset.PrivateDataElementCharacteristicsSequence = [claim]
    dataset.private_block(0x0029, "ACME Fenwick", create=True).add_new(1, "LO", "harmless")
    made = Deidentifier(KEY, (Option.SAFE_PRIVATE,)).deidentify(file_of(dataset)).dataset
    assert not [tag for tag in made.keys() if tag.group == 0x0029]  # noqa: SIM118


def test_samples_that_spell_a_word_go_and_others_stay() -> None:
    for value, stays in (
        (bytes(range(16)), True),
        (b"Fenwick^Marigold", False),
        (b"FENWICK!", False),
    ):
        dataset = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.9.1.1", Modality="ECG")
        group = Dataset()
        group[0x54001010] = DataElement(0x54001010, "OB", value)
        dataset.WaveformSequence = [group]
        made = Deidentifier(KEY).deidentify(file_of(dataset)).to_bytes()
        assert (value in made) is stays
