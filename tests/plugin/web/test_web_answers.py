# SPDX-License-Identifier: AGPL-3.0-or-later
"""What holds for every address: errors, methods, entity tags, headers, and no PHI in logs."""

from __future__ import annotations

import logging

import pytest

from plugin.queue import QueueError
from plugin.states import ScanState, Status
from plugin.web.errors import InferenceUnavailableError
from tests.plugin.web.small_site import Site

UNCHANGING = [
    "/sidelight/models",
    "/sidelight/openapi.json",
    "/sidelight/ui/",
    "/sidelight/ui/style.css",
    "/studies/{chest_study}/sidelight",
    "/series/{chest_series}/sidelight/anatomy",
    "/instances/{chest}/sidelight/probabilities",
    "/instances/{chest}/sidelight/heatmaps",
    "/instances/{chest}/sidelight/heatmaps/nodule",
    "/instances/{chest}/sidelight/heatmaps/nodule?overlay=true",
    "/instances/{chest}/sidelight/heatmaps/nodule/matrix",
]


@pytest.mark.parametrize("path", UNCHANGING)
def test_what_has_not_changed_is_not_sent_twice(site: Site, path: str) -> None:
    path = path.format(**vars(site))
    first = site.get(path)
    tag = first.headers["ETag"]
    assert (first.status_code, tag[0]) == (200, '"')
    for known in (tag, f'"other", W/{tag}', "*"):
        again = site.get(path, If_None_Match=known)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert site.get(path, If_None_Match='"other"').status_code == 200


@pytest.mark.parametrize("path", UNCHANGING)
def test_results_are_never_kept_by_shared_caches(site: Site, path: str) -> None:
    if "{" in path:
        answer = site.get(path.format(**vars(site)))
        assert answer.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", [*UNCHANGING, "/sidelight/status", "/sidelight/worklist"])
def test_head_answers_as_get_does(site: Site, path: str) -> None:
    path = path.format(**vars(site))
    head, get = site.client.head(path), site.get(path)
    assert (head.status_code, head.headers) == (get.status_code, get.headers)


@pytest.mark.parametrize("path", [*UNCHANGING, "/sidelight/status", "/sidelight/worklist"])
def test_another_method_is_405_and_names_the_right_ones(site: Site, path: str) -> None:
    answer = site.client.delete(path.format(**vars(site)))
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert "GET" in answer.headers["Allow"]


def test_analysing_takes_post_only(site: Site) -> None:
    answer = site.get(f"/studies/{site.chest_study}/sidelight/analyse")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", [*UNCHANGING, "/sidelight/status", "/sidelight/worklist"])
def test_an_unknown_parameter_is_named(site: Site, path: str) -> None:
    path = path.format(**vars(site))
    answer = site.get(path + ("&" if "?" in path else "?") + "colour=red")
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown-parameter")
    assert answer.json()["parameter"] == "colour"


def test_a_repeated_parameter_is_refused(site: Site) -> None:
    answer = site.get("/sidelight/worklist?limit=1&limit=2")
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated-parameter")


@pytest.mark.parametrize("value", ["0", "501", "-1", "1.0", "1e2", "", "one", "١"])
def test_a_number_out_of_range_is_refused(site: Site, value: str) -> None:
    answer = site.client.get("/sidelight/worklist", params={"limit": value})
    assert (answer.status_code, answer.json()["parameter"]) == (400, "limit")


def test_an_unknown_address_is_404_in_json(site: Site) -> None:
    for path in ("/sidelight", "/sidelight/status/", "/elsewhere", "/studies/x/sidelight/y"):
        answer = site.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-address")


@pytest.mark.parametrize(
    "name",
    ["explorer.js", "__init__.py", "../app.py", "..%2fapp.py", "%2e%2e/openapi.json",
     "/etc/passwd", "style.css/", "STYLE.CSS", "style.css%00"],
)  # fmt: skip
def test_only_files_of_the_page_are_served(site: Site, name: str) -> None:
    assert site.get(f"/sidelight/ui/{name}").status_code == 404


def test_the_page_runs_no_script_but_its_own(site: Site) -> None:
    answer = site.get("/sidelight/ui/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "style=" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_without_its_slash_redirects_relatively(site: Site) -> None:
    answer = site.get("/sidelight/ui")
    assert (answer.status_code, answer.headers["Location"]) == (
        307,
        "../../sidelight/ui/index.html",
    )


def test_an_unreachable_orthanc_is_503_with_retry_after(site: Site) -> None:
    site.archive.down = True
    answer = site.get(f"/studies/{site.chest_study}/sidelight")
    assert (answer.status_code, answer.json()["code"]) == (503, "archive-unavailable")
    assert answer.headers["Retry-After"]


def test_a_broken_queue_is_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_resources: object) -> int:
        raise QueueError("disk full")

    monkeypatch.setattr(site.queue, "pending_for", broken)
    answer = site.get(f"/studies/{site.chest_study}/sidelight")
    assert (answer.status_code, answer.json()["code"]) == (503, "queue-unavailable")


def test_a_silent_inference_is_503_for_models_only() -> None:
    from starlette.testclient import TestClient

    from plugin.web import create_app
    from tests.plugin.web.fake_archive import FakeArchive, FakeQueue

    def silent() -> list[object]:
        raise InferenceUnavailableError

    archive = FakeArchive()
    app = create_app(archive, FakeQueue(), status=dict, models=silent)  # type: ignore[arg-type]
    study = archive.add_study("abstained")
    instance = archive.add_instance(archive.add_series(study, "CR"))
    archive.set_state(
        ScanState(level="instance", resource=instance, status=Status.ABSTAINED, model="chest")
    )
    with TestClient(app) as client:
        assert client.get(f"/studies/{study}/sidelight").status_code == 200
        answer = client.get("/sidelight/models")
        assert (answer.status_code, answer.json()["code"]) == (503, "inference-unavailable")
        assert client.get("/sidelight/status").status_code == 200


def test_an_unexpected_error_tells_neither_caller_nor_log_about_the_patient(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_study: str) -> dict[str, object]:
        raise ValueError("PatientName is Doe^Jane")

    monkeypatch.setattr(site.archive, "study", broken)
    with caplog.at_level(logging.DEBUG):
        answer = site.get(f"/studies/{site.chest_study}/sidelight")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "Doe" not in answer.text + caplog.text
    assert "ValueError" in caplog.text


def test_errors_are_ascii_because_orthanc_passes_nothing_else(site: Site) -> None:
    answer = site.client.get("/sidelight/worklist", params={"größe": "1"})
    assert answer.status_code == 400
    assert answer.content.isascii()
    assert answer.json()["parameter"] == "größe"


def test_status_and_models_are_what_the_process_says(site: Site) -> None:
    assert site.get("/sidelight/status").json()["queue"]["done"] == 1
    (model,) = site.get("/sidelight/models").json()["models"]
    assert model["disclaimer"].startswith("Trained on phantoms")
