# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of anatomy rules: what is allowed in it, and which rules act."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inference.contract import AnatomyAnswer, RegionName
from plugin.anatomy.agreement import Witness, WitnessName
from plugin.anatomy.judging import Hearing, Side, acting, agreed, likeness, side_of
from plugin.anatomy.regions import codes_of
from plugin.configuration import read
from plugin.configuration.anatomy_rules import AnatomyRules, read_anatomy_rules
from plugin.configuration.table_file import TableError
from plugin.configuration.tables import check_tables


def named(*regions: RegionName, confidence: float = 0.9) -> AnatomyAnswer:
    return AnatomyAnswer(
        modality="CT", regions=regions, codes=codes_of(regions), body_part_examined=None,
        view="AP", confidence=confidence,
    )  # fmt: skip


def witness(
    name: WitnessName, *regions: RegionName, confidence: float = 0.9, application: str = ""
) -> Witness:
    return Witness(name=name, regions=regions, confidence=confidence, application=application)


def hearing(
    tags: Witness, pixels: Witness | None = None, side: Side | None = None, **more: Any
) -> Hearing:
    answer = named(*tags.regions, confidence=tags.confidence)
    return Hearing(answer, tags, pixels=pixels, side=side, **more)


def table(*rules: dict[str, Any]) -> AnatomyRules:
    return AnatomyRules.model_validate({"rule": rules})


def rule(**conditions: Any) -> dict[str, Any]:
    return {"name": "a-rule", "reason": "for a test", "do": ["flag-for-review"]} | conditions


def actions(found: Hearing) -> set[str]:
    return {action for one in acting(read_anatomy_rules(), found) for action in one.do}


def tags(*regions: RegionName, confidence: float, application: str = "") -> Witness:
    return witness("metadata", *regions, confidence=confidence, application=application)


def pixels(*regions: RegionName, confidence: float = 0.9, application: str = "") -> Witness:
    return witness("pixels", *regions, confidence=confidence, application=application)


def test_unsure_tags_ask_the_pixels_and_sure_ones_fetch_nothing() -> None:
    assert "ask-pixels" in actions(hearing(tags("chest", confidence=0.7)))
    assert "ask-pixels" in actions(hearing(tags(confidence=0.0)))
    assert actions(hearing(tags("chest", confidence=0.95))) == set()


def test_a_series_that_nobody_described_asks_the_pixels_sooner() -> None:
    missing = frozenset(("SeriesDescription", "StudyDescription"))
    assert "ask-pixels" in actions(hearing(tags("chest", confidence=0.85), missing=missing))
    assert actions(hearing(tags("chest", confidence=0.85))) == set()


def test_a_ct_with_nothing_but_a_body_part_asks_the_pixels_however_sure_it_is() -> None:
    missing = frozenset(("SeriesDescription", "StudyDescription"))
    assert "ask-pixels" in actions(hearing(tags("chest", confidence=0.99), missing=missing))
    breast = hearing(tags("breast", confidence=0.99), missing=missing)
    breast.answer = breast.answer.model_copy(update={"modality": "MG"})
    assert actions(breast) == set()


def test_a_lone_body_part_gives_way_to_pixels_and_priors_that_agree() -> None:
    missing = frozenset(("SeriesDescription", "StudyDescription"))
    priors = Witness(name="priors", regions=("head",), confidence=0.6)
    sure = tags("chest", confidence=0.97)
    found = hearing(sure, pixels("head"), "pixels", priors=priors, missing=missing)
    answer, agreement = agreed(read_anatomy_rules(), found, "r")
    assert answer.regions == ("head",)
    assert agreement.decided_by == "body-part-contradicted"
    assert agreement.review
    described = hearing(sure, pixels("head"), "pixels", priors=priors)
    assert agreed(read_anatomy_rules(), described, "r")[0].regions == ("chest",)


