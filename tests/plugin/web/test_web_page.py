# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page in a real browser, from the keyboard."""

from __future__ import annotations

import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import uvicorn

from plugin.doors.outbox import Outbox
from plugin.heatmaps.colours import STEPS, lookup_table
from plugin.review.ledger import Judgement
from plugin.review.remediation import timestamp
from plugin.states import ScanState, Status
from plugin.web.pages import _FILES
from plugin.web.reviews import Reviewing
from tests.plugin.web.chromium import PROGRAM, Chromium
from tests.plugin.web.fake_archive import FakeArchive, FakeQueue, letterbox, spot_map
from tests.plugin.web.fake_orthanc import hospital, orthanc, stored_values
from tests.plugin.web.small_site import taking_reviews

OUTPUT = Path(__file__).parents[2] / "output"
PAGES = Path(__file__).parents[3] / "plugin" / "web" / "pages"

in_a_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed"),
]


class Hospital:
    """A served archive and a browser that looks at it."""

    def __init__(
        self,
        archive: FakeArchive,
        queue: FakeQueue,
        taking: Reviewing,
        outbox: Outbox,
        root: str,
        page: Chromium,
    ) -> None:
        self.archive, self.queue, self.taking, self.outbox = archive, queue, taking, outbox
        self.root, self.page = root, page

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

    def place(self, across: float, down: float, pane: str = ".found") -> tuple[float, float]:
        """Where on the screen a place of a picture is, given as shares of it."""
        box = self.page.run(
            "(r => [r.x, r.y, r.width, r.height])"
            f"(document.querySelector('{pane} .stack').getBoundingClientRect())"
        )
        return box[0] + across * box[2], box[1] + down * box[3]

    def mouse(self, kind: str, at: tuple[float, float], **more: object) -> None:
        self.page.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], **more)

    def click(self, across: float, down: float, pane: str = ".found") -> None:
        at = self.place(across, down, pane)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, at, button="left", clickCount=1)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.mouse("mousePressed", start, button="left", clickCount=1)
        for share in (0.3, 0.6, 1.0):
            at = tuple(a + share * (b - a) for a, b in zip(start, end, strict=True))
            self.mouse("mouseMoved", at, button="left", buttons=1)
        self.mouse("mouseReleased", end, button="left", clickCount=1)

    def greys(self) -> list[int]:
        """Some grey values of the original as it is shown."""
        return list(
            self.page.run(
                "(c => [...c.getContext('2d').getImageData(0, c.height >> 1, c.width, 1).data]"
                ".filter((v, at) => at % 40 === 0))"
                "(document.querySelector('figure:first-child .scan'))"
            )
        )

    def pixels_are_here(self) -> None:
        self.page.wait_for(
            "/^C -?[0-9]+ W [0-9]+$/.test(document.querySelector('.value').textContent)"
        )

    def map_is_drawn(self) -> bool:
        return bool(
            self.page.wait_for(
                "(map => map && !map.hidden && map.dataset.keys"
                " && map.getContext('2d').getImageData(0, 0, map.width, map.height)"
                ".data.some((value, at) => at % 4 === 3 && value > 20))"
                "(document.querySelector('.found .map'))"
            )
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    archive, queue = hospital()
    taking = taking_reviews(archive, tmp_path_factory.mktemp("data"))
    outbox = Outbox(tmp_path_factory.mktemp("outbox") / "outbox.sqlite")
    listener = socket.create_server(("127.0.0.1", 0))
    app = orthanc(archive, queue, taking, outbox)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    page = Chromium(tmp_path_factory.mktemp("chromium"))
    try:
        root = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield Hospital(archive, queue, taking, outbox, root, page)
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
        page.wait_for("document.querySelector('.found .map').hidden")
        page.press("o", "+")
        assert page.run("document.querySelector('.found .map').style.opacity") == "0.7"
        page.press("-", "-")
        assert page.run("document.querySelector('#opacity').value") == "50"
        page.press("s", "l")
        assert page.run("document.querySelector('#strength').value") == "0"
        assert page.run("document.querySelector('#level').value") == "32"
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

    def test_a_drag_windows_the_real_values_and_a_key_brings_the_stored_window_back(
        self, served: Hospital
    ) -> None:
        served.open_study("Okafor")
        served.pixels_are_here()
        text = "document.querySelector('.value').textContent"
        stored, before = served.page.run(text), served.greys()
        # A window of an eighth of the header's width shows more than 8 bits have there.
        served.drag(served.place(0.5, 0.5), served.place(0.06, 0.5))
        served.page.wait_for(f"{text} !== {stored!r}")
        centre, width = (int(part) for part in re.findall(r"-?[0-9]+", served.page.run(text))[-2:])
        narrow = served.greys()
        assert width < 0.3 * int(stored.split()[-1])
        values = stored_values("RG1_UNCR.dcm")
        low, high = centre - width / 2, centre + width / 2
        inside = np.unique(values[(values > low) & (values < high)]).size
        assert inside > 500
        assert narrow != before
        served.page.press("i")
        served.page.wait_for(f"{text} === {stored!r}")
        assert served.greys() == before

    def test_the_value_under_the_pointer_is_the_stored_one(self, served: Hospital) -> None:
        served.open_study("Okafor")
        served.pixels_are_here()
        served.mouse("mouseMoved", served.place(0.4, 0.3, "figure:first-child"))
        said = served.page.wait_for(
            "/^([0-9]+), ([0-9]+): (-?[0-9]+) /.exec(document.querySelector('.value').textContent)"
        )
        column, row, value = (int(part) for part in said[1:4])
        assert abs(column / 1841 - 0.4) < 0.01
        assert value == stored_values("RG1_UNCR.dcm")[row, column]

    def test_a_clicked_patch_is_outlined_and_its_pixels_are_shown_close_up(
        self, served: Hospital
    ) -> None:
        served.open_study("Okafor")
        served.pixels_are_here()
        assert served.map_is_drawn()
        before = served.greys()
        served.click(0.27, 0.22)
        served.page.wait_for("document.querySelector('figure:first-child .frame.close') !== null")
        assert served.greys() != before
        served.page.screenshot(OUTPUT / "page-close-up.png")
        lines = (
            "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height)"
            ".data.some(v => v > 0))(document.querySelector('{} .lines'))"
        )
        assert served.page.run(lines.format("figure:first-child"))
        assert served.page.run(lines.format(".found"))
        served.page.press("Escape")
        assert served.greys() == before

    def test_several_findings_lie_over_one_picture_in_their_own_colours(
        self, served: Hospital
    ) -> None:
        served.open_study("Okafor")
        assert served.map_is_drawn()
        served.page.press("c")
        keys = "document.querySelector('.found .map').dataset.keys"
        assert served.page.wait_for(f"{keys}.includes(' ') && {keys}") == (
            "pneumothorax pleural-effusion"
        )
        colour = (
            "(c => [...c.getContext('2d').getImageData({x} * c.width, {y} * c.height, 1, 1).data])"
            "(document.querySelector('.found .map'))"
        )
        for (x, y), expected in (((0.27, 0.22), (230, 159, 0)), ((0.74, 0.74), (86, 180, 233))):
            shown = served.page.run(colour.format(x=x, y=y))
            assert shown[:3] == pytest.approx(expected, abs=20)
        served.page.screenshot(OUTPUT / "page-several.png")

    def test_the_table_shows_every_heat_map_and_leads_to_each(self, served: Hospital) -> None:
        served.open_study("Okafor")
        assert served.map_is_drawn()
        served.page.press("t")
        served.page.wait_for("document.querySelectorAll('.frame.tabled .heat-cell').length === 5")
        served.page.screenshot(OUTPUT / "page-table.png")
        served.page.run("document.querySelector('.heat-cell[data-key=nodule]').click()")
        assert served.chosen() == "nodule"
        served.page.press("t")

    def test_the_order_and_the_subset_are_the_readers_choice(self, served: Hospital) -> None:
        served.open_study("Okafor")
        assert served.map_is_drawn()
        served.page.press("b")
        rows = "document.querySelectorAll('.finding').length"
        served.page.wait_for(f"{rows} === 2")
        served.page.press("b")
        served.page.run(
            "(s => { s.value = 20; s.dispatchEvent(new Event('input')) })"
            "(document.querySelector('#subset'))"
        )
        served.page.wait_for(f"{rows} === 4")
        served.page.press("a")
        served.page.wait_for("document.querySelector('#order').value === 'severity'")

    @pytest.mark.parametrize("width", [1600, 4900])
    def test_another_class_is_drawn_from_cache_within_50_ms(
        self, served: Hospital, width: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        size = {"deviceScaleFactor": 1, "mobile": False}
        served.page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=width * 5 // 8, **size
        )
        try:
            served.open_study("Okafor")
            served.pixels_are_here()
            assert served.map_is_drawn()
            times: list[float] = []
            deadline = time.monotonic() + 40
            # Other programs may share the processor, and what they take is not ours: try again.
            while min(times, default=99.0) >= 50 and time.monotonic() < deadline:
                for key in "2345123451":
                    served.page.press(key)
                    time.sleep(0.15)
                times = served.page.run(
                    "performance.getEntriesByName('sidelight-switch').map(e => e.duration)"
                )
            shown = served.page.run(
                "(c => `${c.width} x ${c.height}`)(document.querySelector('.found .scan'))"
            )
        finally:
            served.page.call("Emulation.setDeviceMetricsOverride", width=1600, height=1000, **size)
        assert len(times) >= 10
        median = sorted(times)[len(times) // 2]
        with capsys.disabled():
            sys.stdout.write(
                f"\nclass switch at {shown}: median {median:.0f} ms, fastest {min(times):.0f} ms\n"
            )
        if width > 4000:
            assert int(shown.split()[0]) >= 1900
        assert min(times) < 50

    def test_a_review_from_the_keyboard_makes_a_corrected_version(self, served: Hospital) -> None:
        page = served.page
        served.open_study("Moreau")
        assert served.map_is_drawn()
        page.press("r")
        page.wait_for("!document.querySelector('.review').hidden")
        page.press("x", "u")
        served.click(0.7, 0.33)
        said = page.wait_for("document.querySelector('.said').textContent")
        assert said == "1 patch marked \u00b7 nodule: absent"
        page.run("document.querySelector('.review input[type=text]').focus()")
        page.press(*"rib crossing")
        page.run("document.querySelectorAll('.review input[type=text]')[1].focus()")
        page.press(*"Dr. Vera Lind")
        page.screenshot(OUTPUT / "page-review.png")
        page.run("document.querySelector('.review .primary').click()")
        page.wait_for("document.querySelector('.chip.corrected') !== null", seconds=30)
        history = page.wait_for("document.querySelector('.history').textContent")
        assert "Dr. Vera Lind" in history
        assert "Stored: SR" in history
        none = "document.querySelector('.rail.right').textContent.includes('None above threshold')"
        page.wait_for(none)
        page.screenshot(OUTPUT / "page-corrected.png")
        page.run("document.activeElement.blur()")
        page.press("v")
        page.wait_for(f"document.querySelector('.chip.corrected') === null && !{none}")
        assert page.complaints == []

    def test_an_open_remediation_is_said_beside_the_findings(self, served: Hospital) -> None:
        for image in range(20):
            judged = [Judgement("cardiomegaly", wrong=True)]
            at = timestamp(datetime.now(UTC))
            served.taking.rule.ledger.record(
                f"image-{image}", ("phantom-chest", "1.0.0"), judged, at
            )
        served.open_study("Tanaka")
        said = served.page.wait_for("document.querySelector('.findings .warning').textContent")
        assert said == "Cardiomegaly: remediation open, 20 of 20 reviewed images were wrong"

    def test_a_mask_leaves_colour_in_its_region_only(self, served: Hospital) -> None:
        served.open_study("Okafor")
        assert served.map_is_drawn()
        count = (
            "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height)"
            ".data.filter((v, at) => at % 4 === 3 && v > 0).length)"
            "(document.querySelector('.found .map'))"
        )
        everywhere = served.page.run(count)
        served.page.press("m")
        served.page.wait_for(
            f"{count} < {everywhere} || !document.querySelector('.options .warning').hidden"
        )
        served.page.screenshot(OUTPUT / "page-masked.png")

    def test_the_probability_under_the_pointer_is_shown(self, served: Hospital) -> None:
        served.open_study("Okafor")
        assert served.map_is_drawn()
        x, y = served.place(0.27, 0.22)

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
        boxes = served.page.run(
            "[...document.querySelectorAll('.found > .frame > .stack canvas')]"
            ".map(i => JSON.stringify(i.getBoundingClientRect()))"
        )
        assert len(boxes) == 3
        assert len(set(boxes)) == 1
        sizes = served.page.run(
            "[...document.querySelectorAll('.panes > figure > .frame > .stack')]"
            ".map(i => [i.clientWidth, i.clientHeight])"
        )
        assert sizes[0] == sizes[1]
        assert abs(sizes[0][0] / sizes[0][1] - 1841 / 1955) < 0.01

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


def test_the_page_has_the_colours_of_the_heat_maps() -> None:
    text = (PAGES / "colours.js").read_text()
    table = "".join(re.findall(r'"([0-9a-f]+)"', text))
    assert table == bytes(lookup_table().ravel()).hex()


def test_the_legend_has_the_colours_of_the_heat_maps() -> None:
    table = lookup_table()
    colours = (table[round(eighth * (STEPS - 1) / 8)] for eighth in range(9))
    stops = ", ".join("#{:02x}{:02x}{:02x}".format(*colour) for colour in colours)
    assert stops in (PAGES / "style.css").read_text()
