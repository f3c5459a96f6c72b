# SPDX-License-Identifier: AGPL-3.0-or-later
"""The relevant priors of a study."""

from __future__ import annotations

import pytest

from plugin.anatomy import AnatomyBook, StudyAnatomy
from plugin.states import Metadata
from tests.plugin.web.fake_archive import CHEST, HEAD
from tests.plugin.web.small_site import Site


def study(site: Site, name: str, day: str, patient: str = "PID-chest", anatomy=CHEST) -> str:
    identifier = site.archive.add_study(name, StudyDate=day)
    site.archive.studies[identifier]["PatientMainDicomTags"]["PatientID"] = patient
    text = StudyAnatomy.of([anatomy]).model_dump_json()
    site.archive.put_metadata("study", identifier, Metadata.ANATOMY, text)
    return identifier


def priors(site: Site, query: str = "") -> list[str]:
    answer = site.get(f"/studies/{site.chest_study}/sidelight/priors?{query}")
    assert answer.status_code == 200, answer.text
    return [one["study"] for one in answer.json()["priors"]]


@pytest.fixture
def site(site: Site) -> Site:
    AnatomyBook(site.archive).sum_up(site.chest_study)  # of 3 November 2026
    return site


def test_earlier_studies_of_the_same_anatomy_are_priors_the_latest_first(site: Site) -> None:
    old, recent = study(site, "old", "20240101"), study(site, "recent", "20261001")
    study(site, "head", "20261001", anatomy=HEAD)
    assert priors(site) == [recent, old]
    assert priors(site, "days=100") == [recent]
    assert priors(site, "limit=1") == [recent]


def test_a_whole_body_scan_shows_every_region_and_comes_after_those_that_name_it(
    site: Site,
) -> None:
    whole = study(
        site, "whole", "20261002", anatomy=CHEST.model_copy(update={"regions": ("whole body",)})
    )
    old = study(site, "old", "20240101")
    assert priors(site) == [old, whole]
    answer = site.get(f"/studies/{site.chest_study}/sidelight/priors").json()
    assert [one["regions"] for one in answer["priors"]] == [["chest"], ["chest"]]


def test_every_region_is_a_prior_of_a_whole_body_scan(site: Site) -> None:
    head = study(site, "head", "20240101", anatomy=HEAD)
    whole = CHEST.model_copy(update={"regions": ("whole body",)})
    current = study(site, "whole", "20261002", anatomy=whole)
    answer = site.get(f"/studies/{current}/sidelight/priors").json()
    assert [(one["study"], one["regions"]) for one in answer["priors"]] == [(head, ["head"])]


def test_studies_of_other_patients_of_later_days_or_of_no_day_are_none(site: Site) -> None:
    study(site, "other", "20240101", patient="PID-other")
    study(site, "later", "20270101")
    study(site, "today", "20261103")
    study(site, "undated", "")
    study(site, "odd", "20241399")
    assert priors(site) == []


@pytest.mark.parametrize("patient", ["", "*", "PID?"])
def test_a_patient_id_that_is_no_name_finds_nobody(site: Site, patient: str) -> None:
    study(site, "old", "20240101", patient=patient)
    current = site.archive.studies[site.chest_study]
    current["PatientMainDicomTags"]["PatientID"] = patient
    assert priors(site) == []


def test_another_modality_may_be_left_out(site: Site) -> None:
    ct = study(site, "ct", "20240101", anatomy=CHEST.model_copy(update={"modality": "CT"}))
    assert priors(site) == [ct]
    assert priors(site, "same-modality=true") == []


def test_a_study_that_keeps_no_sum_yet_is_read_by_its_series(site: Site) -> None:
    old = study(site, "old", "20240101")
    del site.archive.metadatas["study", site.chest_study, int(Metadata.ANATOMY)]
    assert priors(site) == [old]


def test_a_study_that_nobody_looked_at_says_so(site: Site) -> None:
    answer = site.get(f"/studies/{site.new_study}/sidelight/priors")
    assert (answer.status_code, answer.json()["code"]) == (404, "no-anatomy")
