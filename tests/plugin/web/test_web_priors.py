# SPDX-License-Identifier: AGPL-3.0-or-later
"""The relevant priors of a study."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.anatomy import StudyAnatomy
from plugin.states import Metadata
from tests.plugin.web.fake_archive import CHEST, HEAD
from tests.plugin.web.small_site import Site


def study(site: Site, name: str, day: str, patient: str = "PID-chest", anatomy=CHEST) -> str:
    identifier = site.archive.add_study(name, StudyDate=day)
    site.archive.studies[identifier]["PatientMainDicomTags"]["PatientID"] = patient
    series = site.archive.add_series(identifier, anatomy.modality)
    site.archive.add_instance(series)
    site.archive.set_anatomy(series, anatomy)
    return identifier


def says(site: Site, identifier: str, **tags: Any) -> None:
    """Every image of a study says so of its patient."""
    for series in site.archive.studies[identifier]["Series"]:
        for instance in site.archive.serieses[series]["Instances"]:
            site.archive.tags[instance] = {**site.archive.simplified_tags(instance), **tags}


def priors(site: Site, query: str = "") -> list[str]:
    answer = site.get(f"/studies/{site.chest_study}/sidelight/priors?{query}")
    assert answer.status_code == 200, answer.text
    return [one["study"] for one in answer.json()["priors"]]


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


@pytest.mark.parametrize(("query", "read"), [("days=100", 2), ("same-modality=true", 3), ("", 4)])
def test_headers_are_read_of_those_studies_alone_that_are_asked_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, query: str, read: int
) -> None:
    study(site, "ct", "20240101", anatomy=CHEST.model_copy(update={"modality": "CT"}))
    study(site, "old", "20240101")
    study(site, "recent", "20261001")
    headers: list[str] = []
    tags = site.archive.simplified_tags

    def simplified_tags(instance: str) -> dict[str, Any]:
        headers.append(instance)
        return tags(instance)

    monkeypatch.setattr(site.archive, "simplified_tags", simplified_tags)
    priors(site, query)
    assert len(headers) == read


def test_issuer_qualifiers_of_another_representation_than_a_sequence_say_nothing(
    site: Site,
) -> None:
    old = study(site, "old", "20240101")
    for odd in ("HOSPITAL", ["HOSPITAL"], [], None):
        says(site, old, IssuerOfPatientIDQualifiersSequence=odd)
        assert priors(site) == [old]


def test_the_series_of_a_study_count_and_not_the_sum_kept_with_it(site: Site) -> None:
    old, head = study(site, "old", "20240101"), study(site, "head", "20240101", anatomy=HEAD)
    for one, kept in ((old, StudyAnatomy.of([HEAD]).model_dump_json()), (head, '{"of": "old"}')):
        site.archive.put_metadata("study", one, Metadata.ANATOMY, kept)
    assert priors(site) == [old]


def test_a_study_whose_anatomy_another_version_wrote_keeps_none_of_the_others_back(
    site: Site,
) -> None:
    old, other = study(site, "old", "20240101"), study(site, "other", "20250101")
    (series,) = site.archive.studies[other]["Series"]
    site.archive.put_metadata("series", series, Metadata.ANATOMY, '{"schema": 99}')
    assert priors(site) == [old]


@pytest.mark.parametrize(
    "differs",
    [
        {"IssuerOfPatientID": "HOSP-B"},
        {"IssuerOfPatientIDQualifiersSequence": [{"UniversalEntityID": "2.25.2"}]},
        {"PatientBirthDate": "19900505"},
        {"PatientSex": "M"},
    ],
)
def test_another_patient_of_the_same_number_has_none_of_the_priors(
    site: Site, differs: dict[str, Any]
) -> None:
    jane = {
        "IssuerOfPatientID": "HOSP-A",
        "IssuerOfPatientIDQualifiersSequence": [{"UniversalEntityID": "2.25.1"}],
        "PatientBirthDate": "19500101",
        "PatientSex": "F",
    }
    silent = study(site, "silent", "20240101")
    same, other = study(site, "same", "20240301"), study(site, "other", "20240201")
    says(site, site.chest_study, **jane)
    says(site, same, **{**jane, "PatientBirthDate": "1950.01.01", "PatientSex": "f "})
    says(site, other, **{**jane, **differs})
    assert priors(site) == [same, silent]


def test_a_study_that_nobody_looked_at_says_so(site: Site) -> None:
    answer = site.get(f"/studies/{site.new_study}/sidelight/priors")
    assert (answer.status_code, answer.json()["code"]) == (404, "no-anatomy")
