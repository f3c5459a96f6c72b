# SPDX-License-Identifier: AGPL-3.0-or-later
"""Searches that end at Orthanc's ``LimitFindResults`` without a word, completed.

Orthanc caps what ``/tools/find`` gives, whatever limit a question names. With extended find (since
1.12.5) the rest comes page by page; before, only its listings have no end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

PAGE = 500
_ONE_EACH = frozenset({"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"})
# What a listing of the older releases shows of each resource, and Sidelight searches by.
_LISTED = {
    "Study": frozenset({"PatientID", "AccessionNumber", "StudyInstanceUID", "StudyDate"}),
    "Series": frozenset({"Modality", "Manufacturer", "SeriesDescription", "SeriesInstanceUID"}),
}
Question = Mapping[str, Any]


class IncompleteSearchError(RuntimeError):
    """Orthanc keeps a part of the answer to itself."""


@dataclass(frozen=True)
class Searching:
    """How to search one Orthanc to the end.

    Attributes:
        ask: what ``/tools/find`` gives for a question.
        page: Orthanc's JSON of at most so many resources of a level, after so many.
        extended: whether this Orthanc pages through what it finds.
        limit: its ``LimitFindResults``; 0 for none, None where nobody knows.
    """

    ask: Callable[[Question], list[Any]]
    page: Callable[[str, int, int], list[dict[str, Any]]]
    extended: Callable[[], bool]
    limit: int | None

    def all_of(self, question: Question) -> list[Any]:
        """All that matches, as ``/tools/find`` gives it.

        Raises:
            IncompleteSearchError: there is more, and no way to it.
        """
        found = self.ask(question)
        if self._is_whole(question, found):
            return found
        if self.extended():
            return self._paged(question, found)
        # Without extended find it gives one more than it may where it ends too soon.
        if self.limit is None or len(found) <= self.limit:
            return found
        return self._listed(question)

    def _is_whole(self, question: Question, found: list[Any]) -> bool:
        if not found or self.limit == 0 or _finds_one(question["Query"]):
            return True
        return self.limit is not None and len(found) < self.limit

    def _paged(self, question: Question, first: list[Any]) -> list[Any]:
        found = {_identifier(one): one for one in first}
        since, more = len(first), first
        while more:
            more = self.ask({**question, "Since": since, "Limit": PAGE})
            found.update((_identifier(one), one) for one in more)
            since += len(more)
        return list(found.values())

    def _listed(self, question: Question) -> list[Any]:
        level, query = question["Level"], question["Query"]
        if not query.keys() <= _LISTED.get(level, frozenset()):
            raise IncompleteSearchError(
                f"Orthanc's LimitFindResults ({self.limit}) cuts a search short; "
                "set it to 0, or use a release with extended find (1.12.5 and later)"
            )
        found: list[Any] = []
        since = 0
        while page := self.page(level, since, PAGE):
            since += len(page)
            found += [one for one in page if _matches(one, query)]
        return found if question["Expand"] else [_identifier(one) for one in found]


def _finds_one(query: Mapping[str, str]) -> bool:
    return any(name in query and "\\" not in query[name] for name in _ONE_EACH)


def _identifier(one: Any) -> str:
    return str(one["ID"]) if isinstance(one, Mapping) else str(one)


def _matches(resource: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    tags = {**resource.get("PatientMainDicomTags", {}), **resource.get("MainDicomTags", {})}
    return all(name in tags and _fits(str(tags[name]), wanted) for name, wanted in query.items())


def _fits(value: str, wanted: str) -> bool:
    """Whether a value matches, as C-FIND has it: ``*``, ``?``, a list (PS3.4 section C.2.2.2)."""
    folded = value.strip().casefold()
    return any(
        re.fullmatch(_pattern(one.strip().casefold()), folded) is not None
        for one in wanted.split("\\")
    )


def _pattern(wanted: str) -> str:
    kinds = {"*": ".*", "?": "."}
    return "".join(kinds.get(letter, re.escape(letter)) for letter in wanted)
