# SPDX-License-Identifier: AGPL-3.0-or-later
"""A test of the MIDI-B form (MICCAI 2024): an answer key in SQLite, ten kinds of action.

Generated headers of nine kinds of object, and real files, are de-identified as in the pipeline with
safe private attributes kept; each line of the answer key is one check. Text in pixels is the pixel
part's: ``pixels_hidden`` has no checks here.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from deid import DeidentificationError, DeidentificationKey, Deidentifier, Option
from tests.deid.made_scans import file_of
from tests.deid.planted import HARMLESS

_SHARED = Path(__file__).parents[2] / "shared" / "data"
_OPTIONS = (Option.CLEAN_DESCRIPTORS, Option.MODIFIED_DATES, Option.SAFE_PRIVATE)
_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128", "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2", "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "SR": "1.2.840.10008.5.1.4.1.1.88.33", "RTSTRUCT": "1.2.840.10008.5.1.4.1.1.481.3",
    "SEG": "1.2.840.10008.5.1.4.1.1.66.4",
}  # fmt: skip
_UIDS = ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"]
_DATES = ["StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"]
_RETAINED = [
    "SOPClassUID",
    "Modality",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "ImageType",
    "SliceThickness",
    "KVP",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "EchoTime",
    "RepetitionTime",
    "FlipAngle",
    "MagneticFieldStrength",
    "RescaleSlope",
    "RescaleIntercept",
    "WindowCenter",
    "WindowWidth",
    "InstanceNumber",
    "PatientPosition",
    "Exposure",
    "XRayTubeCurrent",
]
_FAMILIES = [
    "Zwetschgenbaum",
    "Quillfeather",
    "Ołdakowski",
    "Brzęczyk",
    "Thistlewaite",
    "Okonkwo-Adeyemi",
]
_GIVEN = ["Marigold", "Ignatius", "Wilhelmina", "Thaddeus", "Philippa", "Bartholomew"]
_WELL_KNOWN = "1.2.840.10008."
# Shorter ones occur by chance in any pixels: they are looked for as words of text.
_LONG = 6
_NO_TEXT = ("UI", "DS", "IS", "SQ", "AT", "OB", "OW", "OF", "OD", "OL", "OV")
_START_OF_SCAN = b"\xff\xda"
_OF_ANY = [*list(HARMLESS)[3:], "Modality"]

Check = tuple[int, str, str, str]
"""Number of the instance, action, keyword, and what is expected, as JSON or text."""


def _generated(number: int, chance: random.Random) -> tuple[Dataset, list[Check]]:
    patient = number // 100
    family, given = _FAMILIES[patient % 6], _GIVEN[patient // 6 % 6]
    record = f"{58000000 + patient * 7919}"
    dataset = Dataset()
    modality = list(_CLASSES)[number % len(_CLASSES)]
    for keyword, value in HARMLESS.items():
        setattr(dataset, keyword, value)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.Modality = _CLASSES[modality], modality
    dataset.PatientName, dataset.PatientID = f"{family}^{given}", record
    root = "1.2.826.0.1.3680043.9.8888"
    dataset.StudyInstanceUID = f"{root}.{patient}.1"
    dataset.SeriesInstanceUID = f"{root}.{patient}.1.{number % 10}"
    dataset.SOPInstanceUID = f"{root}.{patient}.2.{number}"
    dataset.FrameOfReferenceUID = f"{root}.{patient}.3"
    day = dt.date(2019, 1, 1) + dt.timedelta(days=patient * 11)
    for keyword in _DATES:
        setattr(dataset, keyword, f"{day:%Y%m%d}")
    dataset.PatientBirthDate = f"{1930 + patient}0413"
    checks = _sentences(number, dataset, (family, given, record), chance)
    dataset.PixelData = bytes(chance.randrange(256) for _ in range(16)) * 8
    dataset["PixelData"].VR = "OW"
    return dataset, checks


def _sentences(
    number: int, dataset: Dataset, who: tuple[str, str, str], chance: random.Random
) -> list[Check]:
    """Names and numbers mid-sentence, in comments, codes, private and nested elements."""
    family, given, record = who
    physician = chance.choice([name for name in _FAMILIES if name != family])
    dataset.ReferringPhysicianName = f"{physician}^Q"
    dataset.StudyDescription = f"CHEST {family} FOLLOW UP"
    dataset.SeriesDescription = f"axial lung seen by Dr {physician}"
    dataset.ImageComments = f"{given} {family}, chest, record {record}, call 555-0147-{number}"
    dataset.InstitutionName, dataset.StationName = "Saint Quibble Hospital", f"STQ{record[-4:]}"
    dataset.AccessionNumber = f"ACC{record}"
    dataset.PatientAddress = f"{number} Quibble Lane"
    item = Dataset()
    item.PatientComments = f"mother of {given} {family}"
    dataset.RequestAttributesSequence = Sequence([item])
    dataset.private_block(0x0029, "QUIBBLE SOFT", create=True).add_new(1, "LO", f"for {family}")
    safe = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    safe.add_new(0, "DS", "1.25")
    words = [family, given, physician, record, "Quibble", f"555-0147-{number}", "Lane"]
    checks = [(number, "text_removed", "*", word) for word in words]
    kept = {"StudyDescription": "CHEST", "SeriesDescription": "axial", "ImageComments": "chest"}
    checks += [(number, "text_retained", key, json.dumps(word)) for key, word in kept.items()]
    checks.append((number, "tag_retained", "70531000", ""))
    return checks


def _checks(number: int, dataset: Dataset, keywords: list[str]) -> Iterator[Check]:
    """What is expected of any instance whose source is known."""
    for keyword in keywords:
        if dataset.get(keyword) not in (None, ""):
            yield number, "tag_retained", keyword, ""
            yield number, "text_retained", keyword, _json(dataset.get(keyword))
    for keyword in _UIDS:
        uid = str(dataset.get(keyword, ""))
        # What the standard itself names, a colour palette, is nobody's and stays.
        if uid and not uid.startswith(_WELL_KNOWN):
            yield number, "uid_changed", keyword, str(dataset.get(keyword))
            yield number, "uid_consistent", keyword, str(dataset.get(keyword))
    for keyword in _DATES:
        if len(str(dataset.get(keyword, ""))) == 8:
            yield number, "date_shifted", keyword, str(dataset.get(keyword))
    for keyword in ("PatientID", "PatientName"):
        if len(str(dataset.get(keyword, ""))) > 3:
            yield number, "text_notnull", keyword, ""
            yield number, "text_removed", keyword, str(dataset.get(keyword))
    if dataset.get("PatientID"):
        issuer = dataset.get("IssuerOfPatientID", "")
        yield number, "patid_consistent", "PatientID", f"{issuer}|{dataset.PatientID}"
    yield number, "pixels_retained", "PixelData", ""


def _json(value: object) -> str:
    values = value if isinstance(value, pydicom.multival.MultiValue) else None
    # Spaces that only fill up are no part of a value (PS3.5 section 6.2).
    return json.dumps(str(value) if values is None else [str(v).strip() for v in values])


def _words(dataset: Dataset) -> Iterator[list[str]]:
    """The words of every element that holds text, nested ones too."""
    for element in dataset.iterall():
        if element.VR not in _NO_TEXT:
            yield str(element.value).replace("^", " ").replace("\\", " ").split()


def _sources(quick: bool) -> Iterator[tuple[bytes, list[Check]]]:
    chance = random.Random(20240229)  # noqa: S311 - the same set each time
    number = 0
    for number in range(300 if quick else 2000):
        dataset, checks = _generated(number, chance)
        content = file_of(dataset)
        yield content, checks + list(_checks(number, dataset, _OF_ANY))
    paths = sorted((Path(pydicom.__file__).parent / "data").rglob("*.dcm"))
    paths += sorted(_SHARED.rglob("*.dcm")) if _SHARED.exists() else []
    for path in paths[:: 20 if quick else 2]:
        number += 1
        try:
            dataset = pydicom.dcmread(path)
            checks = list(_checks(number, dataset, _RETAINED))
        except Exception:  # noqa: BLE001, S112 - what pydicom can't read has no answer key
            continue
        yield path.read_bytes(), checks


class _Judge:
    """Holds what must be the same over instances: stand-ins of UIDs, patients, and their shifts."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], object] = {}

    def right(  # noqa: PLR0911 - one answer per action
        self, check: Check, output: Dataset, content: bytes, same_pixels: bool
    ) -> bool:
        """Whether one line of the answer key holds."""
        _, action, keyword, expected = check
        if action == "pixels_retained":
            return same_pixels
        key = int(keyword, 16) if keyword[:1].isdigit() else keyword
        value = output.get(key) if key != "*" else None
        text = "" if value is None else str(value)
        if action in ("tag_retained", "text_notnull"):
            return value is not None and (action == "tag_retained" or text != "")
        if action == "text_removed":
            if len(expected) < _LONG:
                return not any(expected in words for words in _words(output))
            return expected.encode() not in content
        if action == "text_retained":
            return _json(value) == expected or str(json.loads(expected)) in text
        if action == "uid_changed":
            return text not in ("", expected)
        if action == "date_shifted":
            days = _days(text, expected)
            shift = self.seen.setdefault(("shift", str(output.get("PatientID"))), days)
            return days not in (None, 0) and days == shift
        return bool(text) and self.seen.setdefault((action, expected), text) == text


