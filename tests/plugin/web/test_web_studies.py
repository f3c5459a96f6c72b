# SPDX-License-Identifier: AGPL-3.0-or-later
"""Routes of studies, series and scans."""

from __future__ import annotations

from typing import Any

import pytest

from inference.contract import ModelDescription
from plugin.states import Metadata, ScanState, Status
from tests.plugin.web.fake_archive import (
    CHEST,
    CHEST_MODEL,
    DISCLAIMER,
    analysis_of,
    orthanc_id,
    state_of,
)
from tests.plugin.web.small_site import Site

NOWHERE = orthanc_id("nowhere")


def test_a_study_tells_what_became_of_each_scan(site: Site) -> None:
    answer = site.get(f"/studies/{site.chest_study}/sidelight")
    assert answer.status_code == 200
    study = answer.json()
    assert (study["status"], study["priority"]) == ("done", 3)
    (scan,) = study["scans"]
    assert scan["status"] == "findings"
    assert scan["anatomy"]["regions"] == ["chest"]
    assert scan["probabilities"][0]["key"] == "pneumothorax"
    assert scan["disclaimer"] == DISCLAIMER
    assert [item["kind"] for item in scan["objects"]] == ["SR", "SEG", "PR"]


def test_links_of_a_study_lead_somewhere(site: Site) -> None:
    scan = site.get(f"/studies/{site.chest_study}/sidelight").json()["scans"][0]
    for name in ("probabilities", "heatmaps"):
        assert site.get(scan["links"][name]).status_code == 200


def test_own_objects_are_not_listed_as_scans(site: Site) -> None:
    scans = site.get(f"/studies/{site.chest_study}/sidelight").json()["scans"]
    assert [scan["resource"] for scan in scans] == [site.chest]


def test_a_study_with_pending_work_is_in_progress(site: Site) -> None:
    site.queue.pending.add(site.chest)
    answer = site.get(f"/studies/{site.chest_study}/sidelight")
    assert answer.status_code == 202
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["status"] == "in-progress"
    assert answer.json()["scans"]
    assert "ETag" not in answer.headers


def test_a_running_scan_makes_its_study_in_progress(site: Site) -> None:
    site.archive.set_state(
        ScanState(level="instance", resource=site.new, status=Status.RUNNING, modality="DX")
    )
    assert site.get(f"/studies/{site.new_study}/sidelight").status_code == 202


def test_a_study_that_was_never_seen_says_so(site: Site) -> None:
    answer = site.get(f"/studies/{site.new_study}/sidelight")
    assert (answer.status_code, answer.json()["status"]) == (200, "not-analysed")


def test_no_application_is_an_answer_and_not_an_error(site: Site) -> None:
    study = site.get(f"/studies/{site.head_study}/sidelight").json()
    assert study["scans"][0]["reason"] == "no application for CT HEAD"
    image = site.get(f"/instances/{site.head}/sidelight/probabilities")
    assert image.status_code == 200
    assert image.json()["status"] == "no-application"
    assert image.json()["probabilities"] == []


def test_the_findings_of_a_volume_are_found_through_its_slices(site: Site) -> None:
    volume = CHEST_MODEL.model_copy(update={"works_on": "series"})
    other = site.archive.add_instance(site.head_series)
    unseen = site.archive.add_instance(site.head_series)
    findings = analysis_of(
        {site.head: (32, 32), other: (32, 32)}, {"nodule": (0.5, 0.5, 0.1, 0.8)}, volume
    )
    site.archive.set_findings("series", site.head_series, findings)
    site.archive.set_state(state_of(findings, "series", site.head_series, modality="CT"))
    scan = site.get(f"/studies/{site.head_study}/sidelight").json()["scans"][0]
    assert set(scan["images"]) == {site.head, other}
    assert site.get(f"/instances/{other}/sidelight/heatmaps/nodule").status_code == 200
    assert site.get(f"/instances/{unseen}/sidelight/heatmaps").json()["code"] == "no-heatmap"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/studies/{}/sidelight", "unknown-study"),
        ("/series/{}/sidelight/anatomy", "unknown-series"),
        ("/instances/{}/sidelight/probabilities", "unknown-instance"),
        ("/instances/{}/sidelight/heatmaps", "unknown-instance"),
        ("/instances/{}/sidelight/heatmaps/nodule", "unknown-instance"),
        ("/instances/{}/sidelight/heatmaps/nodule/matrix", "unknown-instance"),
    ],
)
@pytest.mark.parametrize("identifier", [NOWHERE, "nonsense", "..", "0" * 44])
def test_an_unknown_identifier_is_404(site: Site, path: str, code: str, identifier: str) -> None:
    answer = site.get(path.format(identifier.replace("..", "%2e%2e")))
    assert (answer.status_code, answer.json()["code"]) == (404, code)


