# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes the packages of Sidelight's environment visible to the Python inside Orthanc.

Standard library only: what it looks for may not be there, and then one line says so.
"""

from __future__ import annotations

import importlib.util
import os
import site
import sys
from collections.abc import Iterator
from pathlib import Path

NEEDED_INSIDE_ORTHANC = ("pydantic", "pydantic_core")


class EnvironmentMismatchError(RuntimeError):
    """The environment does not serve the Python inside Orthanc; says what to do."""


def activate(root: Path, configured: str) -> Path | None:
    """Find the environment, add its packages, and return its folder (None: the system's own).

    Args:
        root: folder that holds the package ``plugin``.
        configured: the key ``Sidelight.Environment``, or nothing.

    Raises:
        EnvironmentMismatchError: made for another Python, absent, or without the needed packages.
    """
    folder = _find(root, configured)
    if folder is not None:
        site.addsitedir(str(_packages(folder)))
    for name in NEEDED_INSIDE_ORTHANC:
        if importlib.util.find_spec(name) is None:
            where = str(folder) if folder else "this system's Python"
            raise EnvironmentMismatchError(
                f"{where} lacks the package {name}; run 'make install', or name the right "
                "environment in Sidelight.Environment"
            )
    return folder


def interpreter(folder: Path | None, configured: str) -> str:
    """The Python that runs the child processes; inside Orthanc ``sys.executable`` is Orthanc."""
    if configured:
        return configured
    if folder is not None and (folder / "bin" / "python").exists():
        return str(folder / "bin" / "python")
    return f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"


def _find(root: Path, configured: str) -> Path | None:
    if configured:
        if not Path(configured).is_dir():
            raise EnvironmentMismatchError(
                f"Sidelight.Environment = {configured!r}: there is no such folder"
            )
        return Path(configured)
    for candidate in _candidates(root):
        if (candidate / "pyvenv.cfg").exists():
            return candidate
    return None


def _candidates(root: Path) -> Iterator[Path]:
    if os.environ.get("SIDELIGHT_ENVIRONMENT"):
        yield Path(os.environ["SIDELIGHT_ENVIRONMENT"])
    yield root / ".venv"
    if root.name == "site-packages":  # installed into an environment, not run from a checkout
        yield root.parents[2]


def _packages(folder: Path) -> Path:
    if not (folder / "pyvenv.cfg").exists():
        return folder
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = folder / "lib" / version / "site-packages"
    if not packages.is_dir():
        found = ", ".join(sorted(path.name for path in (folder / "lib").glob("python*")))
        raise EnvironmentMismatchError(
            f"the environment {folder} is for {found or 'no Python'}, but Orthanc's Python plugin "
            f"embeds {version}; make one with '{version} -m venv' and name it in "
            "Sidelight.Environment"
        )
    return packages