def test_pixels_that_answer_alone_are_looked_at_by_a_person_however_sure_they_are() -> None:
    for confidence in (0.2, 0.6, 0.99):
        _, agreement = agreed(
            read_anatomy_rules(),
            hearing(tags(confidence=0.0), pixels("head", confidence=confidence)),
            "r",
        )
        assert agreement.review


def test_priors_are_consulted_where_tags_and_pixels_differ() -> None:
    assert "consult-priors" in actions(hearing(tags("chest", confidence=0.7), pixels("head")))
    assert "consult-priors" not in actions(hearing(tags("chest", confidence=0.7), pixels("chest")))


def test_agreement_is_surer_than_either_and_no_business_of_a_person() -> None:
    found = hearing(tags("chest", confidence=0.7), pixels("chest"))
    answer, agreement = agreed(read_anatomy_rules(), found, "r")
    assert answer.regions == ("chest",)
    assert answer.confidence > 0.7
    assert answer.view == "AP"
    assert agreement.review == ""


def test_sure_pixels_confirmed_by_priors_are_the_answer_and_teach_the_tags_model() -> None:
    priors = Witness(name="priors", regions=("head",), confidence=0.6)
    found = hearing(tags("chest", confidence=0.6), pixels("head"), "pixels", priors=priors)
    answer, agreement = agreed(read_anatomy_rules(), found, "r")
    assert answer.regions == ("head",)
    assert answer.body_part_examined == "HEAD"
    assert answer.view is None, "it was read together with regions that are not the answer"
    assert {vote.attribute for vote in answer.votes} == {"pixels", "priors"}
    assert (agreement.decided_by, agreement.preferred) == ("pixels-confirmed-by-priors", "pixels")
    assert agreement.teaches == ("metadata",)
    assert agreement.review


def test_tags_confirmed_by_priors_stay_the_answer_and_teach_the_pixel_model() -> None:
    found = hearing(tags("chest", confidence=0.6), pixels("head"), "metadata")
    answer, agreement = agreed(read_anatomy_rules(), found, "r")
    assert answer.regions == ("chest",)
    assert answer.confidence < 0.6
    assert agreement.teaches == ("pixels",)


def test_a_disagreement_that_nobody_settles_is_for_a_person() -> None:
    found = hearing(tags("chest", confidence=0.6), pixels("head", confidence=0.6), "neither")
    assert "flag-for-review" in actions(found)


def test_another_application_is_for_a_person_even_where_regions_overlap() -> None:
    seen = pixels("chest", "abdomen", application="trunk")
    same = hearing(tags("chest", confidence=0.7, application="trunk"), seen, "neither")
    other = hearing(tags("chest", confidence=0.7, application="lungs"), seen, "neither")
    assert "flag-for-review" not in actions(same)
    assert "flag-for-review" in actions(other)


def test_pixels_answer_alone_where_no_tag_speaks_and_a_person_looks() -> None:
    answer, agreement = agreed(
        read_anatomy_rules(), hearing(tags(confidence=0.0), pixels("chest")), "r"
    )
    assert answer.regions == ("chest",)
    assert 0.1 < answer.confidence < 0.9, "half of the credit"
    assert agreement.decided_by == "only-pixels-speak"
    assert agreement.review


def test_pixels_that_abstain_leave_the_answer_of_the_tags_as_it_is() -> None:
    silent = Witness(name="pixels", reason="the pixel model knows CT only")
    found = hearing(tags("chest", confidence=0.6), silent)
    answer, agreement = agreed(read_anatomy_rules(), found, "r")
    assert answer == found.answer
    assert "can't tell (the pixel model knows CT only)" in agreement.in_words()
    assert "flag-for-review" in actions(hearing(tags("chest", confidence=0.4), silent))


ORDERS = [
    (("head",), None, {"ask-pixels"}),
    (("head",), pixels("chest"), {"ask-pixels"}),
    (("head",), pixels("chest", "abdomen"), {"ask-pixels", "flag-for-review", "consult-priors"}),
    (
        ("head",),
        Witness(name="pixels", reason="the pixel model knows CT only"),
        {"ask-pixels", "flag-for-review"},
    ),
    (("chest",), None, set()),
    (("chest", "abdomen"), None, set()),
]


