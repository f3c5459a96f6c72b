# SPDX-License-Identifier: AGPL-3.0-or-later
"""A study hangs by its anatomy: each box shows what its rule asks for, priors beside it."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import pytest

from inference.contract import AnatomyAnswer
from plugin.anatomy import AnatomyBook
from plugin.configuration import ConfigurationError, read
from plugin.configuration.anatomy_names import ViewName
from plugin.configuration.hanging_table import HangingTable, read_hangings
from plugin.configuration.tables import check_tables
from plugin.hanging.filling import Hanger, words
from plugin.states import ScanState, Status
from tests.plugin.routing.tables import CT_CHEST, Archive
from tests.plugin.web.fake_archive import CHEST, HEAD

CORONAL = "1\\0\\0\\0\\0\\-1"


def table(*boxes: dict[str, Any], **changes: Any) -> HangingTable:
    hanging = {
        "name": "ct", "description": "CT of the chest", "modalities": ["CT"], "regions": ["chest"],
        "rows": 2, "columns": 2, "box": list(boxes), **changes,
    }  # fmt: skip
    return HangingTable.model_validate({"hanging": [hanging]})


def hung(
    archive: Archive, study: str, rules: HangingTable | None = None
) -> dict[tuple[int, int], str]:
    """Series, or image, by place."""
    found = Hanger(archive, rules or read_hangings()).hang(study)
    assert found is not None
    return {
        (box.row, box.column): box.shown.instance or box.shown.series if box.shown else ""
        for box in found.boxes
    }


def projection(archive: Archive, study: str, anatomy: AnatomyAnswer, **tags: Any) -> str:
    """An image of a series of projections; its Orthanc identifier."""
    known = {"ImageOrientationPatient": "", "Modality": anatomy.modality, **tags}
    series = archive.series_of(study, 1, anatomy, **known)
    (image,) = archive.serieses[series]["Instances"]
    state = ScanState(
        level="instance", resource=image, status=Status.NO_APPLICATION, anatomy=anatomy
    )
    archive.set_state(state)
    return image


def test_current_and_prior_hang_side_by_side() -> None:
    archive = Archive()
    _, prior = archive.ct("before", "20261004")
    study, current = archive.ct("now")
    assert hung(archive, study) == {(1, 1): current, (1, 2): prior}


def test_of_several_series_that_fit_the_one_with_most_slices_hangs_and_no_localizer() -> None:
    archive = Archive()
    study, _ = archive.ct("now", slices=4)
    archive.series_of(study, 60, ImageType="ORIGINAL\\PRIMARY\\LOCALIZER")
    thin = archive.series_of(study, 20)
    assert hung(archive, study) == {(1, 1): thin, (1, 2): ""}


def test_each_box_takes_the_plane_and_the_contrast_that_it_asks_for_and_nothing_twice() -> None:
    archive = Archive()
    study, plain = archive.ct("now")
    enhanced = archive.series_of(study, 4, ContrastBolusAgent="agent")
    coronal = archive.series_of(study, 9, ImageOrientationPatient=CORONAL)
    rules = table(
        {"at": "top left", "orientation": "axial", "contrast": "without"},
        {"at": "top right", "orientation": "axial", "contrast": "with"},
        {"at": "bottom left", "orientation": "coronal"},
        {"at": "bottom right"},
    )
    assert hung(archive, study, rules) == {
        (1, 1): plain, (1, 2): enhanced, (2, 1): coronal, (2, 2): "",
    }  # fmt: skip


def test_a_chest_film_and_its_prior_hang_by_view() -> None:
    archive = Archive()
    study = archive.add_study("now", StudyDate="20261103")
    before = archive.add_study("before", StudyDate="20261003")
    for one in (study, before):
        archive.studies[one]["PatientMainDicomTags"]["PatientID"] = "PID-1"
    images = {
        (1 + (view == "LL"), 1 + (one == before)): projection(
            archive, one, CHEST.model_copy(update={"view": view})
        )
        for one in (study, before)
        for view in ("PA", "LL")
    }
    assert hung(archive, study) == images


def test_four_mammograms_hang_with_the_right_breast_on_the_left() -> None:
    archive = Archive()
    study = archive.add_study("now")
    breast = CHEST.model_copy(update={"modality": "MG", "regions": ("breast",)})
    images = {}
    for place, view, side in (
        ((1, 1), "CC", "R"), ((1, 2), "CC", "L"), ((2, 1), "MLO", "R"), ((2, 2), "MLO", "L"),
    ):  # fmt: skip
        seen = breast.model_copy(update={"view": view, "laterality": side})
        images[place] = projection(archive, study, seen)
    AnatomyBook(archive).sum_up(study)
    found = hung(archive, study)
    assert {place: found[place] for place in images} == images


def test_a_study_that_no_rule_is_made_for_does_not_hang() -> None:
    archive = Archive()
    study, _ = archive.ct("now", anatomy=HEAD.model_copy(update={"modality": "NM"}))
    assert Hanger(archive, read_hangings()).hang(study) is None


def test_the_first_rule_that_fits_decides() -> None:
    archive = Archive()
    study, _ = archive.ct("now", anatomy=CT_CHEST.model_copy(update={"regions": ("head",)}))
    found = Hanger(archive, read_hangings()).hang(study)
    assert found is not None
    assert found.hanging.name == "ct-head"


WHOLE_BODY = CT_CHEST.model_copy(update={"regions": ("whole body",)})


def test_a_whole_body_scan_hangs_by_the_first_rule_of_its_modality() -> None:
    archive = Archive()
    study, trauma = archive.ct("now", anatomy=WHOLE_BODY)
    found = Hanger(archive, read_hangings()).hang(study)
    assert found is not None
    assert found.hanging.name == "ct-body"
    assert hung(archive, study) == {(1, 1): trauma, (1, 2): ""}


def test_a_whole_body_scan_is_prior_of_a_chest_and_a_chest_of_a_whole_body_scan() -> None:
    archive = Archive()
    _, chest = archive.ct("oldest", "20261002")
    middle, trauma = archive.ct("middle", "20261004", anatomy=WHOLE_BODY)
    study, current = archive.ct("now")
    assert hung(archive, study) == {(1, 1): current, (1, 2): trauma}
    assert hung(archive, middle) == {(1, 1): trauma, (1, 2): chest}


def test_of_two_rules_the_one_that_names_the_whole_body_hangs_it_and_nothing_else() -> None:
    archive = Archive()
    trauma, _ = archive.ct("trauma", anatomy=WHOLE_BODY)
    chest, _ = archive.ct("chest")
    box = {"box": [{"at": "left"}], "rows": 1, "columns": 2, "modalities": ["CT"]}
    rules = HangingTable.model_validate(
        {
            "hanging": [
                {"name": "whole", "description": "All", "regions": ["whole body"], **box},
                {"name": "part", "description": "Part", "regions": ["chest"], **box},
            ]
        }
    )
    turned = HangingTable(hanging=rules.hangings[::-1])
    for order in (rules, turned):
        found = [Hanger(archive, order).hang(one) for one in (trauma, chest)]
        assert [one.hanging.name for one in found if one] == ["whole", "part"]
    assert Hanger(archive, HangingTable(hanging=rules.hangings[:1])).hang(chest) is None


def test_a_series_that_names_the_region_hangs_before_one_of_the_whole_body() -> None:
    archive = Archive()
    study, chest = archive.ct("now")
    archive.series_of(study, 40, WHOLE_BODY)
    assert hung(archive, study)[(1, 1)] == chest


def test_a_film_hangs_beside_a_ct_where_the_box_asks_for_one() -> None:
    archive = Archive()
    study, current = archive.ct("now")
    archive.ct("ct", "20261004")
    before = archive.add_study("film", StudyDate="20260904")
    archive.studies[before]["PatientMainDicomTags"]["PatientID"] = "PID-1"
    film = projection(archive, before, CHEST)
    AnatomyBook(archive).sum_up(before)
    rules = table(
        {"at": "top left"},
        {"at": "top right", "modalities": ["CR", "DX"], "views": ["PA", "AP"], "prior": 1},
    )
    assert hung(archive, study, rules) == {(1, 1): current, (1, 2): film}


def test_priors_are_numbered_among_those_that_have_what_the_box_asks_for() -> None:
    archive = Archive()
    study, current = archive.ct("now")
    _, enhanced = archive.ct("oldest", "20240101", ContrastBolusAgent="agent")
    _, plain = archive.ct("middle", "20250101")
    archive.ct("coronal", "20260101", ImageOrientationPatient=CORONAL)
    rules = table(
        {"at": "top left"},
        {"at": "top right", "orientation": "axial", "prior": 1},
        {"at": "bottom left", "orientation": "axial", "contrast": "with", "prior": 1},
        {"at": "bottom right", "orientation": "axial", "contrast": "with", "prior": 2},
    )
    found = Hanger(archive, rules).hang(study)
    assert found is not None
    assert {(one.row, one.column): one.days_before for one in found.boxes if one.shown} == {
        (1, 1): 0, (1, 2): 671, (2, 1): 1037,
    }  # fmt: skip
    assert hung(archive, study, rules) == {
        (1, 1): current, (1, 2): plain, (2, 1): enhanced, (2, 2): "",
    }  # fmt: skip


def test_a_box_says_in_words_what_it_shows() -> None:
    (hanging,) = table({"at": "top left", "orientation": "axial", "prior": 1}).hangings
    assert words(hanging, hanging.boxes[0]) == "CT chest axial, prior 1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('at = "middle"', ["box.at = 'middle'", "top or bottom"]),
        ("at = [3, 1]", ["box.at = [3, 1]", "rows 1 to 2, columns 1 to 2"]),
        ('at = "top left"\n[[hanging.box]]\nat = [1, 1]', ["two boxes are at row 1, column 1"]),
        ('at = "left"\nplane = "axial"', ["box.0.plane: there is no such key", "orientation"]),
        ('at = "left"\nviews = ["PAA"]', ["box.0.views.0 = 'PAA'", "'PA'"]),
        ('at = "left"\norientation = "flat"', ["box.0.orientation = 'flat'", "'coronal'"]),
    ],
)
def test_a_mistake_in_the_rules_is_named(tmp_path: Path, text: str, said: list[str]) -> None:
    path = tmp_path / "hangings.toml"
    head = 'name = "a"\ndescription = "why"\nmodalities = ["CT"]\nregions = ["chest"]\n'
    path.write_text(f"[[hanging]]\n{head}rows = 2\ncolumns = 2\n[[hanging.box]]\n{text}\n")
    with pytest.raises(ConfigurationError) as raised:
        check_tables(read({"Hanging": {"Table": str(path)}}))
    for words_ in ("hangings.toml: hanging a", *said):
        assert words_ in str(raised.value)


def test_a_box_may_name_the_views_that_are_recognized_and_no_others() -> None:
    path = files("inference.anatomy") / "data" / "views.toml"
    known = tomllib.loads(path.read_text(encoding="utf-8"))
    views = {*known["projection"]["words"], *known["mammography"]["words"], *known["codes"]}
    assert set(get_args(ViewName)) == views - {"other"}
