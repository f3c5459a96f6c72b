# SPDX-License-Identifier: AGPL-3.0-or-later
"""OHIF's published builds that the viewer tests open, fetched from npm once and kept.

Run as a program, it fetches them all: ``python -m tests.viewers.ohif_releases``.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

CACHE = Path.home() / ".cache" / "sidelight" / "ohif"
PACKAGE = "@ohif/app"
CORE_PACKAGE = "@ohif/core"


class NotAvailableError(RuntimeError):
    """The build can't be fetched here; says why."""


class Release(NamedTuple):
    """A version, and the digest that npm publishes of its archive."""

    version: str
    integrity: str


ORTHANC_PLUGIN = Release(
    "3.12.0",
    "sha512-D+SyPEOhW7E+P+ZfzFO1C3n8qwTfKSXExNEt2DPB5QHoLjSnUVTqEE+xaWX2B9p53boJfKWEM4b4SIVmz0qmOA==",
)
"""What Orthanc's OHIF plugin ships."""
NEWEST = Release(
    "3.13.2",
    "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA==",
)
RELEASES = (ORTHANC_PLUGIN, NEWEST)
CORE = Release(
    "3.13.2",
    "sha512-b9LGIRaYSaoBZPXQ8L3+Z30bZn0Arg0nv1XyuDsaDV9xrv7NWryhbDI7htz1ZXpUXKeZqlF6NPfhpIvMdBgxhg==",
)
"""What matches hanging protocols, for Node; npm has none of 3.12.0."""


def ohif_build(release: Release) -> Path:
    """Folder whose content belongs at the root of an origin.

    Raises:
        NotAvailableError: no npm, no network, or another archive than the pinned one.
    """
    return _fetched(PACKAGE, release, CACHE / release.version)


def ohif_core(release: Release = CORE) -> Path:
    """The bundle of OHIF's services.

    Raises:
        NotAvailableError: as above.
    """
    folder = _fetched(CORE_PACKAGE, release, CACHE / f"core-{release.version}")
    return folder / "ohif-core.umd.js"


def _fetched(package: str, release: Release, folder: Path) -> Path:
    with only_one():
        # It gets its name once all of it is there.
        if not folder.exists():
            _fetch(package, release, folder)
    return folder


def _fetch(package: str, release: Release, folder: Path) -> None:
    if shutil.which("npm") is None:
        raise NotAvailableError("npm is not installed")
    done = subprocess.run(
        ["npm", "pack", "--silent", f"{package}@{release.version}"],
        cwd=CACHE, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    if done.returncode != 0:
        raise NotAvailableError(f"npm pack failed: {done.stderr.strip()[-300:]}")
    archive = CACHE / done.stdout.split()[-1]
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != release.integrity:
        archive.unlink()
        raise NotAvailableError(f"{archive.name} is not the pinned archive")
    partial = CACHE / f"{folder.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(partial)  # noqa: S202 - the archive is the pinned one
    (partial / "package" / "dist").rename(folder)
    shutil.rmtree(partial)
    archive.unlink()


@contextmanager
def only_one() -> Iterator[None]:
    """Keep other processes from fetching at the same time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    for one in RELEASES:
        sys.stdout.write(f"{ohif_build(one)}\n")
    sys.stdout.write(f"{ohif_core()}\n")