@pytest.mark.parametrize(("named", "seen", "wanted"), ORDERS)
def test_an_order_for_something_else_is_for_a_person_unless_pixels_confirm_the_tags(
    named: Any, seen: Witness | None, wanted: set[str]
) -> None:
    order = witness("worklist", *named, confidence=0.8)
    assert actions(hearing(tags("chest", confidence=0.95), seen, worklist=order)) == wanted


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (("chest",), {"same", "covered"}),
        (("chest", "abdomen"), {"different", "overlapping", "covered"}),
        (("abdomen",), {"different", "disjoint"}),
        (("head",), {"different", "disjoint", "pixels"}),
    ],
)
def test_a_rule_may_ask_how_the_order_compares_with_the_tags(named: Any, words: set[str]) -> None:
    order = witness("worklist", *named, confidence=0.8)
    found = hearing(tags("chest", confidence=0.9), pixels("head"), worklist=order)
    every = ("same", "different", "overlapping", "disjoint", "covered", "pixels")
    assert {one for one in every if acting(table(rule(worklist=one)), found)} == words


def test_an_order_for_more_than_a_series_shows_makes_it_no_less_sure() -> None:
    order = witness("worklist", "chest", "abdomen", confidence=0.8)
    found = hearing(tags("chest", confidence=0.93), worklist=order)
    answer, agreement = agreed(read_anatomy_rules(), found, "r")
    assert (answer.regions, answer.confidence) == (("chest",), 0.93)
    assert agreement.witness("worklist") == order
    less = hearing(
        tags("chest", "abdomen", confidence=0.93),
        worklist=witness("worklist", "chest", confidence=0.8),
    )
    assert agreed(read_anatomy_rules(), less, "r")[0].confidence < 0.93


def test_a_condition_on_a_witness_who_has_not_spoken_does_not_hold() -> None:
    for conditions in ({"pixels": "abstain"}, {"pixels_below": 0.9}, {"regions": "different"}):
        assert not acting(table(rule(**conditions)), hearing(tags("chest", confidence=0.5)))


def test_the_first_rule_that_prefers_a_witness_counts_and_all_act() -> None:
    rules = table(
        rule(name="one", regions="different", do=["prefer-pixels"]),
        rule(name="two", regions="disjoint", do=["prefer-metadata", "flag-for-review"]),
    )
    found = hearing(tags("chest", confidence=0.6), pixels("head"))
    answer, agreement = agreed(rules, found, "r")
    assert (answer.regions, agreement.decided_by) == (("head",), "one")
    assert agreement.rules == ("one", "two")
    assert agreement.review == "for a test"


def test_a_rule_that_excepts_a_modality_holds_for_all_others() -> None:
    rules = table(rule(except_modalities=["SM", "OT"]))
    found = hearing(tags("chest", confidence=0.7))
    assert acting(rules, found)
    for modality, held in (("SM", False), ("OT", False), ("MR", True), ("", True)):
        found.answer = found.answer.model_copy(update={"modality": modality})
        assert bool(acting(rules, found)) == held


def test_where_nobody_knows_a_person_looks_but_at_slides_photographs_and_screen_captures() -> None:
    for modality, looked_at in (
        ("CT", True), ("DX", True), ("US", True), ("XA", True), ("NM", True), ("SM", False),
        ("ES", False), ("XC", False), ("OT", False), ("IVUS", False), ("RTDOSE", False),
    ):  # fmt: skip
        found = hearing(tags(confidence=0.0), pixels(confidence=0.0))
        found.answer = found.answer.model_copy(update={"modality": modality})
        assert ("flag-for-review" in actions(found)) == looked_at, modality


