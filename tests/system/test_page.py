# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page and the buttons, in a real browser, on a real Orthanc with real results."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.demo.server import OrthancServer
from tests.plugin.web.chromium import PROGRAM, Chromium
from tests.system.pacs import finished, store
from tests.system.test_main_line import fresh

OUTPUT = Path(__file__).resolve().parents[1] / "output"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
]


@pytest.fixture
def browser(server: OrthancServer, tmp_path: Path) -> Iterator[Chromium]:
    page = Chromium(tmp_path / "profile")
    credentials = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
    page.call("Network.enable")
    page.call("Network.setExtraHTTPHeaders", headers={"Authorization": f"Basic {credentials}"})
    OUTPUT.mkdir(exist_ok=True)
    yield page
    page.close()


@pytest.fixture
def study(server: OrthancServer, phantoms: list[Path]) -> str:
    """A study with findings; others beside it fill the worklist."""
    chosen = ""
    for phantom in phantoms:
        stored = store(server, fresh(phantom))
        answer = finished(server, stored["ParentStudy"])
        if answer["scans"][0]["status"] == "findings":
            chosen = stored["ParentStudy"]
    assert chosen
    return chosen


def test_a_reader_goes_from_the_worklist_to_the_heat_map_by_keyboard(
    server: OrthancServer, browser: Chromium, study: str
) -> None:
    browser.open(f"{server.url}/sidelight/ui/")
    browser.wait_for("document.querySelectorAll('tbody tr').length > 2")
    browser.screenshot(OUTPUT / f"orthanc-{server.installation.name}-worklist.png")
    browser.press("j", "k", "Enter")
    browser.wait_for("location.hash.startsWith('#study=')")
    browser.open(f"{server.url}/sidelight/ui/index.html#study={study}")
    browser.wait_for(
        "(map => map && !map.hidden && map.dataset.keys"
        " && /^C -?[0-9]+ W [0-9]+$/.test(document.querySelector('.value').textContent))"
        "(document.querySelector('.found .map'))"
    )
    assert "not for clinical use" in browser.run("document.body.innerText").lower()
    browser.screenshot(OUTPUT / f"orthanc-{server.installation.name}-study.png")
    assert browser.complaints == []


def test_orthanc_explorer_has_a_button_to_the_page(
    server: OrthancServer, browser: Chromium, study: str
) -> None:
    browser.open(f"{server.url}/app/explorer.html#study?uuid={study}")
    browser.wait_for(
        "[...document.querySelectorAll('a, button')]"
        ".some(one => /sidelight/i.test(one.textContent) && one.offsetParent)",
        seconds=30,
    )
    browser.screenshot(OUTPUT / f"orthanc-{server.installation.name}-explorer.png")
