# SPDX-License-Identifier: Apache-2.0
"""Stand-ins are keyed, equal everywhere, and tell patients of different issuers apart."""

from __future__ import annotations

import re
import uuid

from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SegmentationStorage

from deid import DeidentificationKey, Deidentifier, Option
from deid.pseudonyms import Pseudonyms
from tests.deid.made_scans import KEY, PIPELINE, ROOT, ct

PSEUDONYMS = Pseudonyms(KEY, (-3650, -1))
UIDS = st.lists(st.integers(0, 10**9), min_size=3, max_size=8).map(
    lambda arcs: "1.3." + ".".join(map(str, arcs))
)


@given(UIDS)
def test_a_mapped_uid_is_a_uuid_of_version_8_in_the_2_25_form(uid: str) -> None:
    mapped = PSEUDONYMS.uid(uid)

    number = uuid.UUID(int=int(mapped.removeprefix("2.25.")))
    assert number.version == 8
    assert number.variant == uuid.RFC_4122
    assert len(mapped) <= 64
    assert PSEUDONYMS.uid(f"{uid}\0") == mapped


@given(UIDS, UIDS)
def test_different_uids_are_mapped_to_different_ones(one: str, other: str) -> None:
    assert (PSEUDONYMS.uid(one) == PSEUDONYMS.uid(other)) == (one == other)


@given(UIDS)
def test_another_key_gives_other_uids(uid: str) -> None:
    other = Pseudonyms(DeidentificationKey(b"another" * 5), (-3650, -1))

    assert other.uid(uid) != PSEUDONYMS.uid(uid)


def test_registered_uids_stay() -> None:
    for uid in (
        CTImageStorage,
        ExplicitVRLittleEndian,
        "1.2.840.10008.1.4.1.1",
        SegmentationStorage,
    ):
        assert PSEUDONYMS.uid(uid) == uid


def test_an_instance_made_below_the_root_of_dicom_by_mistake_is_mapped() -> None:
    assert PSEUDONYMS.uid("1.2.840.10008.5.1.4.1.1.2.20240229.1").startswith("2.25.")


def test_an_empty_uid_stays_empty() -> None:
    assert PSEUDONYMS.uid("") == ""


def test_pseudonyms_carry_80_bits_and_fit_a_short_string() -> None:
    assert re.fullmatch(r"[A-Z2-7]{16}", PSEUDONYMS.identifier("accession", "A-4711"))


def test_the_same_number_in_two_domains_gives_two_pseudonyms() -> None:
    assert PSEUDONYMS.identifier("accession", "1") != PSEUDONYMS.identifier("other", "1")


def patient_id(**attributes) -> str:
    return Deidentifier(KEY, PIPELINE).deidentify(ct(**attributes)).dataset.PatientID


def test_the_same_number_of_two_issuers_is_two_patients() -> None:
    qualified = Dataset()
    qualified.UniversalEntityID = "2.16.1.2.3"

    found = {
        patient_id(),
        patient_id(IssuerOfPatientID="HOSPITAL A"),
        patient_id(IssuerOfPatientID="HOSPITAL B"),
        patient_id(IssuerOfPatientIDQualifiersSequence=Sequence([qualified])),
    }

    assert len(found) == 4


def test_a_patient_is_the_same_whatever_the_character_set_and_padding() -> None:
    latin = patient_id(PatientID="MÜLLER 1", SpecificCharacterSet="ISO_IR 100")
    unicode = patient_id(PatientID="MÜLLER 1", SpecificCharacterSet="ISO_IR 192")

    assert latin == unicode
    assert patient_id(PatientID=" 4711 ") == patient_id(PatientID="4711")


def test_patients_without_a_number_are_told_apart_by_name_then_study() -> None:
    found = {
        patient_id(PatientID=""),
        patient_id(PatientID="", PatientName="Doe^John"),
        patient_id(PatientID="", PatientName=""),
        patient_id(PatientID="", PatientName="", StudyInstanceUID=f"{ROOT}.9"),
    }

    assert len(found) == 4


