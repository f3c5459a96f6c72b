# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which series of which studies make up the set of an application."""

from __future__ import annotations

from typing import Any

import pytest

from inference.contract import AnatomyAnswer, ScanCategory
from plugin.anatomy import AnatomyBook, AnatomyOverride
from plugin.configuration.application_table import CategoryRule
from plugin.configuration.applications import ApplicationSection
from plugin.routing.facts import facts
from plugin.routing.matching import Matcher
from plugin.routing.records import Decision, RoutingRecord, set_digest
from plugin.scan_category import judge, judge_anatomy
from plugin.states import Metadata, ScanState, Status
from plugin.subject import ANIMAL, PHANTOM
from plugin.worker.catalogue import choose, narrowed, verdicts
from tests.plugin.routing.tables import CT_CHEST, SCAN, Archive, application, table
from tests.plugin.web.fake_archive import CHEST, CHEST_MODEL, HEAD


def decided(archive: Archive, study: str, **changes: Any) -> Decision:
    (decision,) = Matcher(archive, table(application(**changes))).decide(study).decisions
    return decision


def told(decision: Decision) -> dict[str, str]:
    return {one.study: one.reason for one in decision.candidates}


def scan(**conditions: Any) -> dict[str, Any]:
    return {"scan": {**SCAN, **conditions}}


def test_the_series_that_fits_is_the_set_and_the_others_say_why_not() -> None:
    archive = Archive()
    study, chest = archive.ct("now")
    scout = archive.series_of(study, 2, ImageType="ORIGINAL\\PRIMARY\\LOCALIZER")
    decision = decided(archive, study)
    assert decision.decision == "matched"
    assert [(p.role, p.series, len(p.instances)) for p in decision.parts] == [("current", chest, 4)]
    (other,) = [one for one in decision.series if one.series == scout]
    assert {c.condition for c in other.checks if not c.holds} == {"slices", "localizer"}


@pytest.mark.parametrize(
    ("conditions", "tags", "fails"),
    [
        ({"modalities": ["MR"]}, {}, "modality"),
        ({"regions": ["abdomen"]}, {}, "region"),
        ({"minimum_slices": 5}, {}, "slices"),
        ({"minimum_confidence": 0.99}, {}, "confidence"),
        ({"orientation": "coronal"}, {}, "orientation"),
        ({"orientation": "axial"}, {"ImageOrientationPatient": "1\\0\\0\\0\\0\\-1"}, "orientation"),
        ({"contrast": "with"}, {}, "contrast"),
        ({"contrast": "without"}, {"ContrastBolusAgent": "Omnipaque"}, "contrast"),
        ({"derived": "exclude"}, {"ImageType": "DERIVED\\SECONDARY\\REFORMATTED"}, "derived"),
        ({}, {"ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER"}, "localizer"),
        ({}, {"QualityControlImage": "YES"}, "subject"),
        ({}, {"PatientSpeciesDescription": "Canine"}, "subject"),
    ],
)
def test_each_condition_of_a_category_can_fail_alone(
    conditions: dict[str, Any], tags: dict[str, str], fails: str
) -> None:
    archive = Archive()
    study, _ = archive.ct("now", **tags)
    decision = decided(archive, study, **scan(**conditions))
    assert decision.decision == "no-series-fits"
    assert [c.condition for c in decision.series[0].checks if not c.holds] == [fails]
    assert decision.reason.startswith(f"closest series: {fails} is ")


@pytest.mark.parametrize(
    ("conditions", "tags"),
    [
        ({"orientation": "axial"}, {}),
        ({"orientation": "sagittal"}, {"ImageOrientationPatient": "0\\1\\0\\0\\0\\-1"}),
        ({"orientation": "axial"}, {"ImageOrientationPatient": "1\\0\\0\\0\\0.87\\-0.5"}),
        ({"contrast": "with"}, {"ContrastBolusAgent": "Omnipaque"}),
        ({"contrast": "without"}, {"ContrastBolusAgent": "NONE"}),
        ({"localizers": "include"}, {"ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER"}),
        ({"minimum_slices": 400}, {"NumberOfFrames": "120"}),
        ({"views": ["PA"]}, {}),
    ],
)
def test_a_series_with_all_that_is_wanted_fits(
    conditions: dict[str, Any], tags: dict[str, str]
) -> None:
    archive = Archive()
    study, _ = archive.ct("now", **tags)
    assert decided(archive, study, **scan(**conditions)).decision == "matched"


