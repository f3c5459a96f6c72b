# SPDX-License-Identifier: AGPL-3.0-or-later
"""What became of each tag of an image, with both values, for the eyes of a reviewer."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from deid import Action, DeidentifiedScan, ElementRecord
from deid.corrections import may_be_kept, may_be_redacted, vr_of

MOST_CHARACTERS = 400
_STEP = re.compile(r"([0-9A-F]{8})(?:\[(\d+)\])?")
_SHOWN = frozenset(
    {
        "AE", "AS", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS",
        "ST", "TM", "UC", "UI", "UL", "UR", "US", "UT",
    }
)  # fmt: skip
_DECIDED = frozenset({Action.REMOVED, Action.EMPTIED, Action.CLEANED, Action.DUMMY, Action.KEPT})
_PIXELS = 0x7FE0


def tag_table(original: bytes, result: DeidentifiedScan) -> list[dict[str, Any]]:
    """One entry per element: path, keyword, action, rule, both values, what may be decided.

    Elements that stay as they are are listed where they hold text that may be redacted.
    """
    before = pydicom.dcmread(BytesIO(original), stop_before_pixels=True, force=True)
    after = result.dataset
    rows = (_row(record, before, after) for record in result.report.elements)
    return [row for row in rows if row is not None]


def _row(record: ElementRecord, before: Dataset, after: Dataset) -> dict[str, Any] | None:
    steps = [(int(tag, 16), int(item) if item else 0) for tag, item in _STEP.findall(record.path)]
    tag = steps[-1][0]
    old, new = _value(before, steps), _value(after, steps)
    vr = vr_of(tag)
    top = len(steps) == 1 and record.action in _DECIDED
    redact = top and bool(new) and may_be_redacted(tag, vr)
    keep = top and old != new and bool(old) and may_be_kept(tag, vr)
    changed = record.action not in (Action.KEPT, Action.ITEMS)
    if tag >> 16 == _PIXELS or not (changed or redact):
        return None
    return {
        "path": record.path,
        "keyword": keyword_for_tag(tag) or "",
        "action": record.action.value,
        "rule": record.rule,
        "changed": changed,
        "original": old,
        "result": new,
        "may_redact": redact,
        "may_keep": keep,
    }


def _value(dataset: Dataset, steps: list[tuple[int, int]]) -> str:
    """The value at the end of a way as text; empty for none, and for bulk data."""
    for tag, item in steps[:-1]:
        found = _element(dataset, tag)
        if not isinstance(found, Items) or not 0 < item <= len(found):
            return ""
        dataset = found[item - 1]
    value = _element(dataset, steps[-1][0])
    return "" if value is None else _text(value)[:MOST_CHARACTERS]


def _element(dataset: Dataset, tag: int) -> Any:
    try:
        element = dataset.get(tag)
    except Exception:  # noqa: BLE001
        # pydicom raises whatever a broken value provokes; a reviewer sees that nothing is shown.
        return None
    shown = element is not None and (element.VR in _SHOWN or element.VR == "SQ")
    return element.value if shown else None


def _text(value: Any) -> str:
    if isinstance(value, Items):
        return ""
    if isinstance(value, pydicom.multival.MultiValue | list):
        return "\\".join(str(one) for one in value)
    return str(value)
