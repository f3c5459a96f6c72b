# SPDX-License-Identifier: AGPL-3.0-or-later
"""The application with what its page needs of Orthanc, over scans in memory.

``python -m tests.plugin.web.fake_orthanc PORT`` serves it on loopback, to look at the page.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import uvicorn
from PIL import Image
from pydicom.data import get_testdata_file
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from plugin.archive import NotFoundError
from plugin.configuration.application_table import ApplicationTable
from plugin.doors.outbox import Outbox
from plugin.routing.explanation import Explanation
from plugin.routing.matching import Matcher
from plugin.states import ScanState, Status
from plugin.web import create_app
from plugin.web.reviews import Reviewing
from plugin.web.services import Services
from tests.plugin.web.fake_archive import (
    CHEST,
    CHEST_MODEL,
    HEAD,
    FakeArchive,
    FakeQueue,
    Spots,
    analysis_of,
    state_of,
)
from tests.plugin.web.fake_planner import FakePlanner
from tests.plugin.web.made_files import add_file
from tests.plugin.web.small_site import taking_reviews

CLEAR: Spots = {
    "nodule": (0.7, 0.3, 0.06, 0.21),
    "cardiomegaly": (0.55, 0.62, 0.15, 0.17),
    "consolidation": (0.3, 0.6, 0.1, 0.09),
}


def sample(name: str) -> Image.Image:
    """A real scan of pydicom's, windowed to the middle 99 % of its values."""
    dataset = pydicom.dcmread(get_testdata_file(name))
    pixels = dataset.pixel_array.astype(float)
    low, high = np.percentile(pixels, (0.5, 99.5))
    shown = np.clip((pixels - low) / (high - low), 0, 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    return Image.fromarray((shown * 255).astype(np.uint8))


def stored_values(name: str) -> np.ndarray:
    """The same scan as it is stored, with white high."""
    dataset = pydicom.dcmread(get_testdata_file(name))
    pixels = dataset.pixel_array.astype(np.int64)
    return pixels.max() - pixels if dataset.PhotometricInterpretation == "MONOCHROME1" else pixels


def add_chest(archive: FakeArchive, study: str, picture: Image.Image, spots: Spots, at: str) -> str:
    series = archive.add_series(study, "CR")
    instance = archive.add_instance(series, picture)
    findings = analysis_of({instance: (picture.height, picture.width)}, spots)
    objects = tuple(archive.add_report(study, kind) for kind in ("SR", "SEG", "PR"))
    values = stored_values("RG1_UNCR.dcm")
    low, high = np.percentile(values, (0.5, 99.5))
    window = {"WindowCenter": round((low + high) / 2), "WindowWidth": round(high - low)}
    add_file(archive, instance, values, PixelSpacing=[0.175, 0.175], **window)
    archive.set_anatomy(series, CHEST)
    archive.set_findings("instance", instance, findings)
    state = state_of(
        findings,
        "instance",
        instance,
        modality="CR",
        anatomy=CHEST,
        objects=objects,
        finished_at=f"2026-11-03T{at}:00Z",
    )
    archive.set_state(state)
    return instance


def add_other(archive: FakeArchive, study: str, picture: Image.Image, **state: Any) -> str:
    """A scan without findings: its level follows from its modality."""
    modality = state.setdefault("modality", "CR")
    series = archive.add_series(study, modality)
    instance = archive.add_instance(series, picture)
    volume = modality in ("CT", "MR")
    report = archive.add_report(study)
    running = state["status"].in_progress
    archive.set_state(
        ScanState(
            level="series" if volume else "instance",
            resource=series if volume else instance,
            objects=() if running else (report,),
            milliseconds={} if running else {"fetch": 12.0, "anatomy": 3.0},
            finished_at="" if running else "2026-11-03T09:41:00Z",
            **state,
        )
    )
    return instance


def hospital() -> tuple[FakeArchive, FakeQueue]:
    """A morning's worth of studies with every outcome."""
    archive, queue = FakeArchive(), FakeQueue()
    chest = sample("RG1_UNCR.dcm")
    head = sample("CT_small.dcm")
    shin = sample("RG3_UNCR.dcm")

    urgent: Spots = {
        "pneumothorax": (0.27, 0.22, 0.13, 0.91),
        "pleural-effusion": (0.74, 0.74, 0.1, 0.63),
        "consolidation": (0.66, 0.5, 0.1, 0.34),
        "nodule": (0.7, 0.3, 0.05, 0.22),
        "cardiomegaly": (0.55, 0.65, 0.16, 0.12),
    }
    study = archive.add_study("4711", "Okafor^Amara", StudyDescription="Chest PA, dyspnoea")
    add_chest(archive, study, chest, urgent, "10:15")
    add_other(
        archive, study, head, status=Status.NO_APPLICATION, reason="no application for CT HEAD",
        anatomy=HEAD, modality="CT",
    )  # fmt: skip

    effusion: Spots = {**CLEAR, "pleural-effusion": (0.28, 0.75, 0.12, 0.78)}
    study = archive.add_study("4712", "Lindqvist^Karl Johan^^Dr.", StudyDescription="Chest PA")
    add_chest(archive, study, chest, effusion, "10:02")
    nodule: Spots = {**CLEAR, "nodule": (0.7, 0.33, 0.06, 0.58)}
    study = archive.add_study("4713", "Moreau^Claire", StudyDescription="Thorax, follow-up")
    add_chest(archive, study, chest, nodule, "09:58")
    heart: Spots = {**CLEAR, "cardiomegaly": (0.55, 0.66, 0.18, 0.71)}
    study = archive.add_study("4714", "Tanaka^Hiroshi", StudyDescription="Chest PA, pre-op")
    add_chest(archive, study, chest, heart, "09:52")
    study = archive.add_study("4715", "Abdi^Leyla", StudyDescription="Chest PA, screening")
    add_chest(archive, study, chest, CLEAR, "09:47")

    study = archive.add_study("4716", "Novak^Petra", StudyDescription="Chest AP, bedside")
    add_other(
        archive, study, chest, status=Status.ABSTAINED, anatomy=CHEST,
        model=CHEST_MODEL.name, model_version=CHEST_MODEL.version,
        reason="the image is unlike those that the model was trained on",
    )  # fmt: skip
    study = archive.add_study("4717", "Garcia^Luis", StudyDescription="Chest lateral")
    add_other(archive, study, shin, status=Status.FAILED, reason="the pixel data is truncated")
    study = archive.add_study("4718", "Smith^Alexandra Josephine", StudyDescription="Chest PA")
    running = add_other(archive, study, chest, status=Status.RUNNING, anatomy=CHEST)
    queue.pending.add(running)
    archive.add_study("4719", "Unseen^Una", StudyDescription="Not analysed")
    return archive, queue


def orthanc(
    archive: FakeArchive,
    queue: FakeQueue,
    reviewing: Reviewing | None = None,
    outbox: Outbox | None = None,
) -> Starlette:
    """Sidelight's addresses, and the few of Orthanc's own that the page asks for."""

    def rendered(request: Request) -> Response:
        return Response(archive.rendered(request.path_params["id"]), media_type="image/png")

    def tags(request: Request) -> Response:
        known = archive.simplified_tags(request.path_params["id"])
        return JSONResponse({"WindowCenter": "40", **known})

    def pixels(request: Request) -> Response:
        stored = archive.pixels.get(request.path_params["id"])
        if stored is None:
            return Response(status_code=415)
        rows, columns = stored.shape
        head = f"P7\nWIDTH {columns}\nHEIGHT {rows}\nDEPTH 1\nMAXVAL 65535\nTUPLTYPE GRAYSCALE\n"
        body = head.encode() + b"ENDHDR\n" + stored.astype(">u2").tobytes()
        return Response(body, media_type="image/x-portable-arbitrarymap")

    def study(request: Request) -> Response:
        return _answer(archive.study, request.path_params["id"])

    def series(request: Request) -> Response:
        return _answer(archive.series, request.path_params["id"])

    def study_of_series(request: Request) -> Response:
        return _answer(
            lambda s: archive.study(archive.series(s)["ParentStudy"]), request.path_params["id"]
        )

    def study_of_instance(request: Request) -> Response:
        def find(instance: str) -> dict[str, Any]:
            return archive.study(
                archive.series(archive.instance(instance)["ParentSeries"])["ParentStudy"]
            )

        return _answer(find, request.path_params["id"])

    category = {"modalities": ["CR"], "regions": ["chest"]}
    table = ApplicationTable.model_validate(
        {
            "application": [
                {
                    "name": "follow-up",
                    "scan": category,
                    "destination": {"kind": "node", "modality": "AISERVER"},
                }
            ]
        }
    )
    outbox = outbox or Outbox(Path(tempfile.mkdtemp()) / "outbox.sqlite")
    sidelight = create_app(
        archive,
        queue,
        status=lambda: {"queue": {"queued": 0, "running": 1, "done": 812, "dead": 0}},
        models=lambda: [CHEST_MODEL],
        services=Services(
            planner=FakePlanner(archive),
            routing=Explanation(Matcher(archive, table), outbox).of,
            deliveries=outbox,
            reviewing=reviewing,
        ),
    )
    return Starlette(
        routes=[
            Route("/instances/{id}/rendered", rendered),
            Route("/instances/{id}/preview", rendered),
            Route("/instances/{id}/frames/{frame:int}/rendered", rendered),
            Route("/instances/{id}/frames/{frame:int}/preview", rendered),
            Route("/instances/{id}/simplified-tags", tags),
            Route("/instances/{id}/image-uint16", pixels),
            Route("/instances/{id}/study", study_of_instance),
            Route("/series/{id}/instances", partial(_instances, archive)),
            Route("/series/{id}/study", study_of_series),
            Route("/series/{id}", series),
            Route("/studies/{id}", study),
            Mount("/", sidelight),
        ]
    )


def _instances(archive: FakeArchive, request: Request) -> Response:
    def find(series: str) -> list[dict[str, Any]]:
        return [archive.instance(one) for one in archive.series(series)["Instances"]]

    return _answer(find, request.path_params["id"])


def _answer(look_up: Callable[[str], Any], identifier: str) -> Response:
    try:
        return JSONResponse(look_up(identifier))
    except NotFoundError:
        return JSONResponse({"HttpStatus": 404}, 404)


if __name__ == "__main__":
    archive, queue = hospital()
    taking = taking_reviews(archive, Path(tempfile.mkdtemp()))
    app = orthanc(archive, queue, taking)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