def test_the_latest_priors_of_the_same_anatomy_go_along_with_their_distance() -> None:
    archive = Archive()
    study, current = archive.ct("now")
    _, recent = archive.ct("recent", "20261004")
    archive.ct("older", "20260103")
    archive.ct("head", "20261002", anatomy=HEAD)
    archive.ct("later", "20261203")
    decision = decided(archive, study, needs={"priors": 1})
    assert [(p.series, p.role, p.number, p.days_before) for p in decision.parts] == [
        (current, "current", 0, 0),
        (recent, "prior", 1, 30),
    ]


def test_priors_that_are_too_old_or_have_no_series_that_fits_stay() -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    archive.ct("thin", "20261004", slices=1)
    _, fits = archive.ct("fits", "20260901")
    archive.ct("old", "20200101")
    needs = {"priors": 5, "within_days": 365}
    decision = decided(archive, study, needs=needs)
    assert [p.series for p in decision.parts if p.role == "prior"] == [fits]
    assert [p.number for p in decision.parts] == [0, 1]


def test_a_prior_of_another_modality_goes_along_where_the_region_is_enough() -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    _, radiograph = archive.ct("film", "20261004", slices=1, anatomy=CHEST)
    assert len(decided(archive, study, needs={"priors": 1}).parts) == 1
    needs = {"priors": 1, "prior_series": "same-region"}
    parts = decided(archive, study, needs=needs).parts
    assert [p.series for p in parts if p.role == "prior"] == [radiograph]


def test_a_prior_of_no_patient_stays_also_where_the_region_is_enough() -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    archive.ct("phantom", "20261004", QualityControlSubject="YES")
    decision = decided(archive, study, needs={"priors": 1, "prior_series": "same-region"})
    assert [part.role for part in decision.parts] == ["current"]


def test_a_study_without_a_patient_says_so_where_its_anatomy_was_not_looked_at() -> None:
    archive = Archive()
    study = archive.add_study("dog")
    series = archive.add_series(study, "DX")
    image = archive.image_of(series)
    reason = f"no application for {ANIMAL}"
    archive.set_state(
        ScanState(level="instance", resource=image, status=Status.NO_APPLICATION, reason=reason)
    )
    decision = decided(archive, study)
    assert (decision.decision, decision.parts) == ("no-series-fits", ())
    assert decision.reason == f"no series is of a patient: {ANIMAL}"


def test_a_quality_control_image_among_those_of_a_patient_stays() -> None:
    archive = Archive()
    study, series = archive.ct("now", slices=3)
    phantom = archive.image_of(series)
    reason = f"no application for {PHANTOM}"
    archive.set_state(
        ScanState(level="instance", resource=phantom, status=Status.NO_APPLICATION, reason=reason)
    )
    (part,) = decided(archive, study).parts
    assert len(part.instances) == 3
    assert phantom not in part.instances


def test_a_whole_body_scan_goes_nowhere_that_does_not_ask_for_the_whole_body() -> None:
    archive = Archive()
    whole = CT_CHEST.model_copy(update={"regions": ("whole body",)})
    trauma, _ = archive.ct("trauma", "20261004", anatomy=whole)
    _, chest = archive.ct("chest", "20260904")
    study, _ = archive.ct("now")
    for kind in ("same-category", "same-region"):
        needs = {"priors": 1, "prior_series": kind}
        assert decided(archive, trauma, needs=needs).parts == ()
        parts = decided(archive, study, needs=needs).parts
        assert [(p.series, p.number) for p in parts if p.role == "prior"] == [(chest, 1)]


def test_another_patients_study_is_no_prior() -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    other, _ = archive.ct("other", "20261004")
    archive.studies[other]["PatientMainDicomTags"]["PatientID"] = "PID-2"
    assert len(decided(archive, study, needs={"priors": 3}).parts) == 1


def test_another_patient_of_the_same_number_is_left_out_and_told_without_values() -> None:
    archive = Archive()
    study, _ = archive.ct("now", IssuerOfPatientID="HOSP-B", PatientBirthDate="19900505")
    other, _ = archive.ct("other", "20261004", IssuerOfPatientID="HOSP-A")
    decision = decided(archive, study, needs={"priors": 1})
    assert [one.role for one in decision.parts] == ["current"]
    assert told(decision) == {other: "another-patient"}
    assert "HOSP" not in decision.model_dump_json()
    assert "1990" not in decision.model_dump_json()


