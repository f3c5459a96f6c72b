# SPDX-License-Identifier: AGPL-3.0-or-later
"""Results for a RIS over REST: what the stored report says, as JSON or FHIR, and never silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from plugin.states import GlobalProbability, ScanState, Status
from tests.plugin.doors.conftest import MODEL, PROBABILITIES, make_report
from tests.plugin.web.small_site import Site, small_site

FHIR = "application/fhir+json"


@pytest.fixture
def site() -> Iterator[Site]:
    """A site whose chest radiograph has a real report."""
    site = small_site()
    state = chest_state(site)
    report = next(stored.instance for stored in state.objects if stored.kind == "SR")
    site.archive.files[report] = make_report()
    severities = tuple(
        GlobalProbability(
            key=one.key,
            name=one.name,
            probability=PROBABILITIES[one.key],
            threshold=one.threshold,
            present=PROBABILITIES[one.key] >= one.threshold,
            severity=one.severity,
        )
        for one in MODEL.classes
    )
    site.archive.set_state(state.model_copy(update={"probabilities": severities}))
    with site.client:
        yield site


def chest_state(site: Site) -> ScanState:
    text = site.archive.metadatas["instance", site.chest, 5402]
    return ScanState.model_validate_json(text)


def found(site: Site, query: str = "AccessionNumber=ACC-chest") -> list[dict[str, Any]]:
    answer = site.get(f"/sidelight/results?{query}")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    studies: list[dict[str, Any]] = answer.json()["studies"]
    return studies


def test_an_accession_number_leads_to_the_findings_of_the_report(site: Site) -> None:
    (study,) = found(site)
    (result,) = study["results"]
    assert (study["study"], study["status"]) == (site.chest_study, "done")
    first = result["findings"][0]
    assert (first["key"], first["probability_percent"]) == ("pneumothorax", 91.3042)
    assert (first["present"], first["severity"]) == (True, 3)
    assert "not for clinical use" in result["disclaimer"]


def test_the_same_by_the_study(site: Site) -> None:
    answer = site.get(f"/studies/{site.chest_study}/sidelight/results")
    assert answer.json() == found(site)[0]
    assert answer.headers["vary"] == "Accept"
    again = site.get(
        f"/studies/{site.chest_study}/sidelight/results", If_None_Match=answer.headers["etag"]
    )
    assert again.status_code == 304


def test_fhir_is_answered_to_who_accepts_it(site: Site) -> None:
    for path in (
        "/sidelight/results?AccessionNumber=ACC-chest",
        f"/studies/{site.chest_study}/sidelight/results",
    ):
        answer = site.get(path, Accept=f"{FHIR}, application/json;q=0.5")
        assert answer.headers["content-type"] == FHIR
        bundle = Bundle.model_validate_json(answer.content)
        assert bundle.entry
    assert site.get(path, Accept="text/html").status_code == 406


def test_no_study_is_an_empty_answer_in_both_languages(site: Site) -> None:
    assert found(site, "AccessionNumber=NONE") == []
    answer = site.get("/sidelight/results?AccessionNumber=NONE", Accept=FHIR)
    assert json.loads(answer.content) == {"resourceType": "Bundle", "type": "collection"}


def test_a_scan_without_a_report_says_why(site: Site) -> None:
    (study,) = found(site, "AccessionNumber=ACC-head")
    assert study["results"] == []
    (scan,) = study["without_report"]
    assert (scan["status"], scan["reason"]) == ("no-application", "no application for CT HEAD")


def test_a_report_that_was_deleted_or_quarantined_is_not_silence(site: Site) -> None:
    site.archive.files.clear()
    (study,) = found(site)
    assert "deleted from Orthanc" in study["without_report"][0]["reason"]
    site.archive.set_state(
        chest_state(site).model_copy(
            update={"objects": (), "quarantined": {"SR": "Content Sequence: missing"}}
        )
    )
    (study,) = found(site)
    assert study["without_report"][0]["reason"] == (
        "the report was not stored: Content Sequence: missing"
    )


def test_what_is_in_progress_says_so(site: Site) -> None:
    site.queue.pending.add(site.chest)
    assert found(site)[0]["status"] == "in-progress"
    answer = site.get(f"/studies/{site.chest_study}/sidelight/results", Accept=FHIR)
    assert answer.status_code == 202
    assert answer.json()["results"][0]["outcome"] == "findings"


def test_what_was_never_analysed_says_so(site: Site) -> None:
    (study,) = found(site, "AccessionNumber=ACC-new")
    assert (study["status"], study["results"]) == ("not-analysed", [])


def test_an_unreadable_report_is_an_error_that_says_what_to_do(site: Site) -> None:
    for instance in site.archive.files:
        site.archive.files[instance] = b"Doe^Jane"
    answer = site.get("/sidelight/results?AccessionNumber=ACC-chest")
    assert (answer.status_code, answer.json()["code"]) == (500, "unreadable-result")
    assert "analyse the study again" in answer.json()["message"]
    assert "Doe" not in answer.text


@pytest.mark.parametrize("query", ["", "?AccessionNumber=*", "?PatientName=Doe"])
def test_a_search_without_an_exact_value_is_refused(site: Site, query: str) -> None:
    assert site.get(f"/sidelight/results{query}").status_code == 400


def test_a_failed_scan_without_a_report_has_its_reason(site: Site) -> None:
    site.archive.set_state(
        ScanState(
            level="instance",
            resource=site.new,
            status=Status.FAILED,
            reason="the file can't be read as DICOM",
            finished_at="2026-11-03T09:00:00Z",
        )
    )
    (study,) = found(site, "AccessionNumber=ACC-new")
    assert study["without_report"][0]["reason"] == "the file can't be read as DICOM"
