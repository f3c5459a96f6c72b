# SPDX-License-Identifier: AGPL-3.0-or-later
"""An escalation as Modality Worklist entry (PS3.4 annex K): a file for Orthanc's worklists plugin.

The plugin reads every ``.wl`` file of its folder at each query, so a file must be whole from the
moment it has that name. Names hold a digest and nothing of the patient.
"""

from __future__ import annotations

import os
import time
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from plugin.configuration.doors import EscalationSection
from plugin.doors.errors import UnreachableError
from plugin.doors.escalated import Escalation, identify, put

MODALITY_WORKLIST = UID("1.2.840.10008.5.1.4.31")
"""Modality Worklist Information Model - FIND."""
SUFFIX = ".wl"
PREFIX = "sidelight-"


def write(section: EscalationSection, escalation: Escalation) -> None:
    """Write the entry in place of an earlier attempt's, and remove entries that are too old.

    Raises:
        UnreachableError: the folder is not there or can't be written.
    """
    folder = Path(section.worklist_folder)
    name = f"{PREFIX}{escalation.token[:32]}"
    partial = folder / f"{name}.partial"
    try:
        with partial.open("wb") as file:
            file.write(entry(escalation, section.worklist_station))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / f"{name}{SUFFIX}")
        _remove_old(folder, section.worklist_hours)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UnreachableError(f"the worklist folder can't be written ({why})") from None


def entry(escalation: Escalation, station: str) -> bytes:
    """The entry as a PS3.10 file."""
    first = escalation.results[0]
    item = Dataset()
    identify(item, escalation)
    put(item, "AccessionNumber", first.study.accession_number)
    item.ReferringPhysicianName = ""
    item.StudyInstanceUID = first.study.study_instance_uid
    item.RequestedProcedureID = escalation.token[:16]
    item.RequestedProcedureDescription = escalation.label
    item.RequestedProcedurePriority = "STAT"
    item.ScheduledProcedureStepSequence = [_step(escalation, station)]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MODALITY_WORKLIST
    meta.MediaStorageSOPInstanceUID = UID(escalation.uid("worklist"))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    item.file_meta = meta
    buffer = BytesIO()
    item.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _step(escalation: Escalation, station: str) -> Dataset:
    step = Dataset()
    step.Modality = escalation.results[0].image.modality
    step.ScheduledStationAETitle = station
    step.ScheduledProcedureStepStartDate = escalation.noted.strftime("%Y%m%d")
    step.ScheduledProcedureStepStartTime = escalation.noted.strftime("%H%M%S")
    step.ScheduledPerformingPhysicianName = ""
    step.ScheduledProcedureStepDescription = escalation.label
    step.ScheduledProcedureStepID = escalation.token[:16]
    return step


def _remove_old(folder: Path, hours: float) -> None:
    limit = time.time() - hours * 3600.0
    for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
        if path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)
