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


def protocol(hanging: Hanging) -> dict[str, Any]:
    """A protocol for every study that the rules are made for."""
    rules = [
        _rule("ModalitiesInStudy", {"contains": list(hanging.modalities)}, required=True),
        # Of a study OHIF knows no body part; the description may name it.
        _rule("StudyDescription", {"containsI": list(hanging.regions)}),
        *([_prior_there(hanging.priors)] if hanging.priors else []),
    ]
    selectors = {_id(n): _selector(box.prior, _tags(hanging, box)) for n, box in _boxes(hanging)}
    grid: list[list[str | None]] = _empty(hanging)
    for number, box in _boxes(hanging):
        row, column = hanging.place(box)
        grid[row - 1][column - 1] = _id(number)
    return _protocol(hanging, rules, selectors, grid)


def study_protocol(hung: HungStudy) -> dict[str, Any]:
    """A protocol for one study, with the series and images that were found for each box."""
    hanging = hung.hanging
    rules: list[dict[str, Any]] = []
    selectors: dict[str, Any] = {}
    grid = _empty(hanging)
    for number, filled in enumerate(hung.boxes):
        if filled.shown is None:
            continue
        selectors[_id(number)] = _selector(filled.box.prior, _series(filled))
        grid[filled.row - 1][filled.column - 1] = _id(number)
        if not filled.box.prior and not rules:
            uid = filled.shown.uids["study"]
            rules.append(_rule("StudyInstanceUID", {"equals": {"value": uid}}, required=True))
    return _protocol(hanging, rules, selectors, grid)


def _protocol(
    hanging: Hanging,
    rules: list[dict[str, Any]],
    selectors: dict[str, Any],
    grid: list[list[str | None]],
) -> dict[str, Any]:
    return {
        "id": f"sidelight-{hanging.name}",
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


def _selector(prior: int, series: list[dict[str, Any]]) -> dict[str, Any]:
    # Position of a study among those that are open: 0 is the current one.
    study = _rule("studyInstanceUIDsIndex", {"equals": {"value": prior}}, required=True)
    return {"studyMatchingRules": [{**study, "from": "options"}], "seriesMatchingRules": series}


def _tags(hanging: Hanging, box: Box) -> list[dict[str, Any]]:
    modalities, regions = hanging.shown_by(box)
    rules = [_rule("Modality", {"containsI": list(modalities)}, required=True)]
    terms = [term for region in regions if (term := body_part_of([region])) is not None]
    rules.append(_rule("BodyPartExamined", {"containsI": terms}))
    if box.views:
        # Else the frontal film would hang a second time where the lateral one is missing.
        rules.append(_rule("ViewPosition", {"containsI": list(box.views)}, required=True))
    if box.orientation != "any":
        rules.append(_rule("SeriesDescription", {"containsI": box.orientation[:3]}))
    return rules


def _series(filled: FilledBox) -> list[dict[str, Any]]:
    uids = filled.shown.uids if filled.shown is not None else {}
    rules = [_rule("SeriesInstanceUID", {"equals": {"value": uids["series"]}}, required=True)]
    if "instance" in uids:
        image = {"equals": {"value": uids["instance"]}}
        rules.append(_rule("SOPInstanceUID", image))
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
