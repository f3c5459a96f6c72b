# SPDX-License-Identifier: Apache-2.0
"""What became of the files of a run; what is counted holds no name and no value of any of them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from deid.vault.originals import Pair


class Result(StrEnum):
    """How it ended for one file."""

    WRITTEN = "written"
    NOT_DICOM = "not DICOM"
    REFUSED = "refused"
    DROPPED = "dropped"
    """By policy: a kind of document that is left out for good."""
    FOR_REVIEW = "for review"
    """By policy: a kind of document that a person must look at first."""


class Written(NamedTuple):
    """One de-identified file.

    Attributes
    ----------
    study, series, instance:
        Its new UIDs, which are its place: ``study/series/instance.dcm``.
    size:
        Its length in bytes.
    actions:
        What was done to how many elements.
    methods:
        Codes of PS3.16 CID 7050.
    records:
        Path, rule and action of each element, and the digest where the policy asks for it; ``None``
        where no detailed report was asked for.
    """

    study: str
    series: str
    instance: str
    size: int
    actions: dict[str, int]
    methods: tuple[str, ...]
    records: tuple[tuple[str, ...], ...] | None = None

    @property
    def place(self) -> str:
        """Its path below the output folder."""
        return f"{self.study}/{self.series}/{self.instance}.dcm"


class Outcome(NamedTuple):
    """What became of one file.

    Attributes
    ----------
    result:
        How it ended.
    digest:
        Keyed digest of content and settings, by which a later run recognizes it.
    written:
        The file that was made, if one was.
    reason:
        Why it was refused, or which kind of document it is; quotes no value.
    resumed:
        Whether an earlier run had made the file.
    originals:
        What the vault is to keep; it goes there and nowhere else.
    """

    result: Result
    digest: str = ""
    written: Written | None = None
    reason: str = ""
    resumed: bool = False
    originals: tuple[Pair, ...] = ()


@dataclass
class Summary:
    """Counts over a run."""

    written: int = 0
    resumed: int = 0
    same_instance: int = 0
    not_dicom: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    for_review: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    methods: set[str] = field(default_factory=set)
    instances: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    _places: set[str] = field(default_factory=set)

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        if outcome.result is Result.NOT_DICOM:
            self.not_dicom += 1
        counted = {
            Result.REFUSED: self.refused,
            Result.DROPPED: self.dropped,
            Result.FOR_REVIEW: self.for_review,
        }
        if outcome.result in counted:
            counted[outcome.result][outcome.reason] += 1
        if outcome.written is None:
            return
        made = outcome.written
        self.written += 1
        self.resumed += outcome.resumed
        self.same_instance += made.place in self._places
        self._places.add(made.place)
        self.methods.update(made.methods)
        self.actions.update(made.actions)
        if made.records is not None:
            self.instances[made.instance] = made.records

    def to_json(self) -> str:
        """The report; two runs over the same files give the same, resumed or not, but for counts.

        ``same_instance`` counts inputs whose SOP Instance UID another input had: one file is left.
        """
        return json.dumps(
            {
                "written": self.written,
                "resumed": self.resumed,
                "same_instance": self.same_instance,
                "not_dicom": self.not_dicom,
                "refused": self.refused,
                "dropped": self.dropped,
                "for_review": self.for_review,
                "methods": sorted(self.methods),
                "actions": dict(sorted(self.actions.items())),
                "instances": dict(sorted(self.instances.items())),
            },
            indent=1,
        )
