# SPDX-License-Identifier: AGPL-3.0-or-later
"""The findings of a report: one group for the whole image, one for each outlined region."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydicom.dataset import Dataset

from plugin.doors import concepts, content_tree
from plugin.doors.concepts import Concept
from plugin.doors.errors import UnreadableReportError
from plugin.doors.result import Coded, Finding, Region

_THRESHOLD = "threshold "


class _Measured(NamedTuple):
    """A NUM of a measurement group: whose probability it is, and how much."""

    name: Concept
    finding: Concept
    percent: float


def read_findings(groups: list[Dataset], severities: Mapping[str, int]) -> tuple[Finding, ...]:
    """Every finding that the report states, in its order.

    Raises:
        UnreadableReportError: a finding is stated incompletely.
    """
    whole = next((group for group in groups if _is_whole_image(group)), None)
    if whole is None:
        raise UnreadableReportError("Measurement Group: none is about the whole image")
    measured = list(_measured(whole))
    thresholds = _thresholds(whole)
    keys = _keys(measured, list(thresholds))
    regions = [group for group in groups if group is not whole]
    return tuple(
        _finding(whole, one, key, thresholds.get(key), severities.get(key), regions)
        for one, key in zip(measured, keys, strict=True)
    )


def key_code(key: str) -> str:
    """Code value of the probability of the class ``key`` in the private scheme (16 characters)."""
    value = f"P-{key}"
    return value if len(value) <= 16 else f"P-{hashlib.sha256(key.encode()).hexdigest()[:14]}"


def _finding(
    whole: Dataset,
    measured: _Measured,
    key: str,
    threshold: float | None,
    severity: int | None,
    groups: list[Dataset],
) -> Finding:
    presence = content_tree.code(whole, measured.finding)
    if presence is None:
        raise UnreadableReportError("Measurement Group: whether a finding is present is not coded")
    own = [g for g in groups if content_tree.same(_group_finding(g), measured.finding)]
    site = next((s for g in own if (s := content_tree.code(g, concepts.FINDING_SITE))), None)
    return Finding(
        key=key,
        name=_name(measured),
        code=Coded.of(measured.finding),
        probability_code=Coded.of(measured.name),
        probability_percent=measured.percent,
        threshold_percent=threshold,
        present=content_tree.same(presence, concepts.PRESENT),
        severity=severity,
        site=Coded.of(site) if site else None,
        regions=tuple(_region(group) for group in own),
    )


def _name(measured: _Measured) -> str:
    """The model's own words for a finding, where the report has them; else those of its code."""
    begins = "Probability of "
    own = measured.name.scheme == concepts.PRIVATE_SCHEME
    if own and measured.name.meaning.startswith(begins):
        return measured.name.meaning.removeprefix(begins)
    return measured.finding.meaning


def _is_whole_image(group: Dataset) -> bool:
    return content_tree.code(group, concepts.CAD_SUMMARY) is not None


def _group_finding(group: Dataset) -> Concept | None:
    return content_tree.code(group, concepts.FINDING)


def _measured(group: Dataset) -> Iterator[_Measured]:
    for item in content_tree.children(group):
        if item.get("ValueType") != "NUM":
            continue
        name, percent = content_tree.name(item), content_tree.number(item)
        finding = content_tree.code(item, concepts.FINDING) or _group_finding(group)
        if name is None or finding is None or percent is None:
            raise UnreadableReportError("Measurement Group: a probability without name or value")
        yield _Measured(name, finding, percent)


def _region(group: Dataset) -> Region:
    measured = next(_measured(group), None)
    if measured is None:
        raise UnreadableReportError("Measurement Group: a region without a probability")
    outlines = content_tree.named(group, concepts.IMAGE_REGION)
    data = [float(value) for value in outlines[0].GraphicData] if outlines else []
    # What stands before the last colon is for a viewer (plugin/results/viewer_profiles.py).
    identifier = content_tree.text(group, concepts.TRACKING_IDENTIFIER)
    uid, frame = next(content_tree.references(group), ("", None))
    return Region(
        sop_instance_uid=uid,
        frame=frame,
        name=identifier.rpartition(":")[2],
        tracking_uid=content_tree.text(group, concepts.TRACKING_UID),
        probability_percent=measured.percent,
        outline=tuple(zip(data[::2], data[1::2], strict=True)),
    )


def _thresholds(whole: Dataset) -> dict[str, float]:
    """Threshold in percent by key, in the order of the model's classes."""
    found: dict[str, float] = {}
    for said in content_tree.texts(whole, concepts.ALGORITHM_PARAMETERS):
        if said.startswith(_THRESHOLD):
            key, _, value = said.removeprefix(_THRESHOLD).rpartition("=")
            found[key] = round(100.0 * float(value), 4)
    return found


def _keys(measured: list[_Measured], known: list[str]) -> list[str]:
    """The key of each probability: by its private code, else the one that is left in its place.

    Cancers share one public code (111047, DCM); the thresholds stand in the same order.
    """
    by_code = {key_code(key): key for key in known}
    named = [
        by_code.get(one.name.value) if one.name.scheme == concepts.PRIVATE_SCHEME else None
        for one in measured
    ]
    left = iter([key for key in known if key not in named])
    return [key or next(left, one.finding.value) for key, one in zip(named, measured, strict=True)]