def test_a_rule_for_a_modality_leaves_others_alone() -> None:
    found = hearing(tags("chest", confidence=0.5))
    assert not acting(table(rule(modalities=["MR"])), found)
    assert acting(table(rule(modalities=["MR", "CT"])), found)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"chest"}, {"chest"}, ("same",)),
        ({"chest"}, {"chest", "abdomen"}, ("different", "overlapping")),
        ({"chest"}, {"head"}, ("different", "disjoint")),
    ],
)
def test_two_sets_of_regions_are_compared(one: Any, other: Any, words: tuple[str, ...]) -> None:
    assert likeness(frozenset(one), frozenset(other)) == words


@pytest.mark.parametrize(
    ("prior", "side"),
    [
        ({"chest"}, "metadata"),
        ({"chest", "head"}, "neither"),
        ({"head", "neck"}, "pixels"),
        ({"pelvis"}, "neither"),
    ],
)
def test_an_earlier_study_sides_with_one_of_the_two_or_neither(prior: Any, side: str) -> None:
    assert side_of(frozenset(prior), frozenset({"chest"}), frozenset({"head"})) == side


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"do": []}, "do"),
        ({"do": ["ignore"]}, "do"),
        ({"do": ["prefer-metadata", "prefer-pixels"]}, "not several"),
        ({"do": ["flag-for-review", "flag-for-review"]}, "twice"),
        ({"do": ["ask-pixels"], "regions": "different"}, "can't wait"),
        ({"do": ["consult-priors"]}, "before they have spoken"),
        ({"do": ["retrain-metadata"]}, "regions differ"),
        ({"metadata_at_least": 0.9, "metadata_below": 0.8}, "metadata_at_least"),
        ({"pixels": "abstain", "regions": "same"}, "abstain"),
        ({"metadata": "silent", "worklist": "same"}, "silent"),
        ({"metadata_below": 2}, "metadata_below"),
        ({"modalities": ["CT"], "except_modalities": ["MR"]}, "except_modalities"),
        ({"colour": "red"}, "colour"),
        ({"missing": ["series description"]}, "missing"),
        ({"missing": ["ProtocolNam"]}, "near: ProtocolName"),
        ({"missing": ["TransferSyntaxUID"]}, "no such keyword"),
        ({"regions": "same", "priors": "neither"}, "priors"),
        ({"regions": "same", "siblings": "pixels"}, "sides with"),
        ({"regions": "same", "worklist": "pixels"}, "sides with"),
        ({"metadata": "silent", "siblings": "metadata"}, "nobody agrees"),
        ({"pixels": "abstain", "siblings": "pixels"}, "nobody agrees"),
        ({"pixels": "abstain", "worklist": "pixels"}, "nobody agrees"),
        ({"metadata": "silent", "metadata_at_least": 0.1}, "confidence 0"),
        ({"pixels": "abstain", "pixels_at_least": 0.1}, "confidence 0"),
        ({"metadata_below": 0.0}, "never holds"),
        ({"pixels_below": 0.0}, "never holds"),
    ],
)
def test_a_rule_that_is_not_allowed_is_named_with_what_is_wrong(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = tmp_path / "rules.toml"
    lines = [f"{key} = {_toml(value)}" for key, value in rule(**change).items()]
    path.write_text("[[rule]]\n" + "\n".join(lines))
    with pytest.raises(TableError) as error:
        read_anatomy_rules(str(path))
    assert said in str(error.value)
    assert "a-rule" in str(error.value)


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two rules have the name a-rule"):
        table(rule(), rule())


def test_a_table_that_is_not_there_stops_the_start_with_its_path(tmp_path: Path) -> None:
    path = str(tmp_path / "none.toml")
    with pytest.raises(TableError, match=r"none\.toml"):
        check_tables(read({"Anatomy": {"Rules": path}}))


def test_a_table_of_the_site_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[credit]\npixels = 0.9\n")
    rules = read_anatomy_rules(str(path))
    assert (rules.rules, rules.credit.pixels) == ((), 0.9)
    found = hearing(tags("chest", confidence=0.1))
    answer, agreement = agreed(rules, found, "r")
    assert answer == found.answer
    assert agreement.of_tags_alone


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value)


