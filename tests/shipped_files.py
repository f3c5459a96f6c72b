# SPDX-License-Identifier: Apache-2.0
"""Real files that the packages pydicom and pydicom-data bring; nothing is fetched."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pydicom

_FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"


def shipped_files(pattern: str = "*.dcm") -> list[Path]:
    """Paths whose names fit, those of pydicom first.

    pydicom's ``get_testdata_files`` finds the same, but tries to download what is missing at every
    call.
    """
    try:
        packaged = files("pydicom-data") or []
    except PackageNotFoundError:
        packaged = []
    more = {Path(str(one.locate())) for one in packaged if one.match(pattern)}
    return sorted(_FOLDER.rglob(pattern)) + sorted(more)
