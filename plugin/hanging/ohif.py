# SPDX-License-Identifier: AGPL-3.0-or-later
"""A hanging as hanging protocol of the OHIF viewer (version 3).

OHIF matches tags, and knows no recognized anatomy. So a protocol that is exported for a study names
the series that were found for it; one that is exported from the rules alone asks for Modality and
Body Part Examined, which are right only as often as those tags are.
"""

from __future__ import annotations

from typing import Any

from plugin.anatomy.regions import body_part_of
from plugin.configuration.hanging_table import Box, Hanging
from plugin.hanging.filling import FilledBox, HungStudy

_GROUP = "default"
_ALONE = frozenset({"CR", "DX", "MG"})
"""Of these OHIF makes each image a display set of its own; others it stacks by series."""
_RAW_TOO = frozenset({"DX", "MG"})
"""Of these a device may send the raw values beside the image (Presentation Intent Type)."""
_OTHER_SIDE = {"L": "R", "R": "L"}


def protocol(hanging: Hanging) -> dict[str, Any]:
    """A protocol for every study that the rules are made for."""
    rules = [
        _rule("ModalitiesInStudy", {"contains": list(hanging.modalities)}, required=True),
        # Of a study OHIF knows no body part; the description may name it.
        _rule("StudyDescription", {"containsI": list(hanging.regions)}),
        *([_prior_there(hanging.priors)] if hanging.priors else []),
    ]
    selectors = {
        _id(n): _selector(_by_age(box.prior), _tags(hanging, box)) for n, box in _boxes(hanging)
    }
    grid: list[list[str | None]] = _empty(hanging)
    for number, box in _boxes(hanging):
        row, column = hanging.place(box)
        grid[row - 1][column - 1] = _id(number)
    return _protocol("", hanging, rules, selectors, grid)


def study_protocol(hung: HungStudy) -> dict[str, Any]:
    """A protocol for one study, with the series and images that were found for each box."""
    hanging = hung.hanging
    rules: list[dict[str, Any]] = []
    selectors: dict[str, Any] = {}
    grid, uid = _empty(hanging), ""
    for number, filled in enumerate(hung.boxes):
        if filled.shown is None:
            continue
        study = filled.shown.uids["study"]
        # By its UID, not by its age: studies may be opened in any order, and not all of them.
        selectors[_id(number)] = _selector(_named("StudyInstanceUID", study), _series(filled))
        grid[filled.row - 1][filled.column - 1] = _id(number)
        if not filled.box.prior and not rules:
            rules.append(_named("StudyInstanceUID", study))
            uid = study
        uid = uid or study
    # OHIF goes on with the protocol it has where another one comes under the same name.
    return _protocol(f"-{uid}", hanging, rules, selectors, grid)


def _protocol(
    of_study: str,
    hanging: Hanging,
    rules: list[dict[str, Any]],
    selectors: dict[str, Any],
    grid: list[list[str | None]],
) -> dict[str, Any]:
    return {
        "id": f"sidelight-{hanging.name}{of_study}",
        "name": hanging.name,
        "description": hanging.description,
        "locked": True,
        "toolGroupIds": [_GROUP],
        "numberOfPriorsReferenced": hanging.priors,
        "protocolMatchingRules": rules,
        "displaySetSelectors": selectors,
        "stages": [
            {
                "id": hanging.name,
                "name": hanging.description,
                "viewportStructure": {
                    "layoutType": "grid",
                    "properties": {"rows": hanging.rows, "columns": hanging.columns},
                },
                "viewports": [_viewport(name) for row in grid for name in row],
            }
        ],
    }


def _viewport(selector: str | None) -> dict[str, Any]:
    options = {"viewportType": "stack", "toolGroupId": _GROUP, "allowUnmatchedView": False}
    return {"viewportOptions": options, "displaySets": [{"id": selector}] if selector else []}


def _selector(study: dict[str, Any], series: list[dict[str, Any]]) -> dict[str, Any]:
    return {"studyMatchingRules": [study], "seriesMatchingRules": series}


def _by_age(prior: int) -> dict[str, Any]:
    """Position of a study among those that are open: 0 is the current one."""
    return {**_named("studyInstanceUIDsIndex", prior), "from": "options"}


def _named(attribute: str, value: str | int) -> dict[str, Any]:
    return _rule(attribute, {"equals": {"value": value}}, required=True)


def _tags(hanging: Hanging, box: Box) -> list[dict[str, Any]]:
    modalities, regions = hanging.shown_by(box)
    rules = [_rule("Modality", {"containsI": list(modalities)}, required=True)]
    terms = [term for region in regions if (term := body_part_of([region])) is not None]
    rules.append(_rule("BodyPartExamined", {"containsI": terms}))
    if box.views:
        # Else the frontal film would hang a second time where the lateral one is missing.
        rules.append(_rule("ViewPosition", {"containsI": list(box.views)}, required=True))
    if box.laterality != "any":
        rules += _side(box.laterality)
    if _RAW_TOO.intersection(modalities):
        # Raw values hang where there is nothing else.
        raw = {"doesNotEqual": {"value": "FOR PROCESSING"}}
        rules.append(_rule("PresentationIntentType", raw))
    if box.orientation != "any":
        rules.append(_rule("SeriesDescription", {"containsI": box.orientation[:3]}))
    return rules


def _side(laterality: str) -> list[dict[str, Any]]:
    """Never what says the other side; an image of which no side is said may hang in both boxes."""
    attributes = ("ImageLaterality", "Laterality")
    other = {"doesNotEqual": {"value": _OTHER_SIDE[laterality]}}
    return [
        *(_rule(attribute, other, required=True) for attribute in attributes),
        *(_rule(attribute, {"equals": {"value": laterality}}) for attribute in attributes),
    ]


def _series(filled: FilledBox) -> list[dict[str, Any]]:
    if filled.shown is None:
        return []
    uids, modality = filled.shown.uids, filled.shown.facts.anatomy.modality
    rules = [_named("SeriesInstanceUID", uids["series"])]
    if "instance" in uids:
        # Of a stack OHIF asks the first image only, and that may be another one.
        image = {"equals": {"value": uids["instance"]}}
        rules.append(_rule("SOPInstanceUID", image, required=modality in _ALONE))
    return rules


def _prior_there(count: int) -> dict[str, Any]:
    rule = _rule("StudyInstanceUID", {"notNull": True})
    return {**rule, "from": "prior", "weight": 10 * count}


def _rule(attribute: str, constraint: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    weight = 100 if required else 10
    return {
        "attribute": attribute, "constraint": constraint, "weight": weight, "required": required,
    }  # fmt: skip


def _empty(hanging: Hanging) -> list[list[str | None]]:
    return [[None] * hanging.columns for _ in range(hanging.rows)]


def _boxes(hanging: Hanging) -> list[tuple[int, Box]]:
    return list(enumerate(hanging.boxes))


def _id(number: int) -> str:
    return f"box-{number + 1}"
