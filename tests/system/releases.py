# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Orthanc releases that the system tests run on: Debian's own, and a newer one beside it.

The newer one is fetched from Debian's archive with an apt state of its own and unpacked into a
folder: the machine's packages stay as they are. It runs through its own dynamic loader.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plugin.demo.server import Installation

SUITE = "trixie"
CACHE = Path.home() / ".cache" / "sidelight" / "orthanc-trixie"
PACKAGES = ("orthanc", "orthanc-python", "orthanc-dicomweb")
EMBEDDED_PYTHON = "3.13"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_MIRROR = "http://deb.debian.org/debian"


class NotAvailableError(RuntimeError):
    """The release can't be fetched here; says why."""


def newer_installation() -> Installation:
    """Orthanc 1.12.7 with Python plugin 5.0, fetched once and kept.

    Raises:
        NotAvailableError: no apt, no network, or no such packages.
    """
    tree = CACHE / "tree"
    with _only_one():
        if not (tree / "usr/sbin/Orthanc").exists():
            _fetch()
    loader = tree / "usr/lib64/ld-linux-x86-64.so.2"
    libraries = ":".join(
        str(tree / path) for path in ("usr/lib/x86_64-linux-gnu", "usr/lib", "usr/lib/orthanc")
    )
    return Installation(
        "trixie",
        [str(loader), "--library-path", libraries, str(tree / "usr/sbin/Orthanc")],
        tree / "usr/share/orthanc/plugins",
        {
            "PYTHONHOME": str(tree / "usr"),
            "DCMDICTPATH": str(tree / "usr/share/dcmtk/dicom.dic"),
        },
    )


def newer_environment() -> Path:
    """The packages that Orthanc's process needs, for the Python that the newer plugin embeds.

    Raises:
        NotAvailableError: the packages can't be fetched.
    """
    folder = CACHE / f"site-{EMBEDDED_PYTHON}"
    with _only_one():
        if not (folder / "pydantic").exists():
            _run(
                [
                    sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder),
                    "--python-version", EMBEDDED_PYTHON, "--only-binary=:all:", "pydantic",
                ]
            )  # fmt: skip
    return folder


def _fetch() -> None:
    if shutil.which("apt-get") is None or not Path(_KEYRING).exists():
        raise NotAvailableError("no apt-get with Debian's keyring")
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (CACHE / folder).mkdir(parents=True, exist_ok=True)
    sources = CACHE / "sources.list"
    sources.write_text(f"deb [signed-by={_KEYRING}] {_MIRROR} {SUITE} main\n", encoding="ascii")
    (CACHE / "state/status").touch()
    options = [
        f"Dir::State={CACHE}/state", f"Dir::State::status={CACHE}/state/status",
        f"Dir::Cache={CACHE}/cache", f"Dir::Etc::SourceList={sources}",
        "Dir::Etc::SourceParts=/dev/null", "APT::Sandbox::User=root",
    ]  # fmt: skip
    apt = ["apt-get", *(word for option in options for word in ("-o", option))]
    _run([*apt, "-qq", "update"])
    _run([*apt, "-qq", "-y", "--download-only", "--no-install-recommends", "install", *PACKAGES])
    partial = CACHE / "tree.partial"
    shutil.rmtree(partial, ignore_errors=True)
    for package in sorted((CACHE / "cache/archives").glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(partial)])
    partial.rename(CACHE / "tree")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    if done.returncode != 0:
        raise NotAvailableError(f"{command[0]} failed: {done.stderr.strip()[-300:]}")


@contextmanager
def _only_one() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
