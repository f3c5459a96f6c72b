# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the status says of models that are not as they should be."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from inference.contract import Health
from plugin.configuration import read
from plugin.configuration.review import ReviewSection
from plugin.gate import InferenceRefusedError, InferenceUnavailableError
from plugin.review.remediation import Remediation
from plugin.web import assembly
from plugin.web.configured_names import ConfiguredNames
from plugin.web.model_health import problems


def health(**parts: object) -> Health:
    return Health.model_validate({"status": "ok", "device": "cpu", "models": [], **parts})


def test_sound_models_are_no_problem() -> None:
    assert problems(health(waiting={"chest": ("0.2.0",)}, vouched={"chest": "signed"})) == []


def test_a_model_that_is_not_served_is_said_with_its_reason() -> None:
    said = problems(health(rejected={"chest": "its digest is not the pinned one"}))
    assert said == ["model chest is not served: its digest is not the pinned one"]


def test_a_version_served_in_place_of_another_is_said_once() -> None:
    parts = {"rejected": {"chest": "0.2.0: AUC"}, "fallbacks": {"chest": "0.1.0 is served"}}
    assert problems(health(**parts)) == ["model chest: 0.1.0 is served"]


def test_shifted_scores_are_said_by_class() -> None:
    said = problems(health(shifts={"chest": {"nodule": 0.312}}))
    assert said == [
        "model chest: the probabilities of nodule (PSI 0.31) are no longer distributed as usual"
    ]


def test_an_open_remediation_names_the_versions_that_wait_to_mend_it() -> None:
    section = ReviewSection()
    one = Remediation(
        model="chest", version="0.1.0", finding="nodule", state="open", reviewed=40, wrong=30,
        errors_to_open=section.remediation_errors, share_to_open=section.remediation_share,
        last_wrong="", closed=None,
    )  # fmt: skip
    said = status(health(waiting={"chest": ("0.2.0",)}), [one])
    assert said["remediations"][0]["candidates"] == ["0.2.0"]
    assert said["problems"] == []


def test_names_of_the_table_that_nobody_knows_are_said_too_also_while_inference_is_away() -> None:
    wrong = ["application a: Orthanc's DicomModalities has no B; add it, or correct the table"]
    assert status(health(), [], wrong)["problems"] == wrong
    assert status(None, [], wrong)["problems"] == wrong


def test_a_service_that_refuses_this_node_is_said_with_what_to_do() -> None:
    (said,) = status(InferenceRefusedError("unauthorized", "send the token"), [])["problems"]
    assert "see Inference.Token" in said


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("unix:/run/sidelight/inference.sock", "unix:/run/sidelight/inference.sock"),
        ("https://ai.example:8443/sub", "https://ai.example:8443"),
    ],
)
def test_a_service_elsewhere_that_does_not_answer_is_a_problem(url: str, place: str) -> None:
    names = ConfiguredNames(read({"Inference": {"Url": url}}))
    said = status(None, [], names=names)
    assert said["problems"] == [
        f"inference at {place} does not answer: inference is not reachable; scans wait"
    ]
    assert said["reason"] == "inference is not reachable"


def test_a_child_that_does_not_answer_yet_is_said_by_who_watches_it() -> None:
    assert status(None, [])["problems"] == []


def test_names_of_the_configuration_that_nobody_knows_are_said() -> None:
    names = ConfiguredNames(read({"Applications": {"Modes": {"chest-phanton": "disabled"}}}))
    (said,) = status(health(models=["chest-phantom"]), [], names=names)["problems"]
    assert "Applications.Modes: no model chest-phanton is installed" in said


def status(
    found: Health | InferenceRefusedError | None,
    remediations: list[Remediation],
    of_table: Sequence[str] = (),
    names: ConfiguredNames | None = None,
) -> dict[str, Any]:
    def ask() -> Health:
        if found is None:
            raise InferenceUnavailableError("inference is not reachable")
        if isinstance(found, InferenceRefusedError):
            raise found
        return found

    gate = SimpleNamespace(health=ask, models=list)
    rule = SimpleNamespace(open=lambda: remediations)
    reviewing = SimpleNamespace(rule=rule)
    services = SimpleNamespace(deliveries=None, doubts=None, reviewing=reviewing)
    return assembly.status(
        gate,  # type: ignore[arg-type]
        services,  # type: ignore[arg-type]
        lambda: list(of_table),
        names or ConfiguredNames(),
    )
