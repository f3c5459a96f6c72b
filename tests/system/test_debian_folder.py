# SPDX-License-Identifier: AGPL-3.0-or-later
"""The installation of the README, on the folder of configuration files that Debian packages."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.demo.server import OrthancServer, OrthancStartError
from tests.system.pacs import ROOT, finished, send

ETC = Path("/etc/orthanc")
PACKAGES = ("orthanc", "orthanc-python", "orthanc-dicomweb")
INSTALLED_AT = "/opt/sidelight"


class PackagedOrthanc(OrthancServer):
    """Debian's Orthanc as its service starts it: all files of a folder, nobody asked to log in."""

    def write_configuration(self) -> Path:
        """Only what keeps two Orthancs apart is changed: folders and ports."""
        etc = self.folder / "etc"
        if not etc.exists():
            shutil.copytree(ETC, etc)
            whole = (etc / "orthanc.json").read_text(encoding="utf-8")
            whole = whole.replace("/var/lib/orthanc/db-v6", str(self.folder / "db"))
            whole = re.sub(r'("HttpPort" : )\d+', rf"\g<1>{self.http_port}", whole)
            whole = re.sub(r'("DicomPort" : )\d+', rf"\g<1>{self.dicom_port}", whole)
            (etc / "orthanc.json").write_text(whole, encoding="utf-8")
        return etc


@pytest.fixture
def packaged(tmp_path: Path) -> Iterator[PackagedOrthanc]:
    """Debian's Orthanc, not yet started, with its packaged files."""
    files = packaged_files()
    changed = [str(file) for file, digest in files.items() if not is_as_packaged(file, digest)]
    others = set(ETC.glob("*")) - set(files)
    if not files or changed or others:
        pytest.skip(f"{ETC} is not as Debian's packages of Orthanc install it, or can't be read")
    server = PackagedOrthanc(tmp_path / "orthanc")
    server.folder.mkdir()
    server.write_configuration()
    yield server
    server.stop()
    server.client.close()


def packaged_files() -> dict[Path, str]:
    """MD5 of the configuration files, as the packages name it."""
    if shutil.which("dpkg-query") is None:
        return {}
    said = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Conffiles}\n", *PACKAGES],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if said.returncode != 0:
        return {}
    found = dict(line.split()[:2] for line in said.stdout.splitlines() if line.strip())
    return {Path(file): digest for file, digest in found.items() if Path(file).parent == ETC}


def is_as_packaged(file: Path, digest: str) -> bool:
    if not os.access(file, os.R_OK):
        return False
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == digest


def of_readme() -> str:
    """What the README has put into ``python.json``, for this checkout."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    step = readme[readme.index("2. On Debian") : readme.index("3. Copy")]
    assert "whole content of `/etc/orthanc/python.json`" in step
    (block,) = re.findall(r"^ *```json\n(.*?)^ *```", step, re.MULTILINE | re.DOTALL)
    return str(block).replace(INSTALLED_AT, str(ROOT))


def of_worklists() -> str:
    """What the integration of a RIS has put into ``worklists.json``."""
    text = (ROOT / "docs" / "ris-integration.md").read_text(encoding="utf-8")
    (section,) = re.findall(r'`("Worklists": .*)` in Orthanc\'s', text)
    return f"{{{section}}}"


def test_blocks_of_the_documentation_in_place_of_packaged_files_get_a_scan_analysed(
    packaged: PackagedOrthanc, phantoms: list[Path]
) -> None:
    (packaged.folder / "etc" / "python.json").write_text(of_readme(), encoding="utf-8")
    (packaged.folder / "etc" / "worklists.json").write_text(of_worklists(), encoding="utf-8")
    packaged.start()
    packaged.wait_ready()
    assert {"python", "worklists", "dicom-web"} <= set(packaged.client.get("/plugins").json())
    send(packaged, phantoms[:1])  # by a sender that nobody has entered
    (study,) = packaged.client.get("/studies").json()
    (scan,) = finished(packaged, study)["scans"]
    assert scan["status"] in ("findings", "no-findings")
    assert (packaged.folder / "db" / "sidelight" / "deidentification.key").exists()


def test_a_section_in_two_files_stops_orthanc_as_the_readme_says(
    packaged: PackagedOrthanc,
) -> None:
    (packaged.folder / "etc" / "sidelight.json").write_text(of_readme(), encoding="utf-8")
    with pytest.raises(OrthancStartError, match="has ended"):
        packaged.start()
    assert "PythonScript" in packaged.log.read_text(encoding="utf-8", errors="replace")