def test_one_prior_that_another_version_wrote_keeps_none_of_the_others_back() -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    unreadable, series = archive.ct("unreadable", "20261004")
    good, _ = archive.ct("good", "20260904")
    archive.put_metadata("study", good, Metadata.ANATOMY, '{"schema": 99}')
    archive.put_metadata("series", series, Metadata.ANATOMY, '{"schema": 99}')
    decision = decided(archive, study, needs={"priors": 2})
    assert [one.study for one in decision.parts if one.role == "prior"] == [good]
    assert told(decision) == {unreadable: "unreadable-anatomy", good: "in-the-set"}


def test_a_prior_counts_by_the_series_that_it_still_has() -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    prior, chest = archive.ct("prior", "20261004")
    archive.series_of(prior, anatomy=HEAD)
    archive.studies[prior]["Series"].remove(chest)  # and its sum still says chest
    decision = decided(archive, study, needs={"priors": 1})
    assert told(decision) == {prior: "other-region"}


def test_every_candidate_says_why_it_is_in_the_set_or_is_not() -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    days = {
        "in-the-set": "20261004", "enough": "20260904", "same-day": "20261103",
        "later": "20261203", "undated": "", "too-old": "20180101",
    }  # fmt: skip
    wanted = {archive.ct(reason, day)[0]: reason for reason, day in days.items()}
    wanted[archive.ct("head", "20261005", anatomy=HEAD)[0]] = "other-region"
    scout = {"ImageType": "ORIGINAL\\PRIMARY\\LOCALIZER"}
    wanted[archive.ct("scout", "20261006", **scout)[0]] = "no-series-fits"
    nobody = archive.add_study("nobody looked", StudyDate="20261007")
    archive.studies[nobody]["PatientMainDicomTags"]["PatientID"] = "PID-1"
    wanted[nobody] = "not-recognized"
    needs = {"priors": 1, "within_days": 365}
    decision = decided(archive, study, needs=needs)
    assert told(decision) == wanted
    assert [(one.number, one.days_before) for one in decision.candidates] == [
        (0, -30), (0, 0), (0, 27), (0, 28), (0, 29), (1, 30), (0, 60), (0, 3228), (0, None),
    ]  # fmt: skip


@pytest.mark.parametrize(("series", "read"), [("same-category", 1), ("same-region", 2)])
def test_a_prior_that_can_not_fit_by_its_modality_is_not_read(series: str, read: int) -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    radiograph, _ = archive.ct("radiograph", "20261004", anatomy=CHEST)
    (asked,) = archive.studies[radiograph]["Series"]
    headers: list[str] = []
    tags = archive.simplified_tags

    def simplified_tags(instance: str) -> dict[str, Any]:
        headers.append(instance)
        return tags(instance)

    archive.simplified_tags = simplified_tags  # type: ignore[method-assign]
    decision = decided(archive, study, needs={"priors": 1, "prior_series": series})
    wanted = "no-series-fits" if series == "same-category" else "in-the-set"
    assert told(decision) == {radiograph: wanted}
    assert len(set(headers) & set(archive.serieses[asked]["Instances"])) == read


def test_candidates_are_told_and_not_kept_with_the_study() -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    archive.ct("before", "20261004")
    record = Matcher(archive, table(application(needs={"priors": 1}))).decide(study)
    assert record.decisions[0].candidates
    assert "candidates" not in record.as_text()
    kept = RoutingRecord.model_validate_json(record.as_text())
    assert kept.decisions[0].parts == record.decisions[0].parts


def test_an_application_without_priors_has_no_candidates() -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    archive.ct("before", "20261004")
    assert decided(archive, study).candidates == ()


def test_a_reviewers_word_about_the_anatomy_decides() -> None:
    archive = Archive()
    study, series = archive.ct("now", anatomy=HEAD)
    assert decided(archive, study).decision == "no-series-fits"
    said = AnatomyOverride(regions=("chest",), by="reader", reason="seen", at="2026-11-03")
    AnatomyBook(archive).override(series, study, said)
    assert decided(archive, study).decision == "matched"


def test_a_set_that_is_too_large_is_handed_to_nobody() -> None:
    archive = Archive()
    study, _ = archive.ct("now", slices=9)
    decision = decided(archive, study, needs={"maximum_instances": 8})
    assert (decision.decision, decision.digest) == ("too-large", "")
    assert "9 instances" in decision.reason


def test_the_same_set_has_the_same_name_and_one_more_slice_another() -> None:
    archive = Archive()
    study, series = archive.ct("now")
    first, again = decided(archive, study), decided(archive, study)
    archive.add_instance(series)
    assert first.digest == again.digest != decided(archive, study).digest


