# SPDX-License-Identifier: AGPL-3.0-or-later
"""Over whole sets of files: validity by ``dciodvfy``, references, and a dictionary attack."""

from __future__ import annotations

import hashlib
import hmac
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from deid import DeidentificationError, DeidentificationKey, Deidentifier, Option
from tests.deid.made_scans import ct, file_of
from tests.deid.test_deid_real_files import UNJUDGED, dciodvfy_errors

_OPTIONS = (Option.CLEAN_DESCRIPTORS, Option.MODIFIED_DATES)
_ROOT = "1.2.826.0.1.3680043.9.6666"
_SR, _RT, _SEG, _PR = (
    "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.481.3",
    "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.11.1",
)  # fmt: skip
_SPACE = 10**8


def measure(quick: bool) -> tuple[dict[str, float | None], dict[str, object]]:
    """The figures of the three parts."""
    deidentifier = Deidentifier(DeidentificationKey.generate(), _OPTIONS)
    errors, validity = _errors_added(deidentifier, quick)
    resolved, references = _references(deidentifier)
    recovered, attack = _dictionary(deidentifier, 200_000 if quick else 2_000_000)
    figures = {
        "dciodvfy_errors_added": errors,
        "references_resolved": resolved,
        "dictionary_recovered": recovered,
    }
    return figures, {"dciodvfy": validity, "references": references, "attack": attack}


def _errors_added(
    deidentifier: Deidentifier, quick: bool
) -> tuple[float | None, dict[str, object]]:
    """Errors in the outputs that the originals don't have."""
    if shutil.which("dciodvfy") is None:
        return None, {"why": "dciodvfy is not installed"}
    files = sorted((Path(pydicom.__file__).parent / "data").rglob("*.dcm"))[:: 5 if quick else 1]
    compared, unjudged, new = 0, 0, Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.dcm"
        for file in files:
            try:
                output.write_bytes(deidentifier.deidentify(file).to_bytes())
            except DeidentificationError:
                continue
            before = dciodvfy_errors(file)
            if any(re.search(UNJUDGED, line) for line in before):
                # Where it gives up on the original there is nothing to compare.
                unjudged += 1
                continue
            compared += 1
            new.update(dciodvfy_errors(output) - before)
    return float(new.total()), {
        "files": compared, "given up on by dciodvfy": unjudged, "new": dict(new.most_common(20))
    }  # fmt: skip


def _study() -> list[Dataset]:
    """Twelve slices of two series and four objects that refer to them, at several depths."""
    images = [
        ct(
            StudyInstanceUID=f"{_ROOT}.1",
            SeriesInstanceUID=f"{_ROOT}.1.{number // 6}",
            SOPInstanceUID=f"{_ROOT}.2.{number}",
            FrameOfReferenceUID=f"{_ROOT}.3",
        )
        for number in range(12)
    ]
    made = list(images)
    for at, sop_class in enumerate((_SR, _RT, _SEG, _PR)):
        made.append(_referring(sop_class, at, images))
    return made


def _referring(sop_class: str, at: int, images: list[Dataset]) -> Dataset:
    dataset = ct(
        SOPClassUID=sop_class,
        StudyInstanceUID=f"{_ROOT}.1",
        SeriesInstanceUID=f"{_ROOT}.1.9{at}",
        SOPInstanceUID=f"{_ROOT}.2.9{at}",
        FrameOfReferenceUID=f"{_ROOT}.3",
    )
    items = []
    for image in images:
        item = Dataset()
        item.ReferencedSOPClassUID = image.SOPClassUID
        item.ReferencedSOPInstanceUID = image.SOPInstanceUID
        items.append(item)
    series = Dataset()
    series.SeriesInstanceUID = images[0].SeriesInstanceUID
    holder = {_SR: "ReferencedSOPSequence", _RT: "ContourImageSequence"}
    setattr(series, holder.get(sop_class, "ReferencedInstanceSequence"), Sequence(items))
    if sop_class == _SR:
        study = Dataset()
        study.StudyInstanceUID = f"{_ROOT}.1"
        study.ReferencedSeriesSequence = Sequence([series])
        dataset.CurrentRequestedProcedureEvidenceSequence = Sequence([study])
    elif sop_class == _RT:
        study, frame = Dataset(), Dataset()
        study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
        study.ReferencedSOPInstanceUID = f"{_ROOT}.1"
        study.RTReferencedSeriesSequence = Sequence([series])
        frame.FrameOfReferenceUID = f"{_ROOT}.3"
        frame.RTReferencedStudySequence = Sequence([study])
        dataset.ReferencedFrameOfReferenceSequence = Sequence([frame])
    else:
        dataset.ReferencedSeriesSequence = Sequence([series])
    return dataset


def _references(deidentifier: Deidentifier) -> tuple[float, dict[str, object]]:
    """References in the output that name something of the output, of all in the source."""
    sources = _study()
    expected = sum(1 for dataset in sources for _ in _referred(dataset))
    outputs = [deidentifier.deidentify(file_of(dataset)).dataset for dataset in sources]
    known = {
        str(output[key].value)
        for output in outputs
        for key in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
                    "FrameOfReferenceUID")
    }  # fmt: skip
    found = [uid for output in outputs for uid in _referred(output)]
    dangling = sum(uid not in known for uid in found)
    return (len(found) - dangling) / expected, {"references": expected, "dangling": dangling}


def _referred(dataset: Dataset) -> Iterator[str]:
    for element in dataset:
        if element.VR != "SQ":
            continue
        for item in element.value:
            for inner in item:
                if inner.VR == "UI" and not str(inner.value).startswith("1.2.840.10008"):
                    yield str(inner.value)
            yield from _referred(item)


def _dictionary(deidentifier: Deidentifier, guesses: int) -> tuple[float, dict[str, object]]:
    """Tries record numbers with the unkeyed hashes that peers use, and with wrong keys.

    The victims' numbers are among those tried, so that a hit needs no luck.
    """
    victims = [f"{number:08}" for number in range(11, guesses, max(1, guesses // 50))]
    outputs = {}
    for victim in victims:
        dataset = deidentifier.deidentify(file_of(ct(PatientID=victim))).dataset
        outputs[str(dataset.PatientID)] = victim
    wrong = Deidentifier(DeidentificationKey(bytes(32)), _OPTIONS)
    recovered = sum(
        str(wrong.deidentify(file_of(ct(PatientID=victim))).dataset.PatientID) in outputs
        for victim in victims
    )
    begun = time.process_time()
    for number in range(guesses):
        recovered += not _looks(f"{number:08}".encode()).isdisjoint(outputs)
    seconds = time.process_time() - begun
    return float(recovered), {
        "tried": guesses,
        "victims among them": len(victims),
        "extrapolated to": f"{_SPACE} numbers: {recovered * _SPACE / guesses:g} recovered, "
        f"{seconds * _SPACE / guesses:.0f} CPU s",
    }


def _looks(number: bytes) -> set[str]:
    """How common unkeyed hashes and a known key would write a number."""
    import base64  # noqa: PLC0415

    digests = [hashlib.new(name, number).digest() for name in ("md5", "sha1", "sha256")]
    digests.append(hmac.digest(b"", number, "sha256"))
    looks = {base64.b32encode(digest[:10]).decode() for digest in digests}
    return looks | {digest.hex()[:16].upper() for digest in digests}
