# SPDX-License-Identifier: AGPL-3.0-or-later
"""OHIF as its reader uses it, in a real browser: open a study, double-click a series, answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.plugin.web.chromium import Chromium
from tests.viewers.ohif_releases import Release, ohif_build
from tests.viewers.origin import ViewerOrigin

SECONDS = 120.0
BROKEN = "Something went wrong"

# What OHIF puts on its window: services, cornerstone, cornerstoneTools.
_VIEWPORT = (
    "services.cornerstoneViewportService.getCornerstoneViewport("
    "services.viewportGridService.getActiveViewportId())"
)
_DISPLAY_SETS = "services.displaySetService.getActiveDisplaySets()"
_YES = "document.querySelector('[data-cy=yes-hydrate-btn]')"

_INTRODUCED = (
    "if (location.protocol === 'http:') localStorage.setItem('shownTours', '[\"basicViewerTour\"]')"
)

_SHOWN = f"""(() => {{
    const viewport = {_VIEWPORT};
    const uid = id => cornerstone.metaData.get('instance', id).SOPInstanceUID;
    return viewport.getImageIds().map(uid)[viewport.getCurrentImageIdIndex()];
}})()"""

_SHOW = f"""(async uid => {{
    const viewport = {_VIEWPORT};
    const ids = viewport.getImageIds();
    const at = ids.findIndex(
        id => cornerstone.metaData.get('instance', id).SOPInstanceUID === uid);
    if (at >= 0) {{ await viewport.setImageIdIndex(at); viewport.render(); }}
    return at >= 0;
}})"""

# From the lines on the screen back to pixels: through the same camera that draws the image.
_LINES = f"""(() => {{
    const viewport = {_VIEWPORT};
    const image = viewport.getImageData().imageData;
    const pixel = point => image.worldToIndex(viewport.canvasToWorld(point)).slice(0, 2);
    const numbers = text => text.match(/-?[0-9.]+(e-?[0-9]+)?/g).map(Number);
    const pairs = flat => flat.flatMap((x, i) => i % 2 ? [] : [[x, flat[i + 1]]]);
    const found = [];
    for (const one of viewport.element.querySelectorAll('svg polyline, svg path')) {{
        const text = one.getAttribute('points') || one.getAttribute('d');
        if (text) found.push(pairs(numbers(text)).map(pixel));
    }}
    return JSON.stringify(found);
}})()"""

_WORDS = f"""(() => [...{_VIEWPORT}.element.querySelectorAll('svg text')]
    .map(one => [...one.querySelectorAll('tspan')].map(s => s.textContent).join('\\n')))()"""

_MEASURED = """services.measurementService.getMeasurements().map(
    one => ({uid: one.SOPInstanceUID, finding: one.finding.CodeMeaning, label: one.label}))"""

_PANEL = "@ohif/extension-measurement-tracking.panelModule.trackedMeasurements"

_SEGMENTED = """(() => {
    const found = {};
    for (const one of services.segmentationService.getSegmentations()) {
        const data = one.representationData.Labelmap;
        for (const id of data.imageIds) {
            const image = cornerstone.cache.getImage(id);
            if (!image) continue;
            const source = cornerstone.metaData.get('instance', image.referencedImageId);
            const uid = source.SOPInstanceUID;
            const pixels = image.voxelManager.getScalarData();
            const hot = found[uid] || new Set();
            pixels.forEach((value, at) => { if (value) hot.add(at); });
            found[uid] = hot;
        }
    }
    return JSON.stringify(
        Object.fromEntries(Object.entries(found).map(([uid, hot]) => [uid, [...hot]])));
})()"""


class OhifPage:
    """One release of OHIF in a browser of its own.

    Attributes:
        browser: for screenshots.
        version: of OHIF.
    """

    def __init__(self, browser: Chromium, origin: ViewerOrigin, version: str) -> None:
        self.browser = browser
        self.version = version
        self._origin = origin
        # The introduction lies over the picture, once per profile and whenever it is ready: the
        # viewer must find it seen when it starts.
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=_INTRODUCED)

    def open(self, study_uid: str, series: int) -> None:
        """Open a study that has so many series, and wait until its image is drawn."""
        self.open_together([study_uid], series)
        self.browser.wait_for(f"!!{_VIEWPORT}.getImageData()", SECONDS)

    def open_together(self, study_uids: Sequence[str], series: int) -> None:
        """Open studies, the current one first, that have so many series."""
        uids = ",".join(study_uids)
        self.browser.open("about:blank")
        self.browser.open(f"{self._origin.url}/viewer?StudyInstanceUIDs={uids}")
        self.browser.wait_for(f"{_DISPLAY_SETS}.length >= {series}", SECONDS)

    def double_click(self, modality: str) -> None:
        """Put the series of this modality into the viewport.

        Waits until the thumbnail stands still and nothing lies over it, as a reader would.
        """
        place = self.browser.wait_for(
            f"""(async () => {{
                const one = {_DISPLAY_SETS}.find(one => one.Modality === '{modality}');
                const thumbnail =
                    document.getElementById('thumbnail-' + one.displaySetInstanceUID);
                thumbnail.scrollIntoView({{block: 'center'}});
                const middle = () => {{
                    const box = thumbnail.getBoundingClientRect();
                    return [box.x + box.width / 2, box.y + box.height / 2];
                }};
                const before = middle();
                await new Promise(done => setTimeout(done, 100));
                const [x, y] = middle();
                const still = x === before[0] && y === before[1];
                return still && thumbnail.contains(document.elementFromPoint(x, y)) && [x, y];
            }})().catch(() => null)""",
            SECONDS,
        )
        for clicks in (1, 2):
            for kind in ("mousePressed", "mouseReleased"):
                self.browser.call(
                    "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left",
                    clickCount=clicks,
                )  # fmt: skip

    def wait_asked(self) -> None:
        """Wait for the question whether to open the report or segmentation."""
        self.browser.wait_for(f"!!{_YES} || {self._broken()}", SECONDS)

    def answer_yes(self) -> None:
        """Make it measurements, or an open segmentation."""
        self.browser.run(f"{_YES}?.click()")

    def wait_measured(self, count: int) -> None:
        """Wait for so many measurements."""
        self.browser.wait_for(f"({_MEASURED}).length >= {count} || {self._broken()}", SECONDS)

    def measured(self) -> list[dict[str, Any]]:
        """Image (``uid``), ``finding`` and ``label`` of each measurement in the panel."""
        return list(self.browser.run(_MEASURED))

    def open_panel(self, words: str) -> bool:
        """Whether the list of measurements, opened at the right, has these words."""
        self.browser.run(f"services.panelService.activatePanel('{_PANEL}', true)")
        return self._comes_true(f"document.body.innerText.includes({json.dumps(words)})")

    def wait_segmented(self) -> None:
        """Wait until the segmentation's pixels are in the viewer."""
        self.browser.wait_for(f"({_SEGMENTED}).length > 3 || {self._broken()}", SECONDS)

    def segmented(self) -> dict[str, list[int]]:
        """Numbers of the pixels of each image that lie in a segment, rows after one another."""
        found: dict[str, list[int]] = json.loads(self.browser.run(_SEGMENTED))
        return found

    def show(self, sop_instance_uid: str) -> None:
        """Scroll to an image."""
        assert self.browser.run(f"{_SHOW}('{sop_instance_uid}')"), "the image is not in the stack"
        self.browser.wait_for(f"{_SHOWN} === '{sop_instance_uid}'", SECONDS)

    def wait_lines(self, count: int) -> bool:
        """Whether so many lines appear on the picture.

        OHIF doesn't always draw a report's lines by itself, but with the picture's next rendering,
        which any movement of the reader brings.
        """
        return self._comes_true(f"({_VIEWPORT}.render(), JSON.parse({_LINES}).length >= {count})")

    def wait_words(self, words: str) -> bool:
        """Whether a label with these words appears on the picture."""
        return self._comes_true(f"({_WORDS}).some(text => text.includes({json.dumps(words)}))")

    def lines(self) -> list[np.ndarray]:
        """Lines on the picture, each ``(n, 2)`` in DICOM's pixel coordinates (PS3.3 C.18.6.1.1)."""
        # The viewer counts from the first pixel's centre, DICOM from its corner.
        return [np.array(line) + 0.5 for line in json.loads(self.browser.run(_LINES))]

    def errors(self) -> list[str]:
        """What the page complained of since the last call, and that OHIF has given up."""
        found, self.browser.complaints = self.browser.complaints, []
        return [*found, *([BROKEN] if self.browser.run(self._broken()) else [])]

    def _comes_true(self, expression: str) -> bool:
        try:
            self.browser.wait_for(expression, 45.0)
        except AssertionError:
            return False
        return True

    @staticmethod
    def _broken() -> str:
        return f"document.body.innerText.includes('{BROKEN}')"


@contextmanager
def ohif(release: Release, orthanc: Any, profile: Path) -> Iterator[OhifPage]:
    """A browser with this release of OHIF, in front of an Orthanc.

    Raises:
        NotAvailableError: the release can't be fetched here.
    """
    with ViewerOrigin(ohif_build(release), orthanc) as origin:
        browser = Chromium(profile, webgl=True)
        try:
            yield OhifPage(browser, origin, release.version)
        finally:
            browser.close()
