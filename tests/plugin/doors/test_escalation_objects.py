# SPDX-License-Identifier: AGPL-3.0-or-later
"""Workitem and worklist entry of an escalation: what the standard asks for, in whole files only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from inference.contract import Outcome
from plugin.configuration.doors import EscalationSection
from plugin.doors import modality_worklist
from plugin.doors.escalated import Escalation
from plugin.doors.report_reader import read_report
from plugin.doors.result import Result
from plugin.doors.workitem import workitem
from tests.plugin.results.samples import dx_header

Read = Callable[..., Result]
Report = Callable[..., bytes]
TOKEN = "c0ffee" * 10
NOTED = datetime(2026, 11, 3, 10, 15, 4, tzinfo=UTC)

# PS3.4 Table CC.2.5-3, N-CREATE: type 1 must have a value, type 2 must be there.
TYPE_1 = (
    "ScheduledProcedureStepPriority", "ProcedureStepLabel", "WorklistLabel",
    "ScheduledProcedureStepStartDateTime", "InputReadinessState", "ProcedureStepState",
)  # fmt: skip
TYPE_2 = (
    "TransactionUID", "ScheduledProcessingParametersSequence",
    "ScheduledStationNameCodeSequence", "ScheduledStationClassCodeSequence",
    "ScheduledStationGeographicLocationCodeSequence", "ScheduledWorkitemCodeSequence",
    "CommentsOnTheScheduledProcedureStep", "InputInformationSequence", "PatientName", "PatientID",
    "OtherPatientIDsSequence", "PatientBirthDate", "PatientSex", "AdmissionID",
    "IssuerOfAdmissionIDSequence", "AdmittingDiagnosesDescription",
    "AdmittingDiagnosesCodeSequence", "ReferencedRequestSequence",
    "ProcedureStepProgressInformationSequence", "UnifiedProcedureStepPerformedProcedureSequence",
)  # fmt: skip


@pytest.fixture
def escalation(result: Read) -> Escalation:
    return Escalation.of([result()], 3, TOKEN, NOTED)


def section(folder: Path, **more: object) -> EscalationSection:
    return EscalationSection(worklist_folder=str(folder), **more)


def test_only_findings_of_that_severity_are_named(result: Read) -> None:
    assert Escalation.of([result()], 3, TOKEN, NOTED).label == "AI suspects Pneumothorax"
    assert Escalation.of([result()], 2, TOKEN, NOTED).names == ("Pneumothorax", "Lung nodule")
    assert Escalation.of([result(Outcome.NO_FINDINGS)], 2, TOKEN, NOTED).names == ()


def test_where_a_rule_raised_the_priority_all_present_findings_are_named(report: Report) -> None:
    read = read_report(report(), {"pneumothorax": 1, "pulmonary-nodule": 0})
    assert Escalation.of([read], 3, TOKEN, NOTED).names == ("Pneumothorax", "Lung nodule")


def test_a_workitem_has_what_it_must_have_when_it_is_created(escalation: Escalation) -> None:
    item = workitem(escalation, "ORTHANC")
    for keyword in TYPE_1:
        assert item.get(keyword), keyword
    for keyword in TYPE_2:
        assert keyword in item, keyword
    assert item.ProcedureStepState == "SCHEDULED"
    assert item.ScheduledProcedureStepPriority == "HIGH"
    assert "SOPInstanceUID" not in item  # it stands in the address
    (information,) = item.InputInformationSequence
    assert information.StudyInstanceUID == dx_header().StudyInstanceUID
    assert information.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == (
        dx_header().SOPInstanceUID
    )
    assert item.ReferencedRequestSequence[0].AccessionNumber == "A-1"


def test_a_workitem_is_the_same_at_every_attempt(escalation: Escalation) -> None:
    assert escalation.uid("workitem") == escalation.uid("workitem")
    assert escalation.uid("workitem") != escalation.uid("worklist")
    assert workitem(escalation, "A").to_json() == workitem(escalation, "A").to_json()


def test_a_worklist_entry_is_a_readable_file(escalation: Escalation, tmp_path: Path) -> None:
    modality_worklist.write(section(tmp_path), escalation)
    (path,) = tmp_path.iterdir()
    entry = pydicom.dcmread(path)
    assert (str(entry.PatientName), entry.PatientID) == ("Phantom^Chest", "P-1")
    assert entry.AccessionNumber == "A-1"
    assert entry.RequestedProcedurePriority == "STAT"
    (step,) = entry.ScheduledProcedureStepSequence
    assert step.ScheduledStationAETitle == "SIDELIGHT"
    assert step.Modality == "DX"
    assert step.ScheduledProcedureStepDescription == "AI suspects Pneumothorax"


def test_the_name_of_a_worklist_entry_says_nothing_of_the_patient(
    escalation: Escalation, tmp_path: Path
) -> None:
    modality_worklist.write(section(tmp_path), escalation)
    (path,) = tmp_path.iterdir()
    assert path.name == f"sidelight-{TOKEN[:32]}.wl"


def test_an_entry_appears_whole_or_not_at_all(
    escalation: Escalation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    replace = Path.replace

    def looked(self: Path, target: Path) -> Path:
        seen.append([path.suffix for path in tmp_path.iterdir()])
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", looked)
    modality_worklist.write(section(tmp_path), escalation)
    assert seen == [[".partial"]]


def test_the_same_escalation_has_one_entry(escalation: Escalation, tmp_path: Path) -> None:
    modality_worklist.write(section(tmp_path), escalation)
    modality_worklist.write(section(tmp_path), escalation)
    assert len(list(tmp_path.iterdir())) == 1


def test_old_entries_of_ours_are_removed_and_no_others(
    escalation: Escalation, tmp_path: Path
) -> None:
    for name in ("sidelight-old.wl", "modality.wl"):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (time.time() - 7200,) * 2)
    modality_worklist.write(section(tmp_path, worklist_hours=1.0), escalation)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"modality.wl", f"sidelight-{TOKEN[:32]}.wl"}


def test_names_in_other_scripts_are_kept(result: Read, tmp_path: Path) -> None:
    header = dx_header()
    header.SpecificCharacterSet, header.PatientName = "ISO_IR 144", "Фантом^Грудь"
    escalation = Escalation.of([result(Outcome.FINDINGS, header)], 3, TOKEN, NOTED)
    modality_worklist.write(section(tmp_path), escalation)
    (path,) = tmp_path.iterdir()
    assert str(pydicom.dcmread(path).PatientName) == "Фантом^Грудь"
