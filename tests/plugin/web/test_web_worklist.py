# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finding studies: by what a RIS knows, and by urgency."""

from __future__ import annotations

import pytest

from plugin.configuration.priority_table import PriorityTable
from plugin.results.private import MANUFACTURER
from plugin.states import ScanState, Status
from plugin.web import create_app
from plugin.web.latest_reports import OWN_REPORTS
from plugin.web.services import Services
from plugin.web.urgency import Urgency
from tests.plugin.web.fake_archive import DISCLAIMER, analysis_of, state_of
from tests.plugin.web.small_site import Site, TestClient


def analysed(site: Site, name: str, peak: float, finished_at: str) -> str:
    study = site.archive.add_study(name)
    instance = site.archive.add_instance(site.archive.add_series(study, "DX"))
    findings = analysis_of({instance: (8, 8)}, {"cardiomegaly": (0.5, 0.5, 0.2, peak)})
    site.archive.set_state(state_of(findings, "instance", instance, finished_at=finished_at))
    site.archive.set_findings("instance", instance, findings)
    site.archive.add_report(study)
    return study


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("AccessionNumber", "ACC-chest"), ("StudyInstanceUID", "2.25.1"), ("PatientID", "PID-chest")],
)
def test_a_ris_finds_a_study_without_orthanc_identifiers(
    site: Site, parameter: str, value: str
) -> None:
    answer = site.client.get("/sidelight/studies", params={parameter: value})
    (study,) = answer.json()["studies"]
    assert study["study"] == site.chest_study
    assert study["top"][0]["key"] == "pneumothorax"
    assert site.get(study["links"]["self"]).status_code == 200


def test_what_a_ris_gets_names_no_patient(site: Site) -> None:
    answer = site.client.get("/sidelight/studies", params={"AccessionNumber": "ACC-chest"})
    assert "Doe" not in answer.text
    assert "PID-chest" not in answer.text


def test_several_parameters_must_all_match(site: Site) -> None:
    params = {"AccessionNumber": "ACC-chest", "PatientID": "PID-head"}
    assert site.client.get("/sidelight/studies", params=params).json() == {"studies": []}


def test_a_value_matches_exactly_where_orthanc_ignores_case(site: Site) -> None:
    params = {"AccessionNumber": "acc-CHEST"}
    assert site.client.get("/sidelight/studies", params=params).json() == {"studies": []}


@pytest.mark.parametrize("value", ["*", "ACC-?", "A\\B", "", " ", " A", "A\n", "A" * 65])
def test_wildcards_and_blanks_are_refused(site: Site, value: str) -> None:
    answer = site.client.get("/sidelight/studies", params={"AccessionNumber": value})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")
    assert answer.json()["parameter"] == "AccessionNumber"
    assert site.archive.queries == []


def test_a_search_without_parameters_is_refused(site: Site) -> None:
    answer = site.get("/sidelight/studies")
    assert (answer.status_code, answer.json()["code"]) == (400, "missing-parameter")


def test_the_worklist_is_sorted_by_priority_and_then_by_time(site: Site) -> None:
    early = analysed(site, "early", 0.9, "2026-11-03T08:00:00Z")
    late = analysed(site, "late", 0.9, "2026-11-03T12:00:00Z")
    clear = analysed(site, "clear", 0.1, "2026-11-03T13:00:00Z")
    studies = site.get("/sidelight/worklist").json()["studies"]
    assert [s["study"] for s in studies] == [site.chest_study, late, early, clear]
    assert [s["priority"] for s in studies] == [3, 1, 1, 0]


def test_the_worklist_says_why_a_study_is_urgent(site: Site) -> None:
    (study,) = site.get("/sidelight/worklist").json()["studies"]
    assert study["priority_reason"] == "Pneumothorax 90 %: a pneumothorax can come under tension"
    assert (study["priority_rule"], study["within_minutes"]) == ("pneumothorax", 15)
    scan = site.get(f"/studies/{site.chest_study}/sidelight").json()["scans"][0]
    assert scan["priority_reason"] == study["priority_reason"]
    image = site.get(f"/instances/{site.chest}/sidelight/probabilities").json()
    assert image["priority_rule"] == "pneumothorax"


def test_an_edited_table_counts_for_old_results(site: Site) -> None:
    rule = {"name": "ours", "findings": ["pneumothorax"], "priority": "low", "reason": "as ours"}
    table = PriorityTable.model_validate({"rule": [rule]})
    app = create_app(
        site.archive,
        site.queue,
        status=dict,
        models=list,
        services=Services(urgency=Urgency(table)),
    )
    with TestClient(app) as client:
        (study,) = client.get("/sidelight/worklist").json()["studies"]
    assert (study["priority"], study["priority_rule"]) == (0, "ours")


def test_within_one_priority_what_must_be_seen_sooner_comes_first(site: Site) -> None:
    rules = [
        {"name": "slow", "findings": ["pneumothorax"], "priority": "urgent", "within_minutes": 60},
        {"name": "fast", "findings": ["cardiomegaly"], "priority": "urgent", "within_minutes": 5},
    ]
    table = PriorityTable.model_validate({"rule": [{**r, "reason": "because"} for r in rules]})
    heart = analysed(site, "heart", 0.9, "2020-01-01T00:00:00Z")
    app = create_app(
        site.archive,
        site.queue,
        status=dict,
        models=list,
        services=Services(urgency=Urgency(table)),
    )
    with TestClient(app) as client:
        studies = client.get("/sidelight/worklist").json()["studies"]
    assert [study["study"] for study in studies] == [heart, site.chest_study]


