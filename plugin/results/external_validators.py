# SPDX-License-Identifier: AGPL-3.0-or-later
"""Validators of others, run on a private temporary file where they are installed.

``dciodvfy`` is of David Clunie's dicom3tools, ``dsrdump`` and ``dcmpschk`` are of DCMTK,
``pixelmed`` is the SR validator of David Clunie's PixelMed toolkit. They see the object with a
stand-in for patient and study: the file on disk and the words that come back name nobody, and the
original's own faults, which go over as they are, aren't held against the result.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from copy import deepcopy
from pathlib import Path

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage, SegmentationStorage

from plugin.results import header as read
from plugin.results import uids
from plugin.results.identity import copy_identity, forget_identity
from plugin.results.objects import ResultObject, Validator

SECONDS = 10.0
PIXELMED_SECONDS = 60.0
PIXELMED = Path("/usr/share/java/pixelmed.jar")
"""Where Debian's libpixelmed-java puts it."""
_MOST_ERRORS = 20
_ARGUMENTS: dict[Validator, tuple[str, ...]] = {
    "dciodvfy": (),
    "dsrdump": ("-q",),
    "dcmpschk": (),
    # Java's own limits on XPath expressions are below what the template's rules need.
    "pixelmed": (
        *(f"-Djdk.xml.xpath{what}=0" for what in ("ExprOpLimit", "TotalOpLimit", "ExprGrpLimit")),
        "-cp",
        str(PIXELMED),
        "com.pixelmed.validate.DicomSRValidator",
    ),
}
_ERROR = re.compile(r"^(?:E:|F:|Error\b|.* - Error\b|Abort\b)")
_LEGAL_UID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")


def external_errors(obj: ResultObject, validators: Iterable[Validator]) -> list[str]:
    """What the installed ones among ``validators`` find; those not installed find nothing."""
    applicable = [name for name in validators if _applies(name, obj) and is_installed(name)]
    if not applicable:
        return []
    with tempfile.TemporaryDirectory(prefix="sidelight-") as folder:
        path = Path(folder) / "object.dcm"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(ResultObject(obj.kind, _stand_in(obj.dataset)).to_bytes())
        found = [error for name in applicable for error in _run(name, path)]
    return list(dict.fromkeys(found))[:_MOST_ERRORS]


def is_installed(name: Validator) -> bool:
    """Whether a validator can be run here."""
    if name == "pixelmed":
        return PIXELMED.is_file() and shutil.which("java") is not None
    return shutil.which(name) is not None


def _stand_in(dataset: Dataset) -> Dataset:
    copy = Dataset()
    copy.update(dataset)
    copy.file_meta = dataset.file_meta
    forget_identity(copy)
    nobody = Dataset()
    nobody.PatientName = "Stand^In"
    nobody.PatientID = "1"
    nobody.StudyInstanceUID = read.text(dataset, "StudyInstanceUID")
    copy_identity(nobody, copy)
    if read.text(dataset, "SegmentationType") == "LABELMAP":
        copy = _as_fractional(copy)
    return _with_legal_uids(copy)


def _as_fractional(dataset: Dataset) -> Dataset:
    """A label map in the shape of the segmentation that is nearest to it.

    Debian's dciodvfy (2022) knows no Label Map Segmentation; all that the two have in common is
    checked this way.
    """
    pixels = dataset.pop("PixelData", None)
    known = deepcopy(dataset)
    known.SOPClassUID = known.file_meta.MediaStorageSOPClassUID = SegmentationStorage
    known.SegmentationType = "FRACTIONAL"
    known.SegmentationFractionalType = "OCCUPANCY"
    known.MaximumFractionalValue = 255
    known.SegmentSequence = [item for item in known.SegmentSequence if item.SegmentNumber]
    del known.PixelPaddingValue
    identification = Dataset()
    identification.ReferencedSegmentNumber = 1
    for frame in known.PerFrameFunctionalGroupsSequence:
        frame.SegmentIdentificationSequence = [identification]
    if pixels is not None:
        known[pixels.tag] = pixels
    return known


def _with_legal_uids(dataset: Dataset) -> Dataset:
    """UIDs of our own are right by construction; the original's may not be."""
    if all(_is_legal(element) for element in dataset.iterall() if element.VR == "UI"):
        return dataset
    pixels = dataset.pop("PixelData", None)
    legal = deepcopy(dataset)
    legal.walk(_replace_uid)
    if pixels is not None:
        legal[pixels.tag] = pixels
    return legal


def _replace_uid(_dataset: Dataset, element: DataElement) -> None:
    if element.VR == "UI" and not _is_legal(element):
        element.value = uids.derive("stand-in", str(element.value))


def _is_legal(element: DataElement) -> bool:
    text = str(element.value)
    return not text or (len(text) <= 64 and _LEGAL_UID.fullmatch(text) is not None)


def _applies(name: Validator, obj: ResultObject) -> bool:
    if name == "dsrdump":
        return obj.kind in ("SR", "KO")
    if name == "pixelmed":
        return obj.kind == "SR"
    if name == "dcmpschk":
        # dcmpschk knows no other presentation state.
        sop_class = read.text(obj.dataset, "SOPClassUID")
        return sop_class == str(GrayscaleSoftcopyPresentationStateStorage)
    return True


def _run(name: Validator, path: Path) -> list[str]:
    program, seconds = ("java", PIXELMED_SECONDS) if name == "pixelmed" else (name, SECONDS)
    command: Sequence[str] = (program, *_ARGUMENTS[name], str(path))
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=seconds, check=False, cwd=path.parent
        )
    except subprocess.TimeoutExpired:
        return [f"{name}: no answer within {seconds:.0f} s"]
    except OSError as error:
        return [f"{name}: can't be started: {error.strerror}"]
    said = (done.stderr + done.stdout).decode("utf-8", "replace").replace(str(path), "object")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = _state_errors(lines) if name == "dcmpschk" else _marked_errors(lines, done.returncode)
    return [f"{name}: {error}" for error in errors]


def _marked_errors(lines: Sequence[str], code: int) -> list[str]:
    errors = [line for line in lines if _ERROR.match(line)]
    return errors or ([f"ended with code {code}"] if code != 0 else [])


def _state_errors(lines: Sequence[str]) -> list[str]:
    """dcmpschk ends with 0 in any case; only its last line tells, the others tell why."""
    if any("Test passed" in line for line in lines):
        return []
    return [line for line in lines if "Testing" not in line] or ["no verdict"]