HTTP = {"kind": "http", "url": "https://ai.example/in"}


@pytest.mark.parametrize(
    "change",
    [{"timeout_seconds": 20.0}, {"authorization_file": "/etc/new"}, {"form": "zip"},
     {"certificate_authority": "/etc/ca.pem"}],
)  # fmt: skip
def test_a_setting_that_changes_no_receiver_makes_no_other_set(change: dict[str, Any]) -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    before = decided(archive, study, destination=HTTP)
    assert decided(archive, study, destination={**HTTP, **change}).digest == before.digest


@pytest.mark.parametrize(
    "other",
    [{**HTTP, "url": "https://ai.example/out"}, {**HTTP, "zone": "phi"},
     {**HTTP, "kind": "dicomweb"}, {"kind": "node", "modality": "AI"}],
)  # fmt: skip
def test_another_receiver_gets_another_set(other: dict[str, Any]) -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    before = decided(archive, study, destination=HTTP)
    assert decided(archive, study, destination=other).digest != before.digest


def test_a_set_that_was_sent_under_its_old_name_keeps_it() -> None:
    archive = Archive()
    study, series = archive.ct("now")
    (one,) = table(application(destination=HTTP)).handovers
    new = decided(archive, study, destination=HTTP)
    assert one.handover is not None
    old = set_digest(one.name, one.handover.model_dump_json(), new.parts)
    record = RoutingRecord(decisions=(new.model_copy(update={"digest": old}),))
    archive.put_metadata("study", study, Metadata.ROUTING, record.model_dump_json())
    assert decided(archive, study, destination=HTTP).digest == old != new.digest
    archive.image_of(series, **archive.tags[archive.serieses[series]["Instances"][0]])
    assert decided(archive, study, destination=HTTP).digest not in (old, new.digest)


def test_what_another_version_decided_does_not_matter() -> None:
    archive = Archive()
    study, _ = archive.ct("now")
    before = decided(archive, study)
    archive.put_metadata("study", study, Metadata.ROUTING, '{"version": 2}')
    assert decided(archive, study).digest == before.digest


def narrowed_model(anatomy: AnatomyAnswer, images: int | None, **rule: Any) -> str | None:
    """The bundle that is chosen for a scan where the table names it."""
    kept = {"kind": "local", "bundle": CHEST_MODEL.name}
    category = {"modalities": ["CR"], "regions": ["chest"], **rule}
    applications = table(application(scan=category, destination=kept))
    judged = verdicts(anatomy, [CHEST_MODEL], "instance", ApplicationSection())
    chosen = choose(narrowed(judged, applications, facts(anatomy, {}, images))).model
    return chosen.name if chosen else None


def test_the_table_narrows_the_bundle_that_it_names() -> None:
    assert narrowed_model(CHEST, 1) == CHEST_MODEL.name
    assert narrowed_model(CHEST, 1, views=["LL"]) is None
    assert narrowed_model(CHEST, 1, minimum_slices=2) is None


def test_the_table_never_lets_a_bundle_run_on_what_it_is_not_made_for() -> None:
    assert narrowed_model(CT_CHEST, 1, modalities=["CT"]) is None


def test_at_the_first_look_at_a_series_its_slices_are_not_counted() -> None:
    assert narrowed_model(CHEST, None, minimum_slices=40) == CHEST_MODEL.name


def test_a_bundle_that_no_application_names_goes_on_as_before() -> None:
    judged = verdicts(CHEST, [CHEST_MODEL], "instance", ApplicationSection())
    kept = narrowed(judged, table(application()), facts(CHEST, {}, 1))
    assert choose(kept).model == CHEST_MODEL


@pytest.mark.parametrize(
    "change",
    [{}, {"modality": "MR"}, {"regions": ("neck",)}, {"view": "LL"}, {"view": None},
     {"confidence": 0.2}],
)  # fmt: skip
def test_a_bundle_and_the_table_judge_an_anatomy_alike(change: dict[str, Any]) -> None:
    asked = {
        "modalities": ("CR",), "regions": ("chest",), "views": ("PA",), "minimum_confidence": 0.5,
    }  # fmt: skip
    anatomy = CHEST.model_copy(update=change)
    known = facts(anatomy, {}, 1)
    of_bundle = judge_anatomy(ScanCategory.model_validate(asked), anatomy)
    of_table = judge(CategoryRule.model_validate(asked), known)
    assert of_table[: len(of_bundle)] == of_bundle
    fails = bool(change) and change != {"view": None}
    assert all(check.holds for check in of_bundle) is not fails
