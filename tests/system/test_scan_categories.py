# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every condition of a scan category decides in a real Orthanc, and the plan says which one did."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pydicom.uid import generate_uid

from benchmarks.receivers import wait_for
from plugin.demo.server import OrthancServer
from tests.deid.made_scans import ct, file_of
from tests.system.neighbour import held, routing, sent
from tests.system.pacs import finished, store

PATIENT = {"PatientID": "SORTED-4711", "PatientName": "Sorted^Sophie"}
PIXELS = {
    "Rows": 8, "Columns": 8, "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11,
    "PixelRepresentation": 0, "SamplesPerPixel": 1, "PixelData": bytes(128),
    "PhotometricInterpretation": "MONOCHROME2", "BurnedInAnnotation": "NO",
}  # fmt: skip
AXIAL, CORONAL = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1]
ORIGINAL = ["ORIGINAL", "PRIMARY", "AXIAL"]

APPLICATIONS = """
[[application]]
name = "plain-axial"
scan = { modalities = ["CT"], regions = ["chest"], contrast = "without", orientation = "axial", \
minimum_slices = 3, derived = "exclude" }
needs = { priors = 5, within_days = 365 }
destination = { kind = "peer", peer = "node", zone = "phi" }

[[application]]
name = "with-contrast"
scan = { modalities = ["CT"], regions = ["chest"], contrast = "with" }
destination = { kind = "node", modality = "node", zone = "phi" }

[[application]]
name = "coronal"
scan = { modalities = ["CT"], regions = ["chest"], orientation = "coronal" }
destination = { kind = "peer", peer = "node" }

[[application]]
name = "scouts"
scan = { modalities = ["CT"], regions = ["chest"], localizers = "include", minimum_slices = 5 }
destination = { kind = "node", modality = "node", zone = "phi" }
"""

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "contrast": {"ContrastBolusAgent": "Iohexol"},
    "coronal": {"ImageOrientationPatient": CORONAL},
    "thin": {"slices": 2},
    "scout": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "slices": 5},
    "reformatted": {"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]},
}


def add_series(server: OrthancServer, study: str, slices: int = 4, **changes: Any) -> list[str]:
    """Store a small chest CT; Orthanc identifiers of its study and series."""
    series = generate_uid()
    values = {
        "StudyInstanceUID": study, "SeriesInstanceUID": series, "StudyDate": "20261001",
        "BodyPartExamined": "CHEST", "StudyDescription": "CT chest", "ImageType": ORIGINAL,
        "ImageOrientationPatient": AXIAL, **PIXELS, **PATIENT, **changes,
    }  # fmt: skip
    stored: dict[str, str] = {}
    for number in range(slices):
        place = {"InstanceNumber": number + 1, "ImagePositionPatient": [0, 0, number]}
        one = ct(SOPInstanceUID=generate_uid(), **place, **values)
        stored = store(server, file_of(one))
    return [stored["ParentStudy"], stored["ParentSeries"]]


def whole(server: OrthancServer, **changes: Any) -> list[str]:
    """A study of one series, once nothing of it is in progress."""
    study, series = add_series(server, generate_uid(), **changes)
    finished(server, study, seconds=120)
    return [study, series]


def failed(plan: dict[str, Any], series: str) -> set[str]:
    """The conditions that a series does not meet."""
    (one,) = [one for one in plan["series"] if one["series"] == series]
    assert one["fits"] == all(check["holds"] for check in one["checks"])
    return {check["condition"] for check in one["checks"] if not check["holds"]}


def test_the_images_decide_which_series_and_which_priors_go_where(
    routed: Callable[[str], OrthancServer], node: OrthancServer
) -> None:
    server = routed(APPLICATIONS)
    server.start()
    server.wait_ready(200.0)
    prior, prior_series = whole(server, StudyDate="20251101")
    whole(server, StudyDate="20250901")  # more than a year before
    whole(server, StudyDate="20260901", BodyPartExamined="HEAD", StudyDescription="CT head")
    whole(server, StudyDate="20261001")  # the same day
    current = generate_uid()
    series = {kind: add_series(server, current, **changes)[1] for kind, changes in KINDS.items()}
    study = server.client.get(f"/series/{series['plain']}").json()["ParentStudy"]
    finished(server, study, seconds=120)

    answer = server.client.get("/sidelight/plan", params={"study": study})
    answer.raise_for_status()
    (told,) = answer.json()["studies"]
    plan = {one["application"]: one for one in told["routing"]}
    names = {identifier: kind for kind, identifier in series.items()}
    sets = {
        application: [names.get(part["series"], part["series"]) for part in one["set"]]
        for application, one in plan.items()
    }
    assert sets["plain-axial"] == ["plain", prior_series]
    assert sets["with-contrast"] == ["contrast"]
    assert sets["coronal"] == ["coronal"]
    assert sets["scouts"] == ["scout"]
    (part,) = [part for part in plan["plain-axial"]["set"] if part["role"] == "prior"]
    assert (part["study"], part["prior"], part["days_before"]) == (prior, 1, 334)
    why = {kind: failed(plan["plain-axial"], one) for kind, one in series.items()}
    assert why == {
        "plain": set(), "contrast": {"contrast"}, "coronal": {"orientation"},
        "thin": {"slices"}, "scout": {"localizer"}, "reformatted": {"derived"},
    }  # fmt: skip
    assert failed(plan["scouts"], series["scout"]) == set()

    for application in plan:
        wait_for(partial(sent, server, study, application), 90.0)
    received = held(node)
    assert not [one for one in received if "REFORMATTED" in one.ImageType]
    made = [one for one in received if one.get("PatientIdentityRemoved") == "YES"]
    assert len(made) == 4
    assert all(list(one.ImageOrientationPatient) == CORONAL for one in made)
    assert not any(value in str(one) for one in made for value in PATIENT.values())
    assert "closest series" in routing(server, prior)["with-contrast"]["reason"]
