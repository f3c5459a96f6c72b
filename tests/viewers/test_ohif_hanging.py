# SPDX-License-Identifier: AGPL-3.0-or-later
"""An exported hanging in OHIF: current and prior side by side, in a real browser."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from benchmarks.scans import chest_phantoms
from plugin.configuration.hanging_table import Hanging, read_hangings
from plugin.hanging.filling import FilledBox, HungStudy
from plugin.hanging.ohif import protocol, study_protocol
from plugin.hanging.shown import Shown
from plugin.routing.facts import facts
from tests.plugin.web.chromium import PROGRAM
from tests.plugin.web.fake_archive import CHEST
from tests.viewers.archive import ViewerArchive
from tests.viewers.conftest import OUTPUT
from tests.viewers.ohif_page import OhifPage, ohif
from tests.viewers.ohif_releases import RELEASES, NotAvailableError, Release

pytestmark = pytest.mark.browser

HANGING = next(one for one in read_hangings().hangings if one.name == "chest-film")
SECONDS = 120.0
_SHOWN = """(() => [...services.viewportGridService.getState().viewports.values()]
    .sort((a, b) => a.y - b.y || a.x - b.x)
    .map(port => (port.displaySetInstanceUIDs || [])
        .map(uid => services.displaySetService.getDisplaySetByUID(uid).images[0].SOPInstanceUID)[0]
        || null))()"""
_DRAWN = """[...services.viewportGridService.getState().viewports.values()]
    .filter(port => (port.displaySetInstanceUIDs || []).length)
    .every(port => services.cornerstoneViewportService
        .getCornerstoneViewport(port.viewportId)?.getImageData())"""


@dataclass(frozen=True)
class Film:
    """One radiograph, and how many studies before the current one it was made."""

    view: str
    prior: int
    study: str
    series: str
    instance: str
    content: bytes


@dataclass(frozen=True)
class Hung:
    """A viewer before a patient with a current study and a prior."""

    page: OhifPage
    films: tuple[Film, ...]

    def uid(self, view: str, prior: int) -> str | None:
        found = (one.instance for one in self.films if (one.view, one.prior) == (view, prior))
        return next(found, None)

    def hang(self, made: dict[str, object], picture: str) -> list[str | None]:
        """What hangs where, row by row, once OHIF has applied a protocol."""
        browser = self.page.browser
        # As a reader does who was sent there by Sidelight: the current study first.
        studies = list(dict.fromkeys(one.study for one in self.films))
        self.page.open_together(studies, len(self.films))
        browser.run(
            f"(made => {{ services.hangingProtocolService.addProtocol(made.id, made);"
            f" services.hangingProtocolService.setProtocol(made.id); }})({json.dumps(made)})"
        )
        boxes = HANGING.rows * HANGING.columns
        browser.wait_for(f"({_SHOWN}).length === {boxes} && {_DRAWN}", SECONDS)
        browser.screenshot(OUTPUT / f"ohif-{self.page.version}" / picture)
        return list(browser.run(_SHOWN))


def _films(folder: Path) -> Iterator[Film]:
    files = chest_phantoms(folder, 3, 256, 9)
    studies = (generate_uid(), generate_uid())
    # The prior has no lateral film: one box stays empty.
    for file, (view, prior) in zip(files, (("PA", 0), ("LATERAL", 0), ("PA", 1)), strict=True):
        image = pydicom.dcmread(file)
        image.PatientID, image.PatientName = "hung", "Hung"
        image.StudyInstanceUID, image.SeriesInstanceUID = studies[prior], generate_uid()
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.StudyDate = image.SeriesDate = "20261004" if prior else "20261103"
        image.ViewPosition = "LL" if view == "LATERAL" else view
        image.BodyPartExamined = "CHEST"
        buffer = io.BytesIO()
        image.save_as(buffer)
        study, series = str(image.StudyInstanceUID), str(image.SeriesInstanceUID)
        yield Film(view, prior, study, series, str(image.SOPInstanceUID), buffer.getvalue())


@pytest.fixture(scope="module", params=RELEASES, ids=lambda release: release.version)
def hung(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hung]:
    release: Release = request.param
    if PROGRAM is None or not Path("/usr/sbin/Orthanc").exists():
        pytest.skip("chromium or Debian's orthanc is not installed")
    films = tuple(_films(tmp_path_factory.mktemp("films")))
    with ViewerArchive(tmp_path_factory.mktemp("archive")) as archive:
        for film in films:
            archive.client.post("/instances", content=film.content).raise_for_status()
        try:
            with ohif(release, archive.client, tmp_path_factory.mktemp("profile")) as page:
                yield Hung(page, films)
        except NotAvailableError as error:
            pytest.skip(f"OHIF {release.version} can't be fetched: {error}")


def _filled(hanging: Hanging, films: tuple[Film, ...]) -> HungStudy:
    boxes = []
    for box in hanging.boxes:
        view = "PA" if "PA" in box.views else "LATERAL"
        film = next((one for one in films if (one.view, one.prior) == (view, box.prior)), None)
        shown = None if film is None else Shown(
            film.study, film.series, film.instance, facts(CHEST, {}, 1),
            {"study": film.study, "series": film.series, "instance": film.instance},
        )  # fmt: skip
        boxes.append(FilledBox(box, *hanging.place(box), shown))
    return HungStudy(hanging, tuple(sorted(boxes, key=lambda one: (one.row, one.column))))


def _wanted(hung: Hung) -> list[str | None]:
    return [hung.uid("PA", 0), hung.uid("PA", 1), hung.uid("LATERAL", 0), None]


def test_the_protocol_of_a_study_hangs_current_and_prior_side_by_side(hung: Hung) -> None:
    made = study_protocol(_filled(HANGING, hung.films))
    assert hung.hang(made, "hanging-study.png") == _wanted(hung)
    assert hung.page.errors() == []


def test_the_protocol_of_the_rules_hangs_what_is_tagged_well(hung: Hung) -> None:
    assert hung.hang(protocol(HANGING), "hanging-rules.png") == _wanted(hung)
    assert hung.page.errors() == []
