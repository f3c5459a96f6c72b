# SPDX-License-Identifier: AGPL-3.0-or-later
"""What became of each tag of an image, with both values, for the eyes of a reviewer."""

from __future__ import annotations

from io import BytesIO
from typing import Any, NamedTuple

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from deid import Action, DeidentifiedScan, ElementRecord
from deid.corrected_tags import may_be_kept, may_be_redacted, treated_item_by_item
from deid.opened_items import vr_of
from deid.parsing import RawDataSet
from deid.reading import read
from deid.tag_paths import PathStep, TagPath, parsed_path, path_keywords, shown_path

MOST_CHARACTERS = 400
MOST_ROWS = 1500
_SHOWN = frozenset(
    {
        "AE", "AS", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS",
        "ST", "TM", "UC", "UI", "UL", "UR", "US", "UT",
    }
)  # fmt: skip
_NUMBERS = frozenset({"CS", "DS", "FD", "FL", "IS", "SL", "SS", "UL", "US"})
_DECIDED = frozenset({Action.REMOVED, Action.EMPTIED, Action.CLEANED, Action.DUMMY, Action.KEPT})
_PIXELS = 0x7FE0


class _Both(NamedTuple):
    """An image before and after."""

    before: Dataset
    after: Dataset
    header: RawDataSet
    treated: frozenset[str]


def tag_table(original: bytes, result: DeidentifiedScan) -> list[dict[str, Any]]:
    """One entry per element: path, keywords, action, rule, both values, what may be decided.

    Elements in sequences are listed as those at the top are. Elements that stay as they are are
    listed where they hold something that may be redacted. Of more than ``MOST_ROWS`` those that a
    person is least likely to decide about are left out: numbers that stayed, then what changed and
    can't be decided about.
    """
    both = _Both(
        before=pydicom.dcmread(BytesIO(original), stop_before_pixels=True, force=True),
        after=result.dataset,
        header=read(original, pixels=False).header,
        treated=treated_item_by_item(result.report.elements),
    )
    rows = (_row(record, both) for record in result.report.elements)
    return _most_useful([row for row in rows if row is not None])


def _most_useful(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(rows) <= MOST_ROWS:
        return rows
    last = sorted(range(len(rows)), key=lambda at: (_use(rows[at]), at))[:MOST_ROWS]
    return [rows[at] for at in sorted(last)]


def _use(row: dict[str, Any]) -> int:
    if row["may_keep"]:
        return 0
    is_number = vr_of(parsed_path(row["path"]).tag) in _NUMBERS
    if row["may_redact"] and not is_number:
        return 1
    return 2 if row["changed"] else 3


def _row(record: ElementRecord, both: _Both) -> dict[str, Any] | None:
    path = parsed_path(record.path)
    tag = path.tag
    before, after = _found(both.before, path), _found(both.after, path)
    old, new = _text(before), _text(after)
    vr = vr_of(tag, after.VR if after is not None else None)
    decided = record.action in _DECIDED and _stays(path, both)
    redact = decided and bool(new) and may_be_redacted(tag, vr)
    keep = decided and old != new and bool(old) and may_be_kept(tag, vr)
    changed = record.action not in (Action.KEPT, Action.ITEMS)
    if tag >> 16 == _PIXELS or not (changed or redact):
        return None
    return {
        "path": record.path,
        "shown_path": shown_path(path, both.header),
        "keyword": path_keywords(TagPath((PathStep(tag),))) if _is_known(tag) else "",
        "within": path_keywords(TagPath(path.above)),
        "action": record.action.value,
        "rule": record.rule,
        "changed": changed,
        "original": old[:MOST_CHARACTERS],
        "result": new[:MOST_CHARACTERS],
        "may_redact": redact,
        "may_keep": keep,
    }


def _is_known(tag: int) -> bool:
    return pydicom.datadict.dictionary_has_tag(tag)


def _stays(path: TagPath, both: _Both) -> bool:
    """Whether the items on the way were treated one by one, so that something can be put there."""
    return all(".".join(map(str, path[:d])) in both.treated for d in range(1, len(path)))


def _found(dataset: Dataset, path: TagPath) -> Any:
    """The element at the end of a path; None for none, and for bulk data."""
    for tag, item in path.above:
        element = _element(dataset, tag)
        items = None if element is None else element.value
        if not isinstance(items, Items) or not 0 < item <= len(items):
            return None
        dataset = items[item - 1]
    return _element(dataset, path.tag)


def _element(dataset: Dataset, tag: int) -> Any:
    try:
        element = dataset.get(tag)
    except Exception:  # noqa: BLE001
        # pydicom raises whatever a broken value provokes; a reviewer sees that nothing is shown.
        return None
    shown = element is not None and (element.VR in _SHOWN or element.VR == "SQ")
    return element if shown else None


def _text(element: Any) -> str:
    value = None if element is None else element.value
    if value is None or isinstance(value, Items):
        return ""
    if isinstance(value, pydicom.multival.MultiValue | list):
        return "\\".join(str(one) for one in value)
    return str(value)
