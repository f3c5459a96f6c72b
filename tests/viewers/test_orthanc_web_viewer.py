# SPDX-License-Identifier: AGPL-3.0-or-later
"""Debian's orthanc-webviewer shows the original of a study that has results."""

from __future__ import annotations

import base64
import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.web.chromium import PROGRAM, Chromium
from tests.viewers.archive import PLUGINS, ViewerArchive
from tests.viewers.conftest import OUTPUT
from tests.viewers.studies import Study

CACHE = Path.home() / ".cache" / "sidelight" / "orthanc-webviewer"
LIBRARY = "usr/share/orthanc/plugins/libOrthancWebViewer.so"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
]

_NOT_BLANK = """(() => {
    const canvas = document.querySelector('canvas');
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    return new Set(pixels.filter((_, at) => at % 4 === 0)).size > 20;
})()"""


def _plugin() -> Path:
    """The plugin's library: Debian's package, unpacked into a folder, the system stays as it is."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "tree" / LIBRARY).exists():
            if shutil.which("apt-get") is None:
                pytest.skip("no apt-get to fetch orthanc-webviewer with")
            command = ["apt-get", "download", "-qq", "orthanc-webviewer"]
            done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                pytest.skip(f"orthanc-webviewer can't be fetched: {done.stderr.strip()[-200:]}")
            (package,) = CACHE.glob("*.deb")
            subprocess.run(["dpkg", "-x", str(package), str(CACHE / "tree")], check=True)
    return CACHE / "tree" / LIBRARY


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[ViewerArchive]:
    if not Path("/usr/sbin/Orthanc").exists():
        pytest.skip("Debian's orthanc is not installed")
    with ViewerArchive(tmp_path / "orthanc", (*PLUGINS, str(_plugin()))) as started:
        yield started


@pytest.fixture
def browser(archive: ViewerArchive, tmp_path: Path) -> Iterator[Chromium]:
    page = Chromium(tmp_path / "profile")
    credentials = base64.b64encode(f"{archive.user}:{archive.password}".encode()).decode()
    page.call("Network.enable")
    page.call("Network.setExtraHTTPHeaders", headers={"Authorization": f"Basic {credentials}"})
    yield page
    page.close()


@pytest.mark.parametrize("name", ["chest-findings", "ct"])
def test_the_original_is_shown_beside_its_results(
    archive: ViewerArchive, browser: Chromium, viewer_studies: dict[str, Study], name: str
) -> None:
    study = viewer_studies[name]
    archive.store(study)
    series = archive.client.get("/series?expand").json()
    assert len(series) == 1 + len(study.kinds)
    (original,) = [
        one["ID"] for one in series if one["MainDicomTags"]["Modality"] not in ("SR", "SEG", "PR")
    ]
    browser.open(f"{archive.url}/web-viewer/app/viewer.html?series={original}")
    browser.wait_for(_NOT_BLANK, 90.0)
    browser.screenshot(OUTPUT / "orthanc-webviewer" / f"{name}.png")
    assert [one for one in browser.complaints if "favicon" not in one] == []