def test_a_silent_series_leans_on_its_study_without_a_person() -> None:
    siblings = witness("siblings", "lower limb", confidence=0.9)
    found = hearing(tags(confidence=0.0), siblings=siblings)
    found.answer = found.answer.model_copy(update={"modality": "MR"})
    answer, agreement = agreed(read_anatomy_rules(), found, "r")
    assert answer.regions == ("lower limb",)
    assert answer.confidence == 0.9
    assert answer.body_part_examined == "LOWERLIMB"
    assert (agreement.preferred, agreement.decided_by) == (
        "siblings",
        "study-speaks-for-its-series",
    )
    assert agreement.review == ""


def test_a_study_and_pixels_that_differ_go_to_a_person() -> None:
    siblings = witness("siblings", "abdomen", confidence=0.9)
    found = hearing(tags(confidence=0.0), pixels("head"), siblings=siblings)
    answer, agreement = agreed(read_anatomy_rules(), found, "r")
    assert answer.regions == ("abdomen",)
    assert "the other series of the study name different ones" in agreement.review
    assert answer.confidence < 0.9


def test_siblings_are_asked_before_pixels_and_only_where_tags_leave_doubt() -> None:
    assert "consult-siblings" in actions(hearing(tags("chest", confidence=0.7)))
    assert actions(hearing(tags("chest", confidence=0.95))) == set()
    radiograph = hearing(tags("chest", confidence=0.7))
    radiograph.answer = radiograph.answer.model_copy(update={"modality": "DX"})
    assert "consult-siblings" not in actions(radiograph)


@pytest.mark.parametrize(
    ("condition", "shown", "holds"),
    [
        ("silent", None, True),
        ("silent", (), True),
        ("silent", ("chest",), False),
        ("speak", ("chest",), True),
        ("speak", (), False),
        ("metadata", ("chest",), True),
        ("pixels", ("head",), True),
        ("neither", ("pelvis",), True),
        ("metadata", ("head",), False),
    ],
)
def test_a_rule_may_ask_with_whom_the_siblings_agree(
    condition: str, shown: tuple[RegionName, ...] | None, holds: bool
) -> None:
    siblings = None if shown is None else witness("siblings", *shown)
    found = hearing(tags("chest", confidence=0.7), pixels("head"), siblings=siblings)
    assert bool(acting(table(rule(siblings=condition)), found)) is holds


def test_order_and_pixels_together_outweigh_tags_that_are_wrong_as_a_whole() -> None:
    order = witness("worklist", "head", confidence=0.8)
    found = hearing(tags("chest", confidence=0.99), pixels("head"), worklist=order)
    answer, agreement = agreed(read_anatomy_rules(), found, "r")
    assert answer.regions == ("head",)
    assert agreement.decided_by == "order-and-pixels-against-tags"
    assert agreement.review
    without = hearing(tags("chest", confidence=0.99), pixels("head"))
    assert agreed(read_anatomy_rules(), without, "r")[0].regions == ("chest",)


def test_a_lone_body_part_of_a_ct_is_believed_less_beside_others_than_it_says() -> None:
    missing = frozenset(("SeriesDescription", "StudyDescription"))
    sure = tags("chest", confidence=0.96)
    contradicted = hearing(sure, pixels("head"), missing=missing)
    described = hearing(sure, pixels("head"))
    doubted, _ = agreed(read_anatomy_rules(), contradicted, "r")
    believed, _ = agreed(read_anatomy_rules(), described, "r")
    assert doubted.confidence < 0.6
    assert believed.confidence > doubted.confidence + 0.2
    alone, _ = agreed(read_anatomy_rules(), hearing(sure, missing=missing), "r")
    assert alone.confidence == 0.96  # nobody contradicts
