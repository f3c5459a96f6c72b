# SPDX-License-Identifier: AGPL-3.0-or-later
"""Why did this run, why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from plugin.configuration.applications import ApplicationSection
from plugin.doors.outbox import Outbox
from plugin.routing.explanation import Explanation
from plugin.routing.matching import Matcher
from plugin.web import create_app, description
from plugin.web.services import Services
from tests.plugin.routing.tables import application, table
from tests.plugin.web.fake_archive import CHEST_MODEL
from tests.plugin.web.small_site import Site, TestClient


def plan(site: Site, **asked: str) -> list[dict[str, Any]]:
    answer = site.client.get("/sidelight/plan", params=asked)
    assert answer.status_code == 200, answer.text
    studies: list[dict[str, Any]] = answer.json()["studies"]
    return studies


def test_the_plan_says_which_rule_let_the_model_run_and_what_it_did(site: Site) -> None:
    (study,) = plan(site, study=site.chest_study)
    (scan,) = study["scans"]
    assert scan["would_end"] == "analysis"
    assert scan["did"]["status"] == "findings"
    (application,) = scan["applications"]
    assert (application["verdict"], application["model"]) == ("runs", CHEST_MODEL.name)
    assert all(check["holds"] for check in application["rules"][0]["checks"])
    assert {v["attribute"] for v in scan["anatomy"]["votes"]} >= {"BodyPartExamined"}


def test_the_plan_says_in_words_why_nothing_fits(site: Site) -> None:
    (study,) = plan(site, study=site.head_study)
    (scan,) = study["scans"]
    assert scan["would_end"] == "no-application"
    assert scan["reason"] == "no application for CT HEAD"
    assert scan["applications"][0]["reason"] == "works on instance, the scan is series"


def test_a_model_in_dry_run_would_run_but_does_not(site: Site) -> None:
    site.planner.applications = ApplicationSection(default="dry-run")
    (study,) = plan(site, study=site.chest_study)
    (scan,) = study["scans"]
    assert scan["applications"][0]["verdict"] == "dry-run"
    assert scan["would_end"] == "no-application"


def test_a_disabled_model_is_said_to_be_disabled(site: Site) -> None:
    site.planner.applications = ApplicationSection(modes={CHEST_MODEL.name: "disabled"})
    (study,) = plan(site, study=site.chest_study)
    assert study["scans"][0]["applications"][0]["verdict"] == "disabled"


def test_burned_in_text_is_a_refusal_that_names_the_model(site: Site) -> None:
    site.planner.refusal = "the image says that it carries burned-in annotation"
    (study,) = plan(site, study=site.chest_study)
    (scan,) = study["scans"]
    assert (scan["would_end"], scan["applications"][0]["verdict"]) == ("refusal", "refuses")
    assert "burned-in" in scan["reason"]


def test_a_scan_that_was_never_analysed_has_a_plan_and_stays_so(site: Site) -> None:
    before = dict(site.archive.metadatas)
    (study,) = plan(site, study=site.new_study)
    assert study["scans"][0]["did"] is None
    assert site.archive.metadatas == before
    assert site.queue.enqueued == []


@pytest.mark.parametrize("name", ["StudyInstanceUID", "AccessionNumber"])
def test_a_ris_asks_by_what_it_knows(site: Site, name: str) -> None:
    value = {"StudyInstanceUID": "2.25.1", "AccessionNumber": "ACC-chest"}[name]
    (study,) = plan(site, **{name: value})
    assert study["study"] == site.chest_study


def test_nothing_is_found_for_an_unknown_accession_number(site: Site) -> None:
    assert plan(site, AccessionNumber="ACC-none") == []


@pytest.mark.parametrize("kind", ["series", "instance"])
def test_a_series_or_an_image_can_be_asked_for_alone(site: Site, kind: str) -> None:
    other = site.archive.add_instance(site.archive.add_series(site.chest_study, "DX"))
    assert len(plan(site, study=site.chest_study)[0]["scans"]) == 2
    wanted = {"series": site.chest_series, "instance": site.chest}[kind]
    (study,) = plan(site, **{kind: wanted})
    assert [scan["resource"] for scan in study["scans"]] == [site.chest]
    assert plan(site, instance=other)[0]["scans"][0]["resource"] == other


def test_an_image_of_a_volume_leads_to_its_series(site: Site) -> None:
    (study,) = plan(site, instance=site.head)
    assert [scan["resource"] for scan in study["scans"]] == [site.head_series]


def test_a_study_with_very_many_images_says_how_many_it_left_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugin.web.plan.MAXIMUM_SCANS", 2)
    for _ in range(4):
        site.archive.add_instance(site.chest_series)
    (study,) = plan(site, study=site.chest_study)
    assert (len(study["scans"]), study["left_out"]) == (2, 3)


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({}, 400, "missing-parameter"),
        ({"study": "a", "series": "b"}, 400, "missing-parameter"),
        ({"study": "nonsense"}, 404, "unknown-study"),
        ({"instance": "0" * 8 + 4 * ("-" + "0" * 8)}, 404, "unknown-instance"),
        ({"AccessionNumber": "*"}, 400, "bad-parameter"),
        ({"PatientID": "x"}, 400, "unknown-parameter"),
    ],
)
def test_a_question_that_is_no_question_is_refused(
    site: Site, params: dict[str, str], status: int, code: str
) -> None:
    answer = site.client.get("/sidelight/plan", params=params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_without_inference_the_plan_is_not_available(site: Site) -> None:
    app = create_app(site.archive, site.queue, status=dict, models=list)
    with TestClient(app) as client:
        answer = client.get("/sidelight/plan", params={"study": site.chest_study})
    assert (answer.status_code, answer.json()["code"]) == (503, "inference-unavailable")


def test_the_plan_of_one_study_says_what_the_table_of_applications_hands_over(
    site: Site, tmp_path: Path
) -> None:
    category = {"modalities": ["CR"], "regions": ["chest"]}
    needs = {"priors": 1}
    applications = table(application("film", scan=category, needs=needs), application("ct"))
    before = site.archive.add_study("before", StudyDate="20250101")
    undated = site.archive.add_study("undated", StudyDate="")
    for one in (before, undated):
        site.archive.studies[one]["PatientMainDicomTags"]["PatientID"] = "PID-chest"
    site.archive.simplified_tags = lambda _instance: {}  # type: ignore[method-assign]
    routing = Explanation(Matcher(site.archive, applications), Outbox(tmp_path / "outbox.sqlite"))
    services = Services(planner=site.planner, routing=routing.of)
    app = create_app(site.archive, site.queue, dict, list, services)
    with TestClient(app) as client:
        answer = client.get(f"/studies/{site.chest_study}/sidelight/plan")
        missing = client.get(f"/studies/{'0' * 8}{4 * ('-' + '0' * 8)}/sidelight/plan")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown-study")
    content = answer.json()
    components = json.loads(description.document())["components"]
    schema = {"$ref": "#/components/schemas/StudyPlan", "components": components}
    jsonschema_rs.validate(schema, content)
    film, ct = content["routing"]
    assert [part["series"] for part in film["set"]] == [site.chest_series]
    assert [(one["study"], one["reason"]) for one in film["candidates"]] == [
        (before, "not-recognized"),
        (undated, "undated"),
    ]
    assert (film["handover"], ct["handover"], ct["candidates"]) == ("not-decided", "no-set", [])
    assert (ct["decision"], ct["set"]) == ("no-series-fits", [])
    assert ct["reason"].startswith("closest series: modality is CR, wanted: CT")
