# SPDX-License-Identifier: Apache-2.0
"""What was done to each element: its place, the rule, the action. Never a value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Action(StrEnum):
    """What became of an element."""

    KEPT = "kept"
    REMOVED = "removed"
    EMPTIED = "emptied"
    DUMMY = "replaced by a dummy"
    PSEUDONYM = "replaced by a pseudonym"
    UID = "UID mapped"
    SHIFTED = "date shifted"
    CLEANED = "cleaned"
    ITEMS = "items treated one by one"
    ADDED = "added"


class ElementRecord(NamedTuple):
    """One element of the source.

    Attributes
    ----------
    path:
        Tags and item numbers from the top, such as ``00081115[1].0020000E``.
    rule:
        Why: the row of PS3.15 Table E.1-1 with profile or option, or the allow-list's reason.
    action:
        What was done.
    digest:
        Keyed digest of the original value, 16 hexadecimal digits, ``""`` where none was asked for:
        equal values that one patient has of one attribute have equal ones, all others have not, and
        without the key nobody can test a guess.
    """

    path: str
    rule: str
    action: Action
    digest: str = ""


@lru_cache(maxsize=32768)
def recorded(path: str, tag: int, rule: str, action: Action) -> ElementRecord:
    """The record of an element of the data set at ``path``; one object for all instances."""
    return ElementRecord(f"{path}{tag:08X}", rule, action)


@dataclass(frozen=True)
class DeidentificationReport:
    """The record of one instance.

    Attributes
    ----------
    elements:
        One record per element of the source, those in sequence items included as far as their
        sequence was not removed whole.
    methods:
        DCM codes of PS3.16 CID 7050 that were carried out.
    """

    elements: tuple[ElementRecord, ...]
    methods: tuple[str, ...]

    @property
    def counts(self) -> dict[Action, int]:
        """How many elements each action befell."""
        return dict(Counter(record.action for record in self.elements))

    def to_json(self) -> str:
        """The report as one JSON object."""
        return json.dumps(
            {
                "methods": self.methods,
                "counts": self.counts,
                "elements": [record._asdict() for record in self.elements],
            },
            indent=1,
        )


def merged_counts(reports: Sequence[DeidentificationReport]) -> dict[Action, int]:
    """Counts by action over many instances."""
    total: Counter[Action] = Counter()
    for report in reports:
        total.update(report.counts)
    return dict(total)