def test_accession_numbers_of_image_and_request_stay_equal() -> None:
    request = Dataset()
    request.AccessionNumber = "A-4711"
    scan = ct(AccessionNumber="A-4711", RequestAttributesSequence=Sequence([request]))

    dataset = Deidentifier(KEY, PIPELINE).deidentify(scan).dataset

    assert dataset.AccessionNumber == dataset.RequestAttributesSequence[0].AccessionNumber
    assert dataset.AccessionNumber != "A-4711"


def test_references_resolve_across_a_study() -> None:
    image = ct(FrameOfReferenceUID=f"{ROOT}.5")
    reference = Dataset()
    reference.ReferencedSOPClassUID = CTImageStorage
    reference.ReferencedSOPInstanceUID = image.SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID = image.SeriesInstanceUID
    series.ReferencedInstanceSequence = Sequence([reference])
    derivation, group = Dataset(), Dataset()
    derivation.SourceImageSequence = Sequence([reference])
    group.DerivationImageSequence = Sequence([derivation])
    segmentation = ct(
        SOPClassUID=SegmentationStorage,
        SOPInstanceUID=f"{ROOT}.31",
        SeriesInstanceUID=f"{ROOT}.21",
        Modality="SEG",
        FrameOfReferenceUID=f"{ROOT}.5",
        ReferencedSeriesSequence=Sequence([series]),
        PerFrameFunctionalGroupsSequence=Sequence([group]),
    )
    deidentifier = Deidentifier(KEY)

    made_image = deidentifier.deidentify(image)
    made = deidentifier.deidentify(segmentation).dataset

    referenced = made.ReferencedSeriesSequence[0]
    source = made.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
    instance = referenced.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID
    assert referenced.SeriesInstanceUID == made_image.series_instance_uid
    assert instance == made_image.sop_instance_uid
    assert source.SourceImageSequence[0].ReferencedSOPInstanceUID == made_image.sop_instance_uid
    assert made.StudyInstanceUID == made_image.study_instance_uid
    assert made.FrameOfReferenceUID == made_image.dataset.FrameOfReferenceUID
    assert deidentifier.uid(image.SOPInstanceUID) == made_image.sop_instance_uid


def test_sources_stay_where_the_instance_lists_what_it_refers_to() -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID = CTImageStorage
    reference.ReferencedSOPInstanceUID = f"{ROOT}.3"
    series = Dataset()
    series.SeriesInstanceUID = f"{ROOT}.2"
    series.ReferencedInstanceSequence = Sequence([reference])
    sources = {"SourceImageSequence": Sequence([reference])}
    deidentifier = Deidentifier(KEY)

    alone = deidentifier.deidentify(ct(**sources)).dataset
    listed = deidentifier.deidentify(
        ct(**sources, ReferencedSeriesSequence=Sequence([series]))
    ).dataset

    assert "SourceImageSequence" not in alone
    mapped = listed.SourceImageSequence[0].ReferencedSOPInstanceUID
    assert mapped == deidentifier.uid(f"{ROOT}.3")


def test_retained_uids_stay_and_link_to_themselves() -> None:
    deidentifier = Deidentifier(KEY, (Option.RETAIN_UIDS,))

    scan = deidentifier.deidentify(ct())

    assert scan.sop_instance_uid == f"{ROOT}.3" == deidentifier.uid(f"{ROOT}.3")


def test_a_retained_uid_that_is_none_is_mapped() -> None:
    scan = Deidentifier(KEY, (Option.RETAIN_UIDS,)).deidentify(
        ct(SeriesInstanceUID="../../etc/passwd")
    )

    assert scan.series_instance_uid.startswith("2.25.")


def test_a_private_sop_class_stays_what_it_is() -> None:
    scan = Deidentifier(KEY).deidentify(ct(SOPClassUID="1.3.12.2.1107.5.9.1"))

    assert scan.sop_class_uid == "1.3.12.2.1107.5.9.1"
