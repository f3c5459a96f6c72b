# SPDX-License-Identifier: Apache-2.0
"""The scans that the benchmarks send: CT-sized slices, and chest phantoms with unique UIDs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

CT_SIDE = 512


def ct_slices(folder: Path, count: int, seed: int = 1) -> list[Path]:
    """Write ``count`` slices of one series, 512 x 512, 16 bit, uncompressed, with real headers."""
    folder.mkdir(parents=True, exist_ok=True)
    source = get_testdata_file("CT_small.dcm")
    slice_ = pydicom.dcmread(str(source))
    generator = np.random.default_rng(seed)
    slice_.Rows = slice_.Columns = CT_SIDE
    slice_.StudyInstanceUID, slice_.SeriesInstanceUID = generate_uid(), generate_uid()
    slice_.PatientID = f"BENCH{seed}"
    pixels = generator.integers(-1000, 2000, (CT_SIDE, CT_SIDE), dtype=np.int16)
    paths = []
    for number in range(count):
        slice_.InstanceNumber = number + 1
        slice_.SOPInstanceUID = generate_uid()
        slice_.file_meta.MediaStorageSOPInstanceUID = slice_.SOPInstanceUID
        slice_.PixelData = np.roll(pixels, number).tobytes()
        paths.append(folder / f"{number:04}.dcm")
        slice_.save_as(paths[-1])
    return paths


def chest_phantoms(folder: Path, count: int, size: int, seed: int) -> list[Path]:
    """Write ``count`` chest phantoms of ``size`` x ``size`` pixels as DX."""
    command = [
        sys.executable, "-m", "plugin.demo.cli", "phantom", "chest",
        "--out", str(folder), "--count", str(count), "--size", str(size), "--seed", str(seed),
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob("*.dcm"))


def copies(sources: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """``count`` instances made of few images: each its own study, and bytes of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    read = [pydicom.dcmread(path) for path in sources]
    paths = []
    for number in range(count):
        image = read[number % len(read)]
        image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
        image.SOPInstanceUID = generate_uid()
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        paths.append(folder / f"{number:04}.dcm")
        image.save_as(paths[-1])
    return paths


def c_store(port: int, files: Sequence[Path], associations: int = 1) -> None:
    """Send over parallel associations, TCP_NODELAY set; returns when all are in."""
    environment = {**os.environ, "TCP_NODELAY": "1"}
    command = ["storescu", "-aet", "DEMO", "-aec", "ORTHANC", "127.0.0.1", str(port)]
    senders = [
        subprocess.Popen(
            [*command, *(str(file) for file in files[part::associations])],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for part in range(associations)
    ]  # fmt: skip
    codes = [sender.wait() for sender in senders]
    if any(codes):
        raise RuntimeError(f"storescu ended with {codes}")
