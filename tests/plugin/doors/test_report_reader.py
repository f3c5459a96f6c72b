# SPDX-License-Identifier: AGPL-3.0-or-later
"""A stored report is read into one result: every number, every outcome, nothing guessed."""

from __future__ import annotations

import io
from collections.abc import Callable

import pydicom
import pytest
from pydicom.dataset import Dataset

from inference.contract import Outcome
from plugin.doors import concepts
from plugin.doors.errors import UnreadableReportError
from plugin.doors.finding_reader import key_code
from plugin.doors.report_reader import read_report
from plugin.doors.result import Result
from plugin.results import codes
from tests.plugin.doors.conftest import MODEL, PROBABILITIES, REASON, SEVERITIES
from tests.plugin.results.samples import SOURCES, dx_header

Read = Callable[..., Result]
Report = Callable[..., bytes]


def changed(report: bytes, change: Callable[[Dataset], None]) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(report))
    change(dataset)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def test_every_finding_has_its_probability_threshold_and_presence(result: Read) -> None:
    found = {finding.key: finding for finding in result().findings}
    assert list(found) == [one.key for one in MODEL.classes]
    for one in MODEL.classes:
        finding = found[one.key]
        assert finding.probability_percent == round(100 * PROBABILITIES[one.key], 4)
        assert finding.threshold_percent == pytest.approx(100 * one.threshold)
        assert finding.present is (PROBABILITIES[one.key] >= one.threshold)
        assert finding.severity == SEVERITIES[one.key]
        assert (finding.code.value, finding.code.scheme) == (one.code.value, "SCT")


def test_a_cancer_whose_probability_has_a_public_code_keeps_its_key(result: Read) -> None:
    (cancer,) = [f for f in result().findings if f.probability_code.scheme == "DCM"]
    assert (cancer.key, cancer.probability_code.value) == ("lung-cancer", "111047")
    assert cancer.threshold_percent == 60.0


def test_regions_belong_to_their_finding(result: Read) -> None:
    regions = {finding.key: finding.regions for finding in result().findings}
    assert [len(found) for found in regions.values()] == [1, 0, 2, 0]
    first, second = regions["pulmonary-nodule"]
    assert (first.name, second.name) == ("Lung nodule 1", "Lung nodule 2")
    assert first.probability_percent > second.probability_percent
    assert first.outline[0] == first.outline[-1]
    assert len({first.tracking_uid, second.tracking_uid}) == 2


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_read(result: Read, outcome: Outcome) -> None:
    read = result(outcome)
    judged = outcome in (Outcome.FINDINGS, Outcome.NO_FINDINGS)
    assert read.outcome == outcome.value
    assert read.judged is judged
    assert bool(read.findings) is judged
    assert read.reason == ("" if judged else REASON)
    assert "not for clinical use" in read.disclaimer
    assert read.model.name == MODEL.name


def test_whose_it_is_and_what_made_it_is_read(result: Read) -> None:
    read, header = result(), dx_header()
    assert read.study.accession_number == header.AccessionNumber
    assert read.study.study_instance_uid == header.StudyInstanceUID
    assert read.image.sop_instance_uid == header.SOPInstanceUID
    assert read.image.modality == "DX"
    assert read.patient.name == str(header.PatientName)
    assert (read.model.version, read.model.digest) == (MODEL.version, MODEL.digest)
    assert read.model.configuration_digest == "cd" * 32
    assert read.model.device_uid.startswith("2.25.")


def test_over_rest_a_patient_has_an_identifier_and_no_name(result: Read) -> None:
    text = result().model_dump_json()
    assert "P-1" in text
    assert "Phantom^Chest" not in text
    assert "19700102" not in text


def test_a_multi_frame_image_names_its_frame(report: Report) -> None:
    header = SOURCES["US, multi-frame"]()
    read = read_report(report(Outcome.FINDINGS, header))
    assert read.image.frame == 1
    assert {region.frame for finding in read.findings for region in finding.regions} == {1}


def test_a_region_names_the_image_that_it_lies_on(result: Read) -> None:
    read = result()
    on = {region.sop_instance_uid for finding in read.findings for region in finding.regions}
    assert on == {read.image.sop_instance_uid}


def test_a_modality_that_is_said_of_all_images_together_is_read(report: Report) -> None:
    def moved(dataset: Dataset) -> None:
        library = next(
            item
            for item in dataset.ContentSequence
            if item.ConceptNameCodeSequence[0].CodeValue == "111028"
        )
        (group,) = library.ContentSequence
        (entry,) = group.ContentSequence
        group.ContentSequence = [*entry.ContentSequence, entry]
        del entry.ContentSequence

    assert read_report(changed(report(), moved)).image.modality == "DX"


