# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sample scans: real ones of the PyPI packages pydicom and pydicom-data (MIT), and phantoms."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from pydicom.data import get_testdata_file

SEED = 22


class Sample(NamedTuple):
    """One file to send, and how the table calls it."""

    name: str
    path: Path


REAL = (
    ("chest radiograph PA (real)", "RG1_UNCR.dcm"),
    ("tibia radiograph (real)", "RG3_UNCR.dcm"),
    ("CT slice 512 (real)", "693_UNCR.dcm"),
    ("CT slice (real)", "CT_small.dcm"),
    ("MR shoulder slice (real)", "MR2_UNCR.dcm"),
    ("ultrasound (real)", "US1_UNCR.dcm"),
)


def collect(folder: Path, phantoms: int = 4) -> list[Sample]:
    """Write the phantoms into ``folder`` and list them with the real scans.

    Real scans that are not installed are left out; the phantoms alone show the whole line.
    """
    return _phantoms(folder, phantoms) + _real()


def _phantoms(folder: Path, count: int) -> list[Sample]:
    _make("chest", folder / "chest", "--count", str(count), "--size", "2048", "--seed", str(SEED))
    _make("head", folder / "head", "--count", "1")
    chests = sorted((folder / "chest").glob("*.dcm"))
    heads = sorted((folder / "head").glob("*.dcm"))
    return [
        *(Sample(f"chest phantom {i}", path) for i, path in enumerate(chests, 1)),
        *(Sample("CT head phantom", path) for path in heads),
    ]


def _make(kind: str, folder: Path, *options: str) -> None:
    # A process of its own: the PHI zone does not import the zone of the models.
    command = [sys.executable, "-m", "plugin.demo.cli", "phantom", kind, "--out", str(folder)]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)


def _real() -> list[Sample]:
    found = ((name, get_testdata_file(file, download=False)) for name, file in REAL)
    return [Sample(name, Path(str(path))) for name, path in found if path]
