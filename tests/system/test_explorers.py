# SPDX-License-Identifier: AGPL-3.0-or-later
"""Buttons of Orthanc Explorer in a real browser, and those for Orthanc Explorer 2."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from plugin.demo.server import OrthancServer
from plugin.routes import ROUTES, pattern
from tests.plugin.web.chromium import PROGRAM, Chromium
from tests.system.pacs import finished, store
from tests.system.test_main_line import fresh

SNIPPET = Path(__file__).resolve().parents[2] / "docker" / "orthanc-explorer-2.json"
BUTTONS: dict[str, list[dict[str, Any]]] = json.loads(SNIPPET.read_text(encoding="utf-8"))[
    "OrthancExplorer2"
]["UiOptions"]["CustomButtons"]
PAGE = "/ui/app/index.html"
"""Where Orthanc Explorer 2 lies, with its default Root."""

KEYS = {
    "GET": {"HttpMethod", "Id", "Tooltip", "Icon", "Target", "Url"},
    "POST": {"HttpMethod", "Id", "Tooltip", "Icon", "Url", "Payload", "Refresh"},
}
"""As Orthanc Explorer 2 documents them in its default configuration, since its version 1.8.0."""

in_a_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def stored(server: OrthancServer, phantoms: list[Path]) -> dict[str, str]:
    answer = store(server, fresh(phantoms[0]))
    finished(server, answer["ParentStudy"])
    return {
        "study": answer["ParentStudy"],
        "series": answer["ParentSeries"],
        "instance": answer["ID"],
    }


@pytest.fixture(scope="module")
def browser(server: OrthancServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    page = Chromium(tmp_path_factory.mktemp("profile"))
    credentials = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
    page.call("Network.enable")
    page.call("Network.setExtraHTTPHeaders", headers={"Authorization": f"Basic {credentials}"})
    yield page
    page.close()


def address(button: dict[str, Any], identifier: str) -> str:
    """The address as Orthanc Explorer 2 documents it: placeholders filled in, then relative."""
    filled = button["Url"].replace("{UUID}", identifier)
    assert "{" not in filled, "only the placeholder that every version knows"
    return urljoin(PAGE, filled)


class TestOrthancExplorer:
    pytestmark = in_a_browser

    @pytest.mark.parametrize("level", ["study", "series", "instance"])
    def test_a_button_on_every_level_leads_to_that_scan(
        self, server: OrthancServer, browser: Chromium, stored: dict[str, str], level: str
    ) -> None:
        browser.open("about:blank")
        browser.open(f"{server.url}/app/explorer.html#{level}?uuid={stored[level]}")
        button = f"document.getElementById('{level}-sidelight')"
        browser.wait_for(f"{button} && {button}.offsetParent !== null", seconds=30)
        browser.run(f"{button}.click()")
        browser.wait_for("location.pathname.endsWith('/sidelight/ui/index.html')")
        browser.wait_for("document.querySelector('.patient') !== null")
        assert browser.run("document.querySelector('.notice.error') === null")


class TestOrthancExplorer2:
    def test_every_button_has_exactly_the_documented_keys(self) -> None:
        assert set(BUTTONS) == {"study", "series", "instance"}
        for button in (button for level in BUTTONS.values() for button in level):
            assert set(button) == KEYS[button["HttpMethod"]], button["Id"]
            assert button["Icon"].startswith("bi bi-")

    def test_the_identifiers_of_the_buttons_are_unique(self) -> None:
        names = [button["Id"] for level in BUTTONS.values() for button in level]
        assert len(names) == len(set(names))

    def test_every_address_is_one_of_ours(self) -> None:
        for button in (button for level in BUTTONS.values() for button in level):
            path = urlsplit(address(button, "0" * 8)).path
            fitting = [r for r in ROUTES if re.fullmatch(pattern(r), path)]
            assert button["HttpMethod"] in fitting[0].methods, path

    @pytest.mark.parametrize("level", ["study", "series", "instance"])
    @pytest.mark.browser
    @pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")
    def test_what_the_button_opens_shows_that_scan(
        self, server: OrthancServer, browser: Chromium, stored: dict[str, str], level: str
    ) -> None:
        browser.open("about:blank")
        browser.open(server.url + address(BUTTONS[level][0], stored[level]))
        browser.wait_for("document.querySelector('.patient') !== null")
        assert browser.run("document.querySelector('.notice.error') === null")

    def test_analyse_again_takes_the_payload_that_the_button_sends(
        self, server: OrthancServer, stored: dict[str, str]
    ) -> None:
        button = next(one for one in BUTTONS["study"] if one["HttpMethod"] == "POST")
        answer = server.client.post(address(button, stored["study"]), json=button["Payload"])
        assert answer.status_code == 202
        finished(server, stored["study"])

    def test_the_analyse_button_of_a_page_elsewhere_is_refused(
        self, server: OrthancServer, stored: dict[str, str]
    ) -> None:
        path = address(BUTTONS["study"][1], stored["study"])
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert server.client.post(path, json={}, headers=headers).status_code == 403