def test_what_cannot_be_an_identifier_never_reaches_orthanc(site: Site) -> None:
    site.archive.down = True
    assert site.get("/studies/a?b/sidelight").status_code == 404
    assert site.get(f"/studies/{NOWHERE}x/sidelight").status_code == 404


def test_the_anatomy_of_a_series_comes_with_its_votes(site: Site) -> None:
    answer = site.get(f"/series/{site.chest_series}/sidelight/anatomy").json()
    assert answer["anatomy"]["confidence"] == 0.97
    assert answer["anatomy"]["votes"][0]["attribute"] == "BodyPartExamined"


def test_anatomy_still_to_come_is_202_and_never_looked_at_is_404(site: Site) -> None:
    path = f"/series/{site.new_series}/sidelight/anatomy"
    assert site.get(path).json()["code"] == "no-anatomy"
    site.queue.pending.add(site.new)
    assert site.get(path).status_code == 202


def test_an_image_still_in_the_queue_is_202(site: Site) -> None:
    path = f"/instances/{site.new}/sidelight/probabilities"
    assert (site.get(path).status_code, site.get(path).json()["code"]) == (404, "not-analysed")
    site.queue.pending.add(site.new)
    answer = site.get(path)
    assert answer.status_code == 202
    assert answer.headers["Retry-After"]


def test_results_stay_readable_while_a_repetition_is_queued(site: Site) -> None:
    site.queue.pending.add(site.chest)
    assert site.get(f"/instances/{site.chest}/sidelight/probabilities").status_code == 200


def test_analysing_queues_the_study_and_points_to_the_answer(site: Site) -> None:
    answer = site.client.post(f"/studies/{site.new_study}/sidelight/analyse")
    assert answer.status_code == 202
    assert answer.json()["queued"] == 1
    where = answer.request.url.join(answer.headers["Location"])
    assert where.path == f"/studies/{site.new_study}/sidelight"
    assert site.queue.enqueued == [site.new_study]


@pytest.mark.parametrize("body", [b"", b"{}", b" {}\n"])
def test_analysing_takes_an_empty_body(site: Site, body: bytes) -> None:
    path = f"/studies/{site.new_study}/sidelight/analyse"
    assert site.client.post(path, content=body).status_code == 202


