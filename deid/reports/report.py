# SPDX-License-Identifier: Apache-2.0
"""What every kind of report can do, and what it needs to leave without identities."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from deid.reports.linking import Hasher, References
from deid.text import CleanText, Kind, KnownTerms


class Cleaning(NamedTuple):
    """What was found out about a report, to make of it what may leave.

    Attributes
    ----------
    texts:
        What the detectors made of its texts, by the report's own keys.
    names:
        Folded words of the names that are known.
    known:
        All terms of its patient that are known.
    hasher:
        Stand-ins of identifiers; without it they leave empty.
    days:
        The patient's date shift; without it dates leave empty.
    """

    texts: Mapping[str, CleanText]
    names: Collection[str] = ()
    known: KnownTerms = KnownTerms()
    hasher: Hasher | None = None
    days: int | None = None

    def of(self, part: str) -> Cleaning:
        """The cleaning of a document inside the report, whose keys begin with ``part/``."""
        head = f"{part}/"
        texts = {key[len(head) :]: text for key, text in self.texts.items() if key.startswith(head)}
        return self._replace(texts=texts)

    def text(self, key: str) -> str:
        """A cleaned text; ``""`` where there was none."""
        found = self.texts.get(key)
        return "" if found is None else found.text

    def stand_in(self, kind: Kind, value: str) -> str:
        """The stand-in of an identifier; ``""`` where it has none but a placeholder."""
        made = "" if self.hasher is None or not value else self.hasher(kind, value)
        return "" if made == kind.placeholder else made


class Report(Protocol):
    """A report, or a document inside one."""

    suffix: str
    """Of the file that it leaves as, without the dot."""

    @property
    def known_terms(self) -> KnownTerms:
        """What its typed fields identify people and orders by."""

    @property
    def references(self) -> References:
        """What its typed fields link it to its study by."""

    @property
    def mentioned(self) -> frozenset[str]:
        """Other values that may be numbers or UIDs of a study, where no typed field says it."""

    def texts(self) -> dict[str, str]:
        """Its free text by part."""

    def cleaned(self, cleaning: Cleaning) -> bytes:
        """The report as it may leave.

        Raises
        ------
        ReportError
            If it can't be made.
        """
