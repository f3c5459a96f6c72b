# SPDX-License-Identifier: AGPL-3.0-or-later
"""The other studies of a patient that share matched study sets with one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from plugin.anatomy.priors import others_of, study_date
from plugin.exact_search import Finder


class Archive(Finder, Protocol):
    """What is needed of Orthanc."""

    def study(self, identifier: str, /) -> dict[str, Any]:
        """Orthanc's JSON of one study."""


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True)
class Relatives:
    """By Patient ID and Study Date; no more is known of a study that is still arriving.

    Args:
        archive: Orthanc.
        furthest_days: how far back an application of the table wants priors; 0: none does.
        fetching: whether other archives are still to be asked for those of a study.
    """

    archive: Archive
    furthest_days: int
    fetching: Callable[[str], bool] = _never

    def awaits(self, study: str) -> bool:
        """Whether earlier studies may be on their way."""
        return bool(self.furthest_days) and self.fetching(study)

    def earlier(self, study: str) -> list[dict[str, Any]]:
        """Orthanc's JSON of the studies that can be priors of one.

        Raises:
            NotFoundError: it is gone.
        """
        return [other for other, days in self._dated(study) if 0 < days <= self.furthest_days]

    def later(self, study: str) -> list[str]:
        """Orthanc identifiers of the studies that one can be a prior of, the latest first.

        Raises:
            NotFoundError: it is gone.
        """
        found = sorted(self._dated(study), key=lambda one: one[1])
        return [str(other["ID"]) for other, days in found if 0 < -days <= self.furthest_days]

    def _dated(self, study: str) -> list[tuple[dict[str, Any], int]]:
        """Other studies, each with the days from it to this one."""
        if not self.furthest_days:
            return []
        current = self.archive.study(study)
        taken = study_date(current)
        if taken is None:
            return []
        others = ((one, study_date(one)) for one in others_of(self.archive, current))
        return [(one, (taken - other).days) for one, other in others if other is not None]