def test_without_severities_they_are_unknown(report: Report) -> None:
    assert {f.severity for f in read_report(report()).findings} == {None}


def test_the_most_severe_finding_comes_first(result: Read) -> None:
    assert [f.key for f in result().present] == ["pneumothorax", "pulmonary-nodule"]


def test_an_offset_in_the_report_counts(report: Report) -> None:
    def moved(dataset: Dataset) -> None:
        dataset.ContentDate, dataset.ContentTime = "20261103", "101504.123"
        dataset.TimezoneOffsetFromUTC = "+0530"

    assert read_report(changed(report(), moved)).reported_at == "2026-11-03T10:15:04+05:30"


def without(name: str) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        dataset.ContentSequence = [
            item
            for item in dataset.ContentSequence
            if item.ConceptNameCodeSequence[0].CodeValue != name
        ]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("C0034375"), "Qualitative Evaluations"),
        (without("126010"), "Measurement Group"),
        (lambda d: delattr(d, "CurrentRequestedProcedureEvidenceSequence"), "Evidence"),
        (lambda d: delattr(d, "SOPInstanceUID"), "AttributeError"),
    ],
)
def test_a_report_that_lacks_something_is_an_error_and_not_a_guess(
    report: Report, change: Callable[[Dataset], None], words: str
) -> None:
    with pytest.raises(UnreadableReportError, match=words) as caught:
        read_report(changed(report(), change))
    assert "Phantom" not in str(caught.value)


def test_a_file_that_is_no_report_is_an_error_without_its_content() -> None:
    with pytest.raises(UnreadableReportError) as caught:
        read_report(b"Phantom^Chest is no DICOM file")
    assert "Phantom" not in str(caught.value)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (concepts.IMAGE_LIBRARY, codes.IMAGE_LIBRARY),
        (concepts.IMAGING_MEASUREMENTS, codes.IMAGING_MEASUREMENTS),
        (concepts.MEASUREMENT_GROUP, codes.MEASUREMENT_GROUP),
        (concepts.QUALITATIVE_EVALUATIONS, codes.QUALITATIVE_EVALUATIONS),
        (concepts.TRACKING_IDENTIFIER, codes.TRACKING_IDENTIFIER),
        (concepts.TRACKING_UID, codes.TRACKING_UID),
        (concepts.FINDING, codes.FINDING),
        (concepts.FINDING_SITE, codes.FINDING_SITE),
        (concepts.IMAGE_REGION, codes.IMAGE_REGION),
        (concepts.COMMENT, codes.COMMENT),
        (concepts.CAD_SUMMARY, codes.CAD_SUMMARY),
        (concepts.SUMMARY_OF_ANALYSES, codes.SUMMARY_OF_ANALYSES),
        (concepts.PRESENT, codes.PRESENT),
        (concepts.ABSENT, codes.ABSENT),
        (concepts.PROCEDURE_REPORTED, codes.DCM.ProcedureReported),
        (concepts.MODALITY, codes.DCM.Modality),
        (concepts.DEVICE_UID, codes.DCM.DeviceObserverUID),
        (concepts.DEVICE_MANUFACTURER, codes.DCM.DeviceObserverManufacturer),
        (concepts.ALGORITHM_NAME, codes.DCM.AlgorithmName),
        (concepts.ALGORITHM_VERSION, codes.DCM.AlgorithmVersion),
        (concepts.ALGORITHM_PARAMETERS, codes.DCM.AlgorithmParameters),
    ],
)
def test_reports_are_read_by_the_codes_that_they_are_written_with(
    here: concepts.Concept, there: codes.Code
) -> None:
    assert (here.value, here.scheme) == (there.value, there.scheme_designator)


def test_outcomes_and_private_codes_are_those_of_the_writer() -> None:
    written = {
        (codes.summary(outcome).value, codes.analyses(outcome).value): outcome.value
        for outcome in Outcome
    }
    assert written == concepts.OUTCOMES
    assert concepts.PRIVATE_SCHEME == codes.PRIVATE_SCHEME
    for one in MODEL.classes:
        name = codes.probability_of(one)
        if name.scheme_designator == codes.PRIVATE_SCHEME:
            assert name.value == key_code(one.key)
