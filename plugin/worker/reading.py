# SPDX-License-Identifier: AGPL-3.0-or-later
"""The reader of scans as the configuration wants it: for the workers, and for the plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deid import DeidentificationKey, Deidentifier, Option, Policy
from deid.policy import Faces, FreeText, PixelText
from plugin.archive import Archive
from plugin.configuration.anatomy_rules import read_anatomy_rules
from plugin.configuration.application_table import read_applications
from plugin.gate import Gate
from plugin.handover import Handover
from plugin.worker.anatomist import Anatomist
from plugin.worker.orders import Orders
from plugin.worker.scan import Reader

_OPTIONS = {
    "CleanDescriptors": Option.CLEAN_DESCRIPTORS,
    "ModifiedDates": Option.MODIFIED_DATES,
    "FullDates": Option.FULL_DATES,
    "PatientCharacteristics": Option.PATIENT_CHARACTERISTICS,
    "DeviceIdentity": Option.DEVICE,
    "InstitutionIdentity": Option.INSTITUTION,
    "SafePrivate": Option.SAFE_PRIVATE,
}


def reader_for(handover: Handover, archive: Archive, gate: Gate) -> Reader:
    """A reader with the site's key, de-identification options, applications and rules."""
    section = handover.configuration.deidentification
    anatomy = handover.configuration.anatomy
    key = DeidentificationKey.from_file(Path(handover.key_file), create=True)
    options = [_OPTIONS[name] for name in section.options]
    policy = Policy(
        allow_burned_in_annotation=section.burned_in_annotation == "allow",
        free_text=FreeText(section.free_text),
        pixel_text=PixelText(section.pixel_text),
        faces=Faces(section.faces),
    )
    # Of a header alone no pixel is seen, and none leaves.
    header_only = replace(
        policy,
        allow_burned_in_annotation=True,
        pixel_text=PixelText.LEAVE,
        faces=Faces.LEAVE,
    )
    return Reader(
        archive,
        Deidentifier(key, options=options, policy=policy),
        Deidentifier(key, options=options, policy=header_only),
        gate,
        handover.configuration.applications,
        anatomist=Anatomist(archive, gate, read_anatomy_rules(anatomy.rules)),
        orders=Orders(Path(anatomy.worklists)) if anatomy.worklists else None,
        table=read_applications(handover.configuration.applications.table),
    )
