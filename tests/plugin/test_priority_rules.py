# SPDX-License-Identifier: AGPL-3.0-or-later
"""How urgent a scan is follows from a table, and says why."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.sr.codedict import codes

from inference.contract import AnatomyAnswer, CodedConcept, RegionName
from plugin.configuration import ConfigurationError, anatomy_names
from plugin.configuration.priority_table import (
    LEVELS,
    PriorityTable,
    read_priorities,
)
from plugin.priority import age_in_hours, rate, rated
from plugin.states import GlobalProbability, ScanState, Status

NOW = datetime(2026, 11, 28, 12, 0)  # noqa: DTZ001 - DICOM's clock has no zone


def finding(
    key: str, probability: float = 0.8, severity: int = 1, **more: Any
) -> GlobalProbability:
    return GlobalProbability(
        key=key, name=key.replace("-", " ").capitalize(), probability=probability, threshold=0.5,
        present=probability >= 0.5, severity=severity, **more,
    )  # fmt: skip


def scan(*findings: GlobalProbability, status: str = "findings", **more: Any) -> ScanState:
    return ScanState(
        level="series", resource="r", status=Status(status), probabilities=findings, **more
    )


def table(*rules: dict[str, Any]) -> PriorityTable:
    named = [{"name": f"r{n}", "reason": "because", **rule} for n, rule in enumerate(rules)]
    return PriorityTable.model_validate({"rule": named})


def anatomy(*regions: str) -> AnatomyAnswer:
    return AnatomyAnswer(
        modality="CT", regions=regions, codes=(), body_part_examined=None, confidence=0.9
    )  # type: ignore[arg-type]


def test_a_bleed_on_a_head_ct_is_time_critical_and_says_why() -> None:
    bleed = finding("bleed", code=CodedConcept(value="1386000", scheme="SCT", meaning="bleed"))
    rating = rate(scan(bleed, modality="CT", anatomy=anatomy("head")), read_priorities(), 1.0)
    assert (rating.priority, rating.within_minutes) == (3, 10)
    assert rating.rule == "intracranial-haemorrhage"
    assert rating.reason == "Bleed 80 %: bleeding inside the skull can grow within minutes"


def test_where_no_rule_holds_the_severity_of_the_model_counts() -> None:
    rating = rate(scan(finding("rare-thing", severity=2)), read_priorities(), None)
    assert (rating.priority, rating.rule) == (2, "")
    assert "severity 2 of 3" in rating.reason


def test_the_first_rule_that_holds_decides() -> None:
    rules = table(
        {"findings": ["a"], "minimum_probability": 0.9, "priority": "urgent"},
        {"findings": ["a"], "priority": "low"},
    )
    assert rate(scan(finding("a", 0.95)), rules, None).rule == "r0"
    assert rate(scan(finding("a", 0.85)), rules, None).rule == "r1"


def test_the_most_urgent_finding_makes_the_priority_of_the_scan() -> None:
    both = scan(finding("nodule", 0.99, severity=2), finding("pneumothorax", 0.6, severity=1))
    assert rated(both, read_priorities(), None).priority == 3
    assert rated(both, read_priorities(), None).priority_rule == "pneumothorax"


def test_a_finding_below_its_threshold_makes_nothing_urgent() -> None:
    clear = scan(finding("pneumothorax", 0.3, severity=3), status="no-findings")
    rating = rate(clear, read_priorities(), None)
    assert (rating.priority, rating.rule) == (0, "nothing-found")


@pytest.mark.parametrize("status", ["abstained", "refused", "failed"])
def test_a_scan_without_a_result_comes_before_one_without_findings(status: str) -> None:
    rules = read_priorities()
    unjudged = rate(scan(status=status), rules, None)
    assert unjudged.priority > rate(scan(status="no-findings"), rules, None).priority
    assert unjudged.reason


def test_what_is_still_in_progress_has_no_priority_yet() -> None:
    assert rate(scan(status="running"), read_priorities(), None).priority == 0


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"modalities": ["CT"]}, True),
        ({"modalities": ["MR", "DX"]}, False),
        ({"regions": ["neck", "head"]}, True),
        ({"regions": ["chest"]}, False),
        ({"findings": ["SCT:1"]}, True),
        ({"findings": ["SCT:2"]}, False),
        ({"below_probability": 0.8}, False),
        ({"minimum_probability": 0.8}, True),
        ({"minimum_age_hours": 24}, False),
        ({"minimum_age_hours": 2, "below_age_hours": 4}, True),
        ({"below_age_hours": 3}, False),
    ],
)
def test_every_condition_that_a_rule_names_must_hold(
    condition: dict[str, Any], holds: bool
) -> None:
    coded = finding("a", 0.8, code=CodedConcept(value="1", scheme="SCT", meaning="a"))
    state = scan(coded, modality="CT", anatomy=anatomy("head"))
    rating = rate(state, table({**condition, "priority": "urgent"}), 3.0)
    assert (rating.rule == "r0") is holds


def test_a_rule_about_age_never_holds_for_a_scan_of_unknown_age() -> None:
    rules = table({"minimum_age_hours": 1, "priority": "low"})
    assert rate(scan(finding("a", severity=3)), rules, None).priority == 3


def test_no_shipped_rule_lowers_a_finding_because_of_its_age() -> None:
    for rule in read_priorities().rules:
        assert rule.minimum_age_hours is None
        assert rule.below_age_hours is None


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.5, 1)), min_size=1, max_size=4),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(list(LEVELS))), min_size=0, max_size=4
    ),
)
def test_one_more_finding_never_lowers_a_priority(
    found: list[tuple[str, float]], rules: list[tuple[str, str]]
) -> None:
    chosen = table(*({"findings": [key], "priority": level} for key, level in rules))
    few = rate(scan(*(finding(k, p) for k, p in found[:-1])), chosen, None)
    more = rate(scan(*(finding(k, p) for k, p in found)), chosen, None)
    assert not found[:-1] or more.priority >= few.priority


@pytest.mark.parametrize(
    ("date", "time", "hours"),
    [
        ("20261128", "090000.123", 3.0),
        ("20261128", "0900", 3.0),
        ("20261127", "12", 24.0),
        ("20261127", "", pytest.approx(12.0, abs=0.01)),
        ("20261128", "130000", 0.0),
        ("20270101", "", None),
        ("", "", None),
        ("nonsense", "x", None),
    ],
)
def test_the_age_of_a_scan(date: str, time: str, hours: float | None) -> None:
    assert age_in_hours({"StudyDate": date, "StudyTime": time}, NOW) == hours


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rule]", ["no TOML"]),
        ('[[rule]]\nname="a"\npriority="soon"\nreason="why"', ["rule a: priority", "'urgent'"]),
        ('[[rule]]\nname="a"\npriority="low"\nreason="why"\nfinding=["x"]', ["rule a: finding"]),
        ('[[rule]]\npriority="low"\nreason="why"', ["rule number 1: name"]),
        (
            '[[rule]]\nname="a"\npriority="low"\nreason="why"\nfindings=["x"]\noutcomes=["failed"]',
            ["rule a", "not about both"],
        ),
        (
            '[[rule]]\nname="a"\npriority="low"\nreason="why"\nregions=["knee"]',
            ["rule a: regions", "'lower limb'"],
        ),
        (
            2 * '[[rule]]\nname="a"\npriority="low"\nreason="why"\n',
            ["two rules have the name a"],
        ),
        (
            'rule=[{name="a",priority="low",reason="why",minimum_probability=1,below_probability=1}]',
            ["rule a", "less than"],
        ),
    ],
)
def test_a_mistake_in_the_table_is_named_by_rule_and_key(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_priorities(str(path))
    for word in ("mine.toml", *words):
        assert word in str(caught.value)


def test_a_table_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_priorities("/nowhere/mine.toml")


def test_regions_of_tables_are_those_of_the_contract() -> None:
    assert get_args(anatomy_names.RegionName) == get_args(RegionName)


def test_codes_of_the_shipped_table_are_what_their_rules_say() -> None:
    named = {
        "intracranial-haemorrhage": codes.SCT.IntracranialHemorrhage,
        "stroke": codes.SCT.CerebrovascularAccidentOrStroke,
        "aortic-dissection": codes.SCT.AorticDissection,
        "tamponade": codes.SCT.CardiacTamponade,
        "pneumothorax": codes.SCT.Pneumothorax,
        "pulmonary-embolism": codes.SCT.PulmonaryEmbolism,
        "pleural-effusion": codes.SCT.PleuralEffusion,
        "pericardial-effusion": codes.SCT.PericardialEffusion,
    }
    for rule in read_priorities().rules:
        coded = {name for name in rule.findings if name.startswith("SCT:")}
        if rule.name in named:
            assert coded == {f"SCT:{named[rule.name].value}"}, rule.name
        else:
            assert coded <= {"SCT:95436008"}, rule.name
