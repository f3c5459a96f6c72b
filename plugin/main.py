# SPDX-License-Identifier: AGPL-3.0-or-later
"""The script that Orthanc's Python plugin loads (keys PythonScript and Python.Path).

A PACS must not stand still because of an add-on. When Sidelight can't start, this says why in one
line of Orthanc's log and on ``/sidelight/status``, and Orthanc goes on without it.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _see_packages_not_modules() -> None:
    # Orthanc puts this file's folder first, where ``queue`` would be ours and not Python's.
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != ROOT / "plugin"]
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))


_see_packages_not_modules()

from plugin import startup  # noqa: E402

startup.start(ROOT)