def test_the_worklist_can_be_narrowed_to_the_urgent(site: Site) -> None:
    analysed(site, "clear", 0.1, "2026-11-03T13:00:00Z")
    answer = site.get("/sidelight/worklist?priority=2").json()
    assert [s["study"] for s in answer["studies"]] == [site.chest_study]
    assert site.get("/sidelight/worklist?priority=4").status_code == 400


def test_a_study_that_waits_is_in_the_list_before_it_has_any_result(site: Site) -> None:
    site.queue.pending.add(site.new)
    site.queue.noted = [(site.new_study, 1795867200.0)]
    studies = site.get("/sidelight/worklist?status=in-progress").json()["studies"]
    assert [(s["study"], s["status"]) for s in studies] == [(site.new_study, "in-progress")]


def test_a_scan_that_failed_without_a_report_is_in_the_list(site: Site) -> None:
    failed = ScanState(
        level="instance", resource=site.new, status=Status.FAILED, reason="unreadable"
    )
    site.archive.set_state(failed)
    site.queue.noted = [(site.new_study, 1795867200.0)]
    (study,) = site.get("/sidelight/worklist?status=failed").json()["studies"]
    assert study["study"] == site.new_study
    assert study["priority"] == 1, "nobody knows yet what it shows"


def test_the_worklist_shows_the_reader_whose_study_it_is_but_not_in_links(site: Site) -> None:
    answer = site.get("/sidelight/worklist")
    (study,) = answer.json()["studies"]
    assert study["patient"] == {"id": "PID-chest", "name": "Doe^Jane"}
    assert not any("PID" in link or "ACC" in link for link in study["links"].values())
    assert answer.headers["Cache-Control"] == "no-store"


def test_lists_of_results_carry_the_disclaimers_of_their_models(site: Site) -> None:
    (study,) = site.get("/sidelight/worklist").json()["studies"]
    assert study["disclaimers"] == [DISCLAIMER]


def test_the_worklist_holds_to_limit_and_counts_the_rest(site: Site) -> None:
    analysed(site, "second", 0.9, "2026-11-03T08:00:00Z")
    answer = site.get("/sidelight/worklist?limit=1").json()
    assert len(answer["studies"]) == 1
    assert answer["total"] == 2


def test_the_worklist_can_be_narrowed_to_a_status(site: Site) -> None:
    clear = analysed(site, "clear", 0.1, "2026-11-03T13:00:00Z")
    answer = site.get("/sidelight/worklist?status=no-findings").json()
    assert [s["study"] for s in answer["studies"]] == [clear]
    answer = site.get("/sidelight/worklist?status=in-progress").json()
    assert answer["studies"] == []


def test_a_study_in_progress_shows_as_such_in_the_worklist(site: Site) -> None:
    second = site.archive.add_instance(site.chest_series)
    site.archive.set_state(ScanState(level="instance", resource=second, status=Status.RUNNING))
    (study,) = site.get("/sidelight/worklist").json()["studies"]
    assert study["status"] == "in-progress"
    assert study["outcomes"] == {"findings": 1, "in-progress": 1}


def test_a_study_deleted_meanwhile_is_left_out(site: Site) -> None:
    gone = analysed(site, "gone", 0.9, "2026-11-03T08:00:00Z")
    del site.archive.studies[gone]
    assert len(site.get("/sidelight/worklist").json()["studies"]) == 1


def count_reads(site: Site, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read: list[str] = []
    real = site.archive.study

    def counted(study_id: str) -> dict[str, object]:
        read.append(study_id)
        return real(study_id)

    monkeypatch.setattr(site.archive, "study", counted)
    return read


def test_a_finished_study_is_not_read_again_for_every_look_at_the_worklist(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = count_reads(site, monkeypatch)
    answers = {site.get("/sidelight/worklist").text for _ in range(5)}
    assert len(answers) == 1
    assert read == [site.chest_study]


def test_a_study_that_changed_is_read_again_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = count_reads(site, monkeypatch)
    site.get("/sidelight/worklist")
    site.queue.pending.add(site.chest)
    assert site.get("/sidelight/worklist").json()["studies"][0]["status"] == "in-progress"
    site.queue.pending.clear()
    (report, *_) = site.archive.find("Series", OWN_REPORTS)
    report["LastUpdate"] = "20261104T080000"
    site.archive.change("StableSeries", report["ID"])
    assert site.get("/sidelight/worklist").json()["studies"][0]["status"] == "done"
    assert len(read) == 3


def test_a_kept_summary_grows_old(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    read = count_reads(site, monkeypatch)
    site.get("/sidelight/worklist")
    monkeypatch.setattr("plugin.web.summaries.KEPT_SECONDS", -1.0)
    site.get("/sidelight/worklist")
    assert len(read) == 2


def test_the_worklist_looks_for_the_reports_that_sidelight_writes() -> None:
    assert OWN_REPORTS == {"Modality": "SR", "Manufacturer": MANUFACTURER}
