# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rows to train an anatomy model with, made of de-identified headers alone."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING

from inference.contract import RegionName
from plugin.anatomy.agreement import Agreement, Taught
from plugin.anatomy.ledger import Lesson

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from deid import DeidentifiedScan

TEXTS = (
    "SOPClassUID", "ImageType", "Modality", "StudyDescription", "SeriesDescription",
    "BodyPartExamined", "ProtocolName", "AcquisitionProtocolName", "ViewPosition", "Laterality",
    "ImageLaterality", "FrameLaterality", "RequestedProcedureDescription",
    "PerformedProcedureStepDescription", "AcquisitionDeviceProcessingDescription", "Manufacturer",
    "ManufacturerModelName", "StationName", "ContrastBolusAgent", "ScanOptions", "NumberOfFrames",
    "ImagesInAcquisition", "NumberOfSeriesRelatedInstances", "SliceThickness",
    "SpacingBetweenSlices", "ReconstructionDiameter", "ConvolutionKernel", "ScanningSequence",
    "SequenceName", "PatientPosition", "PixelSpacing", "KVP", "EchoTime", "RepetitionTime",
    "InversionTime", "MagneticFieldStrength", "PatientSize", "PatientWeight",
    "ImageOrientationPatient",
)  # fmt: skip
"""What the metadata model reads of a header."""
CODES = (
    "AnatomicRegionSequence", "PrimaryAnatomicStructureSequence", "ProcedureCodeSequence",
    "RequestedProcedureCodeSequence", "PerformedProtocolCodeSequence", "ViewCodeSequence",
)  # fmt: skip
"""The same for codes; a cell of the table holds the meaning of the first item."""
PER_FRAME, SPECIMENS = "PerFrameFunctionalGroupsSequence", "SpecimenDescriptionSequence"
NESTED = ("SharedFunctionalGroupsSequence", PER_FRAME, SPECIMENS)
"""Sequences in whose items the anatomy is read, too."""
_BY_PLACE = "ImageType"
SITE, LABEL = "site", "regions"
COLUMNS = (SITE, *TEXTS, *CODES, LABEL)
STATION, PATIENT, SOURCE, WEIGHT = "station", "patient", "label_source", "weight"
"""Pseudonyms of station and patient; who gave the label, and how much it weighs."""
MODEL = "label_model"
"""Name and version of the model that gave the label, where one did."""
ORIGIN = "origin"
EXPORTED = (STATION, PATIENT, *COLUMNS, SOURCE, MODEL, WEIGHT, ORIGIN)
_LETTERS = 16
"""Of a patient's name: 12 are one that was made in another way, by an earlier release."""
REVIEWER = "reviewer"
"""As ``label_source``: a person said so, which comes before every witness."""
RULES, QUIET_HOURS = "rules", "quiet-hours"
"""Who put a row aside."""


def lessons(scan: DeidentifiedScan, agreement: Agreement) -> list[Lesson]:
    """Rows for the models that rules want trained again.

    The label is what the other witness says: pixels teach the tags' model, tags that of pixels.
    """
    header = scan.dataset
    found = []
    for taught in agreement.teaches:
        teacher: Taught = "pixels" if taught == "metadata" else "metadata"
        witness = agreement.witness(teacher)
        if witness is not None and witness.speaks:
            row = row_of(header, witness.regions)
            if patient := patient_of(header):
                row[PATIENT] = patient
            found.append(Lesson(taught, row))
    return found


def row_of(header: Dataset, regions: Iterable[RegionName]) -> dict[str, str]:
    """One row: values by column, those that are missing left out.

    Rows of one scanner model belong together when they are split for training.
    """
    row = {keyword: _text(header.get(keyword)) for keyword in TEXTS}
    # What a value says depends on which of them it is.
    row[_BY_PLACE] = _text(header.get(_BY_PLACE), "\\")
    row |= {keyword: _meaning(header.get(keyword)) for keyword in CODES}
    row[SITE] = row["ManufacturerModelName"] or "unknown scanner"
    row[LABEL] = _label(regions)
    return {column: row[column] for column in COLUMNS if row[column]}


def patient_of(header: Dataset) -> str:
    """A name of the patient for a row, the same whoever puts it aside; empty where none is known.

    Args:
        header: de-identified: its Patient ID is a pseudonym by the site's key.
    """
    pseudonym = _text(header.get("PatientID"))
    digest = hashlib.sha256(f"patient {pseudonym}".encode()).hexdigest()
    return digest[:_LETTERS] if pseudonym else ""


def names_patient_as_now(row: Mapping[str, str]) -> bool:
    """Whether the patient of a row, if it names one, has the name that other rows give now.

    A patient with two names may be taught and judge at once.
    """
    return len(row.get(PATIENT, "")) in {0, _LETTERS}


def corrected(regions: Iterable[RegionName]) -> dict[str, str]:
    """Columns that a reviewer's word puts in place of a witness's in a row."""
    return {LABEL: _label(regions), SOURCE: REVIEWER, WEIGHT: "1.0"}


def write_table(rows: Iterable[Mapping[str, str]], stream: IO[str]) -> int:
    """Write rows as the table that ``sidelight train anatomy`` reads; how many."""
    writer = csv.DictWriter(stream, EXPORTED, restval="", extrasaction="ignore")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count


def put_together(
    of_rules: Iterable[Mapping[str, str]],
    collected: Iterable[Mapping[str, str]],
    teacher: str,
    weight: float = 1.0,
) -> Iterator[dict[str, str]]:
    """Rows that rules put aside, then those of quiet hours whose header is another one.

    Of equal headers those that a reviewer labelled are taken, whoever put them aside.

    Args:
        of_rules: labelled by a witness, unless they say that a reviewer did.
        collected: labelled as they say themselves; those without a label are left out.
        teacher: the witness, as ``label_source`` names it.
        weight: of its labels, above 0 and at most 1.
    """
    rows = [{SOURCE: teacher, WEIGHT: str(weight), **row, ORIGIN: RULES} for row in of_rules]
    rows += [{**row, ORIGIN: QUIET_HOURS} for row in collected if row.get(LABEL)]
    said = {_content(row) for row in rows if row.get(SOURCE) == REVIEWER}
    of_a_rule = set()
    for row in rows:
        content = _content(row)
        if content in said and row.get(SOURCE) != REVIEWER:
            continue
        if row[ORIGIN] == RULES:
            of_a_rule.add(content)
        elif content in of_a_rule:
            continue
        yield row


def _label(regions: Iterable[RegionName]) -> str:
    return " ".join(region.replace(" ", "-") for region in regions)


def _content(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(row.get(column, "") for column in (*TEXTS, *CODES))


def _text(value: object, separator: str = " ") -> str:
    if value is None:
        return ""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return str(value).strip()
    return separator.join(str(one).strip() for one in value)


def _meaning(items: object) -> str:
    # Here: who reads the columns alone loads no DICOM library.
    from pydicom.dataset import Dataset  # noqa: PLC0415

    if not isinstance(items, Iterable):
        return ""
    first = next((item for item in items if isinstance(item, Dataset)), None)
    return "" if first is None else _text(first.get("CodeMeaning"))
