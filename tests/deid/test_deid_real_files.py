# SPDX-License-Identifier: Apache-2.0
"""Real files of many vendors: each ends as a valid scan or a typed error."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pydicom
import pytest

from deid import DeidentificationError, DeidentifiedScan, Deidentifier, Option
from deid.codestreams import KNOWN
from tests.deid.made_scans import KEY, PIPELINE
from tests.shipped_files import shipped_files

SHARED = Path(__file__).parents[3] / "shared" / "data"
SHIPPED = shipped_files()
ALL_OPTIONS = tuple(set(Option) - {Option.FULL_DATES})
NAMES = (0x00100010, 0x00080090, 0x00081050, 0x00081070, 0x00081060)
IDENTIFIERS = (0x00100020, 0x00080050, 0x0020000D, 0x0020000E, 0x00080018)
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared/data is not here")
needs_dciodvfy = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed"
)

# Damaged files that dciodvfy gives up on, so that their errors can't be compared.
UNJUDGED = "Information Object Not found|read failed|Seek failed"


def shared_files() -> list[Path]:
    files = [f for name in ("pydicom-data", "transfer-syntaxes") for f in (SHARED / name).iterdir()]
    return sorted(files) + sorted((SHARED / "mr-nih").rglob("*.dcm"))[::25]


def results(files: list[Path], options: tuple[Option, ...]) -> list[tuple[Path, DeidentifiedScan]]:
    """The scans of the files that have one; anything but a typed error fails the test."""
    deidentifier, scans = Deidentifier(KEY, options), []
    for file in files:
        try:
            scan = deidentifier.deidentify(file)
        except DeidentificationError:
            continue
        assert scan.header_json()
        scans.append((file, scan))
    return scans


def identifiers_of(file: Path) -> set[bytes]:
    """Names and identifiers of a file's header that are long enough to be looked for."""
    dataset = pydicom.dcmread(file, force=True, stop_before_pixels=True)
    found = set()
    for tag in (*NAMES, *IDENTIFIERS):
        value = str(dataset[tag].value) if tag in dataset else ""
        parts = re.split(r"[\^\s]+", value) if tag in NAMES else [value]
        found |= {part.encode("ascii", "ignore") for part in parts if len(part) >= 6}
    # "Anonymous", "ANON", "Philips": words of the standard and of vendors, which stay elsewhere.
    return {word for word in found if not word.isalpha()}


def check(files: list[Path], options: tuple[Option, ...]) -> int:
    scans = results(files, options)
    for file, scan in scans:
        output = scan.to_bytes()
        dataset = pydicom.dcmread(io.BytesIO(output), stop_before_pixels=True)
        assert dataset.PatientIdentityRemoved == "YES"
        assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
        assert not any(tag.is_private for tag, _ in dataset.items())
        leaked = [word for word in identifiers_of(file) if word in output]
        assert leaked == [], file.name
    return len(scans)


@pytest.mark.parametrize("options", [(), PIPELINE], ids=["strict basic", "pipeline"])
def test_every_file_that_pydicom_ships_ends_as_scan_or_typed_error(options) -> None:
    assert check(SHIPPED, options) > 60


@needs_shared
@pytest.mark.parametrize("options", [(), PIPELINE], ids=["strict basic", "pipeline"])
def test_every_shared_file_ends_as_scan_or_typed_error(options) -> None:
    assert check(shared_files(), options) > 100


@needs_shared
def test_every_shared_file_passes_with_all_options_at_once() -> None:
    assert len(results(shared_files(), ALL_OPTIONS)) > 100


@needs_shared
def test_the_pixels_of_every_shared_file_stay_as_they_are() -> None:
    compared = 0
    for file, scan in results(shared_files(), PIPELINE):
        before = pydicom.dcmread(file, force=True)
        after = pydicom.dcmread(io.BytesIO(scan.to_bytes()))
        if "PixelData" in before and "PixelData" in after:
            assert coded(after) == coded(before), file.name
            compared += 1
    assert compared > 100


def coded(dataset: pydicom.Dataset) -> bytes:
    """Native pixels as they are; compressed ones decoded, where they can be."""
    if dataset.file_meta.get("TransferSyntaxUID") not in KNOWN:
        return bytes(dataset.PixelData)
    try:
        return dataset.pixel_array.tobytes()
    except (RuntimeError, ValueError, AttributeError, NotImplementedError):
        return b"undecodable"


def dciodvfy_errors(file: Path) -> Counter[str]:
    run = subprocess.run(
        ["dciodvfy", "-new", str(file)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    lines = [line for line in run.stderr.splitlines() if line.startswith("Error")]
    # Values and item numbers differ; what is wrong with which attribute does not.
    return Counter(re.sub(r"= <[^>]*>|\d+\.[\d.]{8,}", "", line) for line in lines)


def new_errors(files: list[Path], options: tuple[Option, ...], made: Path) -> tuple[int, list[str]]:
    judged, found = 0, []
    for file, scan in results(files, options):
        before = dciodvfy_errors(file)
        deflated = scan.transfer_syntax_uid.endswith(".1.99")
        if deflated or any(re.search(UNJUDGED, line) for line in before):
            continue
        made.write_bytes(scan.to_bytes())
        judged += 1
        found += [f"{file.name}: {line}" for line in dciodvfy_errors(made) - before]
    return judged, found


@needs_dciodvfy
@pytest.mark.parametrize("options", [(), PIPELINE], ids=["strict basic", "pipeline"])
def test_no_file_that_pydicom_ships_has_new_dciodvfy_errors(options, tmp_path) -> None:
    judged, found = new_errors(SHIPPED, options, tmp_path / "made.dcm")

    assert judged > 40
    assert found == []


@needs_shared
@needs_dciodvfy
@pytest.mark.parametrize("options", [(), PIPELINE], ids=["strict basic", "pipeline"])
def test_no_shared_file_has_new_dciodvfy_errors(options, tmp_path) -> None:
    judged, found = new_errors(shared_files(), options, tmp_path / "made.dcm")

    assert judged > 80
    assert found == []
