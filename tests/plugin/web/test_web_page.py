# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page in a real browser, from the keyboard."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from plugin.heatmaps.colours import STEPS, lookup_table
from plugin.states import ScanState, Status
from plugin.web.pages import _FILES
from tests.plugin.web.chromium import PROGRAM, Chromium
from tests.plugin.web.fake_archive import FakeArchive, FakeQueue, letterbox, spot_map
from tests.plugin.web.fake_orthanc import hospital, orthanc

OUTPUT = Path(__file__).parents[2] / "output"
PAGES = Path(__file__).parents[3] / "plugin" / "web" / "pages"

in_a_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed"),
]


class Hospital:
    """A served archive and a browser that looks at it."""

    def __init__(self, archive: FakeArchive, queue: FakeQueue, root: str, page: Chromium) -> None:
        self.archive, self.queue, self.root, self.page = archive, queue, root, page

    def study(self, patient: str) -> str:
        return next(
            name
            for name, study in self.archive.studies.items()
            if study["PatientMainDicomTags"]["PatientName"].startswith(patient)
        )

    def open_worklist(self) -> None:
        self.page.open("about:blank")
        self.page.open(f"{self.root}/sidelight/ui/")
        self.page.wait_for("document.querySelectorAll('tbody tr').length")

    def open_study(self, patient: str) -> None:
        self.page.open("about:blank")
        self.page.open(f"{self.root}/sidelight/ui/#study={self.study(patient)}")
        self.page.wait_for("document.querySelector('.patient') !== null")

    def chosen(self) -> str:
        return str(self.page.wait_for("document.querySelector('[aria-checked=true]').dataset.key"))

    def map_is_drawn(self) -> bool:
        return bool(
            self.page.wait_for(
                "(map => map && !map.hidden && map.complete && map.naturalWidth)"
                "(document.querySelector('.map'))"
            )
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    archive, queue = hospital()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(orthanc(archive, queue), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    page = Chromium(tmp_path_factory.mktemp("chromium"))
    try:
        root = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield Hospital(archive, queue, root, page)
    finally:
        page.close()
        server.should_exit = True
        thread.join(20)
        listener.close()


class TestPage:
    pytestmark = in_a_browser

    def test_a_reader_goes_from_worklist_to_heat_maps_and_back_by_keyboard(
        self, served: Hospital
    ) -> None:
        page = served.page
        served.open_worklist()
        page.wait_for("document.activeElement.classList.contains('row-link')")
        assert page.run("document.activeElement.textContent") == "Okafor, Amara"
        page.press("j", "j", "k")
        assert page.run("document.activeElement.textContent") == "Lindqvist, Dr. Karl Johan"
        page.screenshot(OUTPUT / "page-worklist.png")
        page.press("k", "Enter")
        assert served.chosen() == "pneumothorax"
        assert served.map_is_drawn()
        page.screenshot(OUTPUT / "page-study.png")
        page.press("2")
        assert served.chosen() == "pleural-effusion"
        page.press("j")
        assert served.chosen() == "consolidation"
        page.press("k", "k")
        assert served.chosen() == "pneumothorax"
        page.press("Escape")
        page.wait_for("document.querySelectorAll('tbody tr').length")
        page.wait_for("document.activeElement.textContent === 'Okafor, Amara'")
        assert page.complaints == []

    def test_overlay_opacity_smooth_and_level_obey_keys(self, served: Hospital) -> None:
        page = served.page
        served.open_study("Okafor")
        assert served.map_is_drawn()
        page.press("o")
        page.wait_for("document.querySelector('.map').hidden")
        page.press("o", "+")
        assert page.run("document.querySelector('.map').style.opacity") == "0.7"
        page.press("-", "-")
        assert page.run("document.querySelector('#opacity').value") == "50"
        page.press("s", "l")
        source = page.run("document.querySelector('.map').src")
        assert "smooth=false" in source
        assert "level=32" in source
        assert served.map_is_drawn()

    @pytest.mark.parametrize("patient", ["", "Okafor", "Abdi", "Novak"])
    def test_the_disclaimer_of_the_model_is_on_every_page_with_a_result(
        self, served: Hospital, patient: str
    ) -> None:
        if patient:
            served.open_study(patient)
        else:
            served.open_worklist()
        text = served.page.wait_for(
            "document.querySelector('.disclaimer:not([hidden])').textContent"
        )
        assert text == "Trained on phantoms, not for clinical use."

    def test_the_probability_under_the_pointer_is_shown(self, served: Hospital) -> None:
        served.open_study("Okafor")
        assert served.map_is_drawn()
        box = served.page.run(
            "(r => [r.x, r.y, r.width, r.height])"
            "(document.querySelector('.stack').getBoundingClientRect())"
        )
        x, y = box[0] + 0.27 * box[2], box[1] + 0.22 * box[3]

        def shown() -> bool:
            served.page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
            return bool(served.page.run("document.querySelector('.readout').textContent"))

        deadline = time.monotonic() + 20
        while not shown():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        cells = spot_map(64, 1955, 1841, (0.27, 0.22, 0.13, 0.91))
        extent = letterbox(1955, 1841)
        column = int((0.27 * 1841 - extent.left) / (extent.right - extent.left) * 64)
        said = f"Patch {round(float(cells[int(0.22 * 64), column]) * 100)} %"
        assert served.page.run("document.querySelector('.readout').textContent") == said

    def test_the_heat_map_lies_exactly_on_the_image(self, served: Hospital) -> None:
        served.open_study("Okafor")
        assert served.map_is_drawn()
        boxes = served.page.wait_for(
            "[...document.querySelectorAll('figure:last-child .stack img')]"
            ".map(i => JSON.stringify(i.getBoundingClientRect()))"
        )
        assert boxes[0] == boxes[1]
        ratio = served.page.run(
            "(i => i.clientWidth / i.clientHeight - i.naturalWidth / i.naturalHeight)"
            "(document.querySelector('.scan'))"
        )
        assert abs(ratio) < 0.01

    @pytest.mark.parametrize(
        ("patient", "words"),
        [
            ("Novak", "unlike those that the model was trained on"),
            ("Garcia", "pixel data is truncated"),
            ("Unseen", "has not seen this study yet"),
        ],
    )
    def test_a_scan_without_heat_maps_says_why(
        self, served: Hospital, patient: str, words: str
    ) -> None:
        served.open_study(patient)
        assert words in served.page.wait_for("document.querySelector('.saying').textContent")

    def test_another_scan_of_the_study_is_a_key_away(self, served: Hospital) -> None:
        served.open_study("Okafor")
        assert served.map_is_drawn()
        served.page.press("n")
        said = served.page.wait_for("document.querySelector('.saying').textContent")
        assert "No application for CT HEAD" in said
        served.page.press("p")
        assert served.chosen() == "pneumothorax"

    def test_no_findings_are_said_in_words_and_maps_stay_visible(self, served: Hospital) -> None:
        served.open_study("Abdi")
        assert served.chosen() == "nodule"
        text = served.page.run("document.querySelector('.rail.right').textContent")
        assert "None above threshold" in text

    def test_a_running_analysis_is_followed_until_it_ends(self, served: Hospital) -> None:
        served.open_study("Smith")
        assert "being analysed" in served.page.wait_for(
            "document.querySelector('.saying').textContent"
        )
        series = served.archive.studies[served.study("Smith")]["Series"][0]
        instance = served.archive.serieses[series]["Instances"][0]
        ended = ScanState(
            level="instance", resource=instance, status=Status.FAILED, reason="out of memory"
        )
        served.archive.set_state(ended)
        served.queue.pending.clear()
        time.sleep(0.1)
        served.page.wait_for(
            "document.querySelector('.saying').textContent.includes('Out of memory')"
        )

    def test_help_opens_by_its_key_and_closes(self, served: Hospital) -> None:
        served.open_worklist()
        served.page.press("?")
        served.page.wait_for("document.getElementById('help').open")
        served.page.press("Escape")
        served.page.wait_for("!document.getElementById('help').open")

    def test_the_filter_narrows_and_enter_goes_to_the_first_match(self, served: Hospital) -> None:
        served.open_worklist()
        served.page.press("/")
        served.page.wait_for("document.activeElement.type === 'search'")
        served.page.press(*"moreau")
        served.page.wait_for("document.querySelectorAll('tbody tr').length === 1")
        served.page.press("Enter")
        served.page.wait_for("document.activeElement.textContent === 'Moreau, Claire'")

    def test_orthanc_explorers_links_to_a_series_or_instance_find_the_study(
        self, served: Hospital
    ) -> None:
        series = served.archive.studies[served.study("Okafor")]["Series"][0]
        instance = served.archive.serieses[series]["Instances"][0]
        for kind, name in (("series", series), ("instance", instance)):
            served.page.open("about:blank")
            served.page.open(f"{served.root}/sidelight/ui/#{kind}={name}")
            assert served.page.wait_for("document.querySelector('.patient h1').textContent") == (
                "Okafor, Amara"
            )

    def test_no_patient_is_named_in_an_address(self, served: Hospital) -> None:
        served.open_study("Okafor")
        assert served.map_is_drawn()
        addresses = served.page.run(
            "[location.href, document.title, ...performance.getEntries().map(e => e.name)].join()"
        )
        for word in ("Okafor", "PID-", "ACC-"):
            assert word not in addresses

    def test_an_unknown_study_is_an_error_in_words(self, served: Hospital) -> None:
        served.page.open("about:blank")
        served.page.open(f"{served.root}/sidelight/ui/#study=nonsense")
        said = served.page.wait_for("document.querySelector('.notice.error').textContent")
        assert "can't be shown" in said


def test_every_file_of_the_page_is_served_and_holds_no_outside_address() -> None:
    there = {
        file.name for file in PAGES.iterdir() if file.suffix in {".html", ".js", ".css", ".svg"}
    }
    assert there - {"explorer.js"} == set(_FILES)
    for name in there:
        text = (PAGES / name).read_text()
        assert "//" not in text.replace("// ", "").replace("http://www.w3.org/2000/svg", ""), name


def test_the_legend_has_the_colours_of_the_heat_maps() -> None:
    table = lookup_table()
    colours = (table[round(eighth * (STEPS - 1) / 8)] for eighth in range(9))
    stops = ", ".join("#{:02x}{:02x}{:02x}".format(*colour) for colour in colours)
    assert stops in (PAGES / "style.css").read_text()
