# SPDX-License-Identifier: AGPL-3.0-or-later
"""A small archive in memory and a client of the application over it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from plugin.configuration.review import ReviewSection
from plugin.copies.backfill_book import BackfillBook
from plugin.quarantine import Quarantine
from plugin.results import ResultOptions
from plugin.review.corrected_objects import CorrectedObjects
from plugin.review.ledger import Ledger
from plugin.review.remediation import Rule
from plugin.review.reviewer import Reviewer
from plugin.states import ScanState, Status
from plugin.web import create_app
from plugin.web.backfills import BackfillDesk
from plugin.web.reviews import Reviewing
from plugin.web.services import Services
from plugin.web.versions import VersionDesk
from tests.plugin.web.fake_archive import (
    CHEST,
    CHEST_MODEL,
    HEAD,
    FakeArchive,
    FakeQueue,
    analysis_of,
    state_of,
)
from tests.plugin.web.fake_planner import FakePlanner
from tests.plugin.web.fake_versions import FakeGate
from tests.plugin.web.made_files import add_file

ROWS, COLUMNS = 96, 64
SPOTS = {"pneumothorax": (0.25, 0.25, 0.1, 0.9), "nodule": (0.75, 0.75, 0.1, 0.3)}


@dataclass
class Site:
    """An archive with one study of each kind."""

    archive: FakeArchive
    queue: FakeQueue
    planner: FakePlanner
    app: Starlette
    client: TestClient
    reviewing: Reviewing
    folder: tempfile.TemporaryDirectory[str]
    quarantine: Quarantine
    chest_study: str = ""
    chest_series: str = ""
    chest: str = ""
    head_study: str = ""
    head_series: str = ""
    head: str = ""
    new_study: str = ""
    new_series: str = ""
    new: str = ""

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def grey(rows: int, columns: int) -> Image.Image:
    """A picture whose four corners differ."""
    picture = np.full((rows, columns), 90, np.uint8)
    picture[:4, :4], picture[:4, -4:], picture[-4:, :4] = 255, 200, 20
    return Image.fromarray(picture)


def fill(site: Site) -> None:
    archive = site.archive
    site.chest_study = archive.add_study("chest")
    site.chest_series = archive.add_series(site.chest_study, "CR")
    site.chest = archive.add_instance(site.chest_series, grey(ROWS, COLUMNS))
    stored = np.arange(ROWS * COLUMNS, dtype=np.uint16).reshape(ROWS, COLUMNS)
    add_file(
        archive, site.chest, stored, PixelSpacing=[0.2, 0.1], WindowCenter=3000, WindowWidth=4000
    )
    findings = analysis_of({site.chest: (ROWS, COLUMNS)}, SPOTS)
    objects = tuple(archive.add_report(site.chest_study, kind) for kind in ("SR", "SEG", "PR"))
    archive.set_findings("instance", site.chest, findings)
    archive.set_state(
        state_of(findings, "instance", site.chest, modality="CR", anatomy=CHEST, objects=objects)
    )
    archive.set_anatomy(site.chest_series, CHEST)

    site.head_study = archive.add_study("head")
    site.head_series = archive.add_series(site.head_study, "CT")
    site.head = archive.add_instance(site.head_series, grey(32, 32))
    archive.set_anatomy(site.head_series, HEAD)
    archive.set_state(
        ScanState(
            level="series",
            resource=site.head_series,
            status=Status.NO_APPLICATION,
            reason="no application for CT HEAD",
            modality="CT",
            anatomy=HEAD,
            finished_at="2026-11-03T09:00:00Z",
        )
    )

    site.new_study = archive.add_study("new")
    site.new_series = archive.add_series(site.new_study, "DX")
    site.new = archive.add_instance(site.new_series, grey(32, 32))


def taking_reviews(archive: FakeArchive, data: Path, **section: Any) -> Reviewing:
    """What takes reviews, with its counts and its quarantine in a folder of its own."""
    # dciodvfy and the like are tried in the tests of the objects and on a real Orthanc.
    options = ResultOptions(validators=())
    objects = CorrectedObjects(archive, options, Quarantine(data / "quarantine"))
    reviewer = Reviewer(archive, lambda: objects, Ledger(data / "reviews.sqlite"))
    return Reviewing(reviewer, Rule(reviewer.ledger, ReviewSection(**section)))


def small_site() -> Site:
    """One study of each kind, and a client of the application over them."""
    archive, queue = FakeArchive(), FakeQueue()
    planner = FakePlanner(archive)
    folder = tempfile.TemporaryDirectory(prefix="sidelight-test-")
    reviewing = taking_reviews(archive, Path(folder.name))
    quarantine = Quarantine(Path(folder.name) / "quarantine")
    app = create_app(
        archive,
        queue,
        status=lambda: {"queue": {"queued": 0, "running": 0, "done": 1, "dead": 0}},
        models=lambda: [CHEST_MODEL],
        services=Services(
            planner=planner,
            reviewing=reviewing,
            quarantine=quarantine,
            versions=VersionDesk(FakeGate()),  # type: ignore[arg-type]
            backfills=BackfillDesk(
                BackfillBook(Path(folder.name) / "copies.sqlite"), ("research",)
            ),
        ),
    )
    client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
    site = Site(archive, queue, planner, app, client, reviewing, folder, quarantine)
    fill(site)
    return site