@pytest.mark.parametrize("body", [b"force", b"[]", b'{"speed": 1}', b"\xff", b" " * 5000])
def test_any_other_body_is_400_and_queues_nothing(site: Site, body: bytes) -> None:
    answer = site.client.post(f"/studies/{site.new_study}/sidelight/analyse", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-body")
    assert site.queue.enqueued == []


@pytest.mark.parametrize(
    "content",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_over_plain_http_a_foreign_page_is_known_by_what_it_can_send(
    site: Site, content: str | None, origin: str
) -> None:
    headers = {"Origin": origin} | ({"Content-Type": content} if content else {})
    path = f"/studies/{site.new_study}/sidelight/analyse"
    answer = site.client.post(path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign-page")
    assert site.queue.enqueued == []
    json_type = {"Content-Type": "application/json; charset=utf-8"}
    assert site.client.post(path, headers=headers | json_type).status_code == 202


def test_what_comes_from_no_browser_needs_no_content_type(site: Site) -> None:
    path = f"/studies/{site.new_study}/sidelight/analyse"
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # curl -d
    assert site.client.post(path, headers=form).status_code == 202


def test_a_page_of_another_origin_may_not_start_an_analysis(site: Site) -> None:
    answer = site.client.post(
        f"/studies/{site.new_study}/sidelight/analyse", headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign-page")
    assert site.queue.enqueued == []


def test_analysing_an_unknown_study_is_404(site: Site) -> None:
    answer = site.client.post(f"/studies/{NOWHERE}/sidelight/analyse")
    assert answer.json()["code"] == "unknown-study"
    assert site.queue.enqueued == []


def test_a_state_of_another_version_does_not_hide_the_other_scans(site: Site) -> None:
    key = ("instance", site.new, int(Metadata.STATE))
    site.archive.metadatas[key] = '{"from": "the future"}'
    (scan,) = site.get(f"/studies/{site.new_study}/sidelight").json()["scans"]
    assert scan["status"] == "failed"
    assert "analyse the study again" in scan["reason"]


@pytest.mark.parametrize(
    "path", ["/studies/{}/sidelight", "/sidelight/worklist", "/studies/{}/sidelight/results"]
)
def test_hundreds_of_images_are_read_in_one_question(
    path: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [site.archive.add_instance(site.new_series) for _ in range(400)]
    for image in images[:-1]:
        status = Status.FAILED if image == images[7] else Status.NO_APPLICATION
        state = ScanState(level="instance", resource=image, status=status, modality="DX")
        site.archive.set_state(state)
    site.archive.put_metadata("instance", images[3], Metadata.STATE, '{"from": "the future"}')
    site.queue.noted = [(site.new_study, 1795867200.0)]
    asked: list[str] = []
    whole = site.archive.metadata_of

    def counted(*question: Any) -> Any:
        asked.append("many")
        before = len(asked)
        found = whole(*question)
        del asked[before:]
        return found

    one = site.archive.metadata
    monkeypatch.setattr(site.archive, "metadata_of", counted)
    monkeypatch.setattr(
        site.archive, "metadata", lambda *question: asked.append("one") or one(*question)
    )
    answer = site.get(path.format(site.new_study))
    assert answer.status_code == 200
    assert len(asked) < 12
    study = answer.json()
    if "scans" in study and "status" in study["scans"][0]:
        assert len(study["scans"]) == 399
        failed = {scan["resource"] for scan in study["scans"] if scan["status"] == "failed"}
        assert failed == {images[3], images[7]}


def test_unreadable_findings_are_an_error_that_says_what_to_do(site: Site) -> None:
    key = next(key for key in site.archive.attachments if key[1] == site.chest)
    site.archive.attachments[key] = b"{}"
    answer = site.get(f"/instances/{site.chest}/sidelight/heatmaps")
    assert (answer.status_code, answer.json()["code"]) == (500, "unreadable-result")


def test_a_model_that_left_no_findings_is_disclaimed_too(site: Site) -> None:
    site.archive.set_state(
        ScanState(
            level="instance",
            resource=site.new,
            status=Status.ABSTAINED,
            model=CHEST_MODEL.name,
            model_version=CHEST_MODEL.version,
        )
    )
    (scan,) = site.get(f"/studies/{site.new_study}/sidelight").json()["scans"]
    image = site.get(f"/instances/{site.new}/sidelight/probabilities").json()
    assert scan["disclaimer"] == image["disclaimer"] == DISCLAIMER


def test_the_disclaimer_outlives_the_model(site: Site) -> None:
    retired = ModelDescription(**{**dict(CHEST_MODEL), "name": "retired", "disclaimer": "Old."})
    findings = analysis_of({site.new: (32, 32)}, {}, retired)
    site.archive.set_findings("instance", site.new, findings)
    site.archive.set_state(state_of(findings, "instance", site.new))
    (scan,) = site.get(f"/studies/{site.new_study}/sidelight").json()["scans"]
    assert scan["disclaimer"] == "Old."


def test_findings_of_an_earlier_analysis_are_not_shown_after_one_that_failed(site: Site) -> None:
    site.archive.set_state(
        ScanState(
            level="instance",
            resource=site.chest,
            status=Status.FAILED,
            reason="out of memory",
            model=CHEST_MODEL.name,
            model_version=CHEST_MODEL.version,
        )
    )
    image = site.get(f"/instances/{site.chest}/sidelight/probabilities").json()
    assert (image["status"], image["probabilities"]) == ("failed", [])
    answer = site.get(f"/instances/{site.chest}/sidelight/heatmaps/nodule")
    assert answer.json()["code"] == "no-heatmap"
    assert "out of memory" in answer.json()["message"]


def test_a_scan_that_ends_while_it_is_asked_for_is_never_called_unseen(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends_now(_resources: object) -> int:
        site.archive.set_state(
            ScanState(level="instance", resource=site.new, status=Status.FAILED, reason="broken")
        )
        site.archive.set_anatomy(site.new_series, CHEST)
        return 0

    monkeypatch.setattr(site.queue, "pending_for", ends_now)
    assert site.get(f"/instances/{site.new}/sidelight/probabilities").status_code == 200
    site.archive.metadatas.clear()
    assert site.get(f"/series/{site.new_series}/sidelight/anatomy").status_code == 200


def test_a_study_is_done_only_when_all_its_states_were_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.queue.pending.add(site.new)
    real = site.archive.metadata

    def last_moment(level: str, resource: str, name: Metadata) -> str | None:
        answer = real(level, resource, name)
        site.queue.pending.clear()
        return answer

    monkeypatch.setattr(site.archive, "metadata", last_moment)
    assert site.get(f"/studies/{site.new_study}/sidelight").status_code == 202