def _days(shifted: str, original: str) -> int | None:
    try:
        first = dt.datetime.strptime(original, "%Y%m%d")  # noqa: DTZ007 - days, no times
        return (dt.datetime.strptime(shifted, "%Y%m%d") - first).days  # noqa: DTZ007
    except ValueError:
        return None


def measure(quick: bool) -> tuple[dict[str, float | None], dict[str, object]]:
    """Share of checks that hold, the worst kind's, and identifiers left in any output byte."""
    deidentifier = Deidentifier(DeidentificationKey(bytes(range(32))), _OPTIONS)
    judge, refused, instances = _Judge(), 0, 0
    with tempfile.TemporaryDirectory() as folder, sqlite3.connect(f"{folder}/key.db") as key:
        key.execute("CREATE TABLE answer (instance, action, tag, expected, passed INTEGER)")
        for content, checks in _sources(quick):
            try:
                scan = deidentifier.deidentify(content)
            except DeidentificationError:
                refused += 1
                continue
            instances += 1
            output, written = scan.dataset, scan.to_bytes()
            same = _same_pixels(content, written)
            key.executemany(
                "INSERT INTO answer VALUES (?, ?, ?, ?, ?)",
                [(*check, judge.right(check, output, written, same)) for check in checks],
            )
        counts = {a: (n, p) for a, n, p in key.execute(
            "SELECT action, COUNT(*), SUM(passed) FROM answer GROUP BY action")}  # fmt: skip
        failed = key.execute(
            "SELECT action, tag, COUNT(*) FROM answer WHERE NOT passed GROUP BY action, tag "
            "ORDER BY 3 DESC LIMIT 20"
        ).fetchall()
    total = sum(n for n, _ in counts.values())
    figures = {
        "midib_score": sum(p for _, p in counts.values()) / total,
        "midib_worst_action": min(p / n for n, p in counts.values()),
        "midib_leaks": float(counts["text_removed"][0] - counts["text_removed"][1]),
    }
    return figures, {
        "instances": instances, "refused": refused, "checks": total,
        "by action": {a: {"checks": n, "passed": p} for a, (n, p) in counts.items()},
        "failed": failed, "not covered": ["pixels_hidden"],
    }  # fmt: skip


def _same_pixels(before: bytes, after: bytes) -> bool:
    """Whether all pixels are the same: decoded where comments and boxes were taken out."""
    pair = [pydicom.dcmread(io.BytesIO(content), force=True) for content in (before, after)]
    if pair[0].get("PixelData") == pair[1].get("PixelData"):
        return True
    try:
        first, second = (dataset.pixel_array for dataset in pair)
    except RuntimeError:  # no decoder for JPEG of 12 bits: the scans themselves, from SOS on
        scans = [
            dataset.PixelData.partition(_START_OF_SCAN)[2].rstrip(b"\0\xff") for dataset in pair
        ]
        return bool(scans[0]) and scans[0] == scans[1]
    return bool(np.array_equal(first, second))
