# SPDX-License-Identifier: Apache-2.0
"""Reviews over REST: a corrected version beside the model's own, counted by class."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from plugin.states import Attachment
from tests.plugin.web.made_files import read
from tests.plugin.web.small_site import Site

ABSENT: dict[str, Any] = {
    "user": "Dr. Vera Lind",
    "reason": "skin fold",
    "verdicts": [{"finding": "pneumothorax", "verdict": "absent"}],
}
MARKED: dict[str, Any] = {
    "user": "Dr. Vera Lind",
    "reason": "small nodule missed",
    "marks": [
        {"finding": "nodule", "level": 64, "cells": [[40, 30], [40, 31]], "verdict": "too-low"}
    ],
    "verdicts": [{"finding": "nodule", "verdict": "present"}],
}


def address(site: Site, rest: str) -> str:
    return f"/instances/{site.chest}/sidelight/{rest}"


def review(site: Site, body: dict[str, Any], **headers: str) -> httpx.Response:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.client.post(address(site, "reviews"), json=body, headers=headers)


def matrix(site: Site, query: str) -> np.ndarray:
    return np.array(site.get(address(site, f"heatmaps/{query}")).json()["values"], np.float32)


def stored(site: Site, answer: httpx.Response, kind: str) -> Any:
    (one,) = (o for o in answer.json()["review"]["objects"] if o["kind"] == kind)
    return read(site.archive.stored[one["instance"]])


def test_a_review_leaves_findings_and_state_as_they_are_bit_by_bit(site: Site) -> None:
    findings = ("instance", site.chest, int(Attachment.FINDINGS))
    before = site.archive.attachments[findings], dict(site.archive.metadatas)
    assert review(site, ABSENT).status_code == 201
    assert (site.archive.attachments[findings], site.archive.metadatas) == before
    index = site.get(address(site, "heatmaps")).json()
    assert (index["version"], index["heatmaps"][0]["key"]) == (0, "pneumothorax")


def test_the_corrected_version_is_there_beside_the_models_own(site: Site) -> None:
    assert site.get(address(site, "heatmaps?version=latest")).json()["version"] == 0
    assert review(site, ABSENT).status_code == 201
    assert review(site, MARKED).status_code == 201
    for version, present in (("original", {"pneumothorax"}), ("1", set()), ("latest", {"nodule"})):
        index = site.get(address(site, f"heatmaps?version={version}")).json()
        assert {i["key"] for i in index["heatmaps"] if i["present"]} == present
    assert site.get(address(site, "heatmaps?version=3")).json()["code"] == "unknown-version"


def test_marked_patches_take_the_readers_word_on_every_level(site: Site) -> None:
    before = {level: matrix(site, f"nodule/matrix?level={level}") for level in (64, 32, 16)}
    review(site, MARKED)
    after = {level: matrix(site, f"nodule/matrix?level={level}&version=1") for level in before}
    changed = np.argwhere(after[64] != before[64]).tolist()
    assert changed == [[40, 30], [40, 31]]
    assert (after[64][40, 30:32] == 1).all()
    # Half of the cell of level 32, an eighth of that of level 16.
    for level, place, share in ((32, (20, 15), 0.5), (16, (10, 7), 0.125)):
        expected = before[level][place] + share * (1 - before[level][place])
        assert after[level][place] == pytest.approx(expected, abs=1e-6)
        assert (after[level] != before[level]).sum() == 1
    picture = Image.open(io.BytesIO(site.get(address(site, "heatmaps/nodule?version=1")).content))
    assert np.asarray(picture.convert("RGBA"))[:, :, 3].max() > 100


def test_a_later_review_takes_a_mark_and_a_verdict_back(site: Site) -> None:
    before = matrix(site, "nodule/matrix")
    review(site, MARKED)
    back = {**MARKED, "reason": "was right"}
    back["marks"] = [{**MARKED["marks"][0], "verdict": "as-model"}]
    back["verdicts"] = [{"finding": "nodule", "verdict": "as-model"}]
    assert review(site, back).status_code == 201
    assert (matrix(site, "nodule/matrix?version=latest") == before).all()
    index = site.get(address(site, "heatmaps?version=latest")).json()
    assert not next(i for i in index["heatmaps"] if i["key"] == "nodule")["present"]


def test_corrected_objects_name_the_reader_and_what_they_follow(site: Site) -> None:
    state = site.get(f"/studies/{site.chest_study}/sidelight").json()["scans"][0]
    own = {o["kind"]: o["sop_instance_uid"] for o in state["objects"]}
    first, second = review(site, MARKED), review(site, ABSENT)
    for answer, follows in ((first, own["SR"]), (second, stored(site, first, "SR").SOPInstanceUID)):
        report = stored(site, answer, "SR")
        assert report.AuthorObserverSequence[0].PersonName == "Dr. Vera Lind"
        (study,) = report.PredecessorDocumentsSequence
        (series,) = study.ReferencedSeriesSequence
        assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == follows
    segmentation = stored(site, first, "SEG")
    assert segmentation.ContentCreatorName == "Dr. Vera Lind"
    assert own["SEG"] in segmentation.ImageComments
    assert segmentation.SeriesDescription.endswith("review 1")
    text = " ".join(texts(stored(site, second, "SR")))
    assert "Pneumothorax: absent. Reason: skin fold." in text
    assert "Pulmonary nodule: present; Pulmonary nodule: 2 patches too low" in text


def texts(dataset: Any) -> list[str]:
    found: list[str] = []
    dataset.walk(lambda _, e: found.append(str(e.value)) if e.keyword == "TextValue" else None)
    return found


def test_two_versions_share_no_object(site: Site) -> None:
    uids = [
        o["sop_instance_uid"]
        for body in (MARKED, ABSENT)
        for o in review(site, body).json()["review"]["objects"]
    ]
    assert len(set(uids)) == len(uids) >= 4


def test_orthancs_user_goes_before_the_one_that_the_request_names(site: Site) -> None:
    made = review(site, ABSENT, x_sidelight_user="vlind").json()["review"]
    assert (made["account"], made["user"], made["reader"]) == (
        "vlind", "Dr. Vera Lind", "Dr. Vera Lind",
    )  # fmt: skip
    nameless = {key: value for key, value in ABSENT.items() if key != "user"}
    assert review(site, nameless, x_sidelight_user="vlind").json()["review"]["reader"] == "vlind"
    refused = review(site, nameless)
    assert (refused.status_code, refused.json()["parameter"]) == (400, "user")


def test_a_review_of_what_somebody_else_has_reviewed_meanwhile_is_a_conflict(site: Site) -> None:
    assert review(site, {**ABSENT, "based_on": 0}).status_code == 201
    late = review(site, {**MARKED, "based_on": 0})
    assert (late.status_code, late.json()["code"]) == (409, "review-conflict")
    assert review(site, {**MARKED, "based_on": 1}).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"user": "x"},
        {**ABSENT, "reason": " "},
        {**ABSENT, "verdicts": [{"finding": "gout", "verdict": "absent"}]},
        {**ABSENT, "verdicts": [{"finding": "nodule", "verdict": "maybe"}]},
        {**ABSENT, "verdicts": ABSENT["verdicts"] * 2},
        {**MARKED, "marks": [{**MARKED["marks"][0], "level": 63}]},
        {**MARKED, "marks": [{**MARKED["marks"][0], "cells": [[64, 0]]}]},
        {**MARKED, "surprise": 1},
    ],
)
def test_a_review_that_makes_no_sense_is_refused_and_nothing_is_kept(
    site: Site, body: dict[str, Any]
) -> None:
    answer = review(site, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-body")
    assert site.get(address(site, "reviews")).json()["last"] == 0
    assert not site.archive.stored


def test_a_page_of_another_origin_can_not_review(site: Site) -> None:
    assert review(site, ABSENT, sec_fetch_site="cross-site").status_code == 403


def test_what_was_reviewed_is_listed(site: Site) -> None:
    assert site.get("/sidelight/reviews").json() == {"total": 0, "instances": []}
    review(site, ABSENT)
    listed = site.get("/sidelight/reviews").json()
    assert listed["total"] == 1
    link = listed["instances"][0]["links"]["reviews"]
    assert site.get(link).json()["reviews"][0]["verdicts"] == ABSENT["verdicts"]


def test_a_complete_review_counts_every_class_and_makes_no_objects(site: Site) -> None:
    answer = review(site, {"user": "Dr. Vera Lind", "complete": True})
    assert answer.json()["review"]["objects"] == []
    counted = site.get("/sidelight/remediations").json()["remediations"]
    assert [(one["reviewed"], one["wrong"]) for one in counted] == [(1, 0)] * 5


def test_an_analysis_made_again_is_not_reviewed_by_what_was_said_of_the_first(site: Site) -> None:
    from tests.plugin.web.fake_archive import analysis_of
    from tests.plugin.web.small_site import COLUMNS, ROWS

    review(site, ABSENT)
    again = analysis_of({site.chest: (ROWS, COLUMNS)}, {"pneumothorax": (0.5, 0.5, 0.1, 0.7)})
    site.archive.set_findings("instance", site.chest, again)
    answer = site.get(address(site, "reviews")).json()
    assert (answer["corrected_version"], answer["reviews"][0]["current"]) == (0, False)
    assert site.get(address(site, "heatmaps?version=latest")).json()["version"] == 0
