# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which model runs on a scan, and the reasons."""

from __future__ import annotations

from typing import Any

import pytest

from inference.contract import AnatomyAnswer, ModelDescription
from plugin.configuration import read
from plugin.configuration.applications import ApplicationSection
from plugin.worker.catalogue import application_version, choose, no_application, verdicts
from tests.plugin.web.fake_archive import CHEST, CHEST_MODEL, HEAD


def model(name: str, version: str = "1.0.0", **category: Any) -> ModelDescription:
    changed = CHEST_MODEL.categories[0].model_copy(update=category)
    return CHEST_MODEL.model_copy(
        update={"name": name, "version": version, "categories": (changed,)}
    )


def chosen(anatomy: AnatomyAnswer, *models: ModelDescription, **modes: str) -> str | None:
    section = ApplicationSection.model_validate({"modes": modes})
    found = choose(verdicts(anatomy, models, "instance", section)).model
    return found.name if found else None


def test_the_more_specific_model_goes_first_then_the_newer_one() -> None:
    broad = model("broad", "9.0.0", views=())
    old, new = model("old", "1.9.0"), model("new", "1.10.0")
    assert chosen(CHEST, broad, old, new) == "new"
    assert chosen(CHEST, broad, old, new, new="disabled") == "old"
    assert chosen(CHEST, broad, old, new, new="disabled", old="dry-run") == "broad"


@pytest.mark.parametrize(
    ("change", "condition"),
    [
        ({"modality": "CT"}, "modality"),
        ({"regions": ("head",)}, "region"),
        ({"view": "LL"}, "view"),
        ({"confidence": 0.1}, "confidence"),
    ],
)
def test_the_condition_that_fails_is_named(change: dict[str, Any], condition: str) -> None:
    anatomy = CHEST.model_copy(update=change)
    (verdict,) = verdicts(anatomy, [CHEST_MODEL], "instance", ApplicationSection())
    assert not verdict.fits
    assert [c.condition for c in verdict.rules[0].checks if not c.holds] == [condition]


def test_an_image_without_a_view_fits_a_category_with_views() -> None:
    assert chosen(CHEST.model_copy(update={"view": None}), CHEST_MODEL) == CHEST_MODEL.name


def test_a_model_for_series_takes_no_single_image() -> None:
    series = CHEST_MODEL.model_copy(update={"works_on": "series"})
    (verdict,) = verdicts(CHEST, [series], "instance", ApplicationSection())
    assert (verdict.fits, verdict.works_on.wanted) == (False, "series")


def test_a_dry_run_runs_nothing_and_says_what_would_have_run() -> None:
    section = ApplicationSection(modes={CHEST_MODEL.name: "dry-run"})
    choice = choose(verdicts(CHEST, [CHEST_MODEL], "instance", section))
    assert choice.model is None
    said = no_application("CR CHEST PA", choice.dry)
    assert said == "no application for CR CHEST PA; in dry run: phantom-chest 1.0.0"


def test_a_default_of_dry_run_keeps_every_new_bundle_from_running() -> None:
    section = ApplicationSection(default="dry-run", modes={"known": "enabled"})
    models = [model("known", "1.0"), model("new", "2.0")]
    choice = choose(verdicts(CHEST, models, "instance", section))
    assert choice.model is not None
    assert (choice.model.name, [m.name for m in choice.dry]) == ("known", ["new"])


def test_nothing_is_said_to_be_dry_run_for_a_scan_that_does_not_fit() -> None:
    section = ApplicationSection(default="dry-run")
    assert choose(verdicts(HEAD, [CHEST_MODEL], "series", section)).dry == ()


def test_switching_a_model_on_lets_the_same_scan_be_analysed_when_it_is_sent_again() -> None:
    off = read({"Applications": {"Modes": {"phantom-chest": "dry-run"}}})
    on = read({"Applications": {"Modes": {"phantom-chest": "enabled"}}})
    assert application_version([CHEST_MODEL], off) != application_version([CHEST_MODEL], on)
    assert off.digest() == on.digest(), "results look the same"
