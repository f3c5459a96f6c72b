# SPDX-License-Identifier: AGPL-3.0-or-later
"""The anatomy of a series as it is kept in Orthanc: what was recognized, and what a reviewer said.

Orthanc metadata ``ANATOMY`` of a series is written by workers only and holds what was recognized;
``ANATOMY_OVERRIDES`` is written by the routes and holds what reviewers said. Workers put it back on
a series that Orthanc has anew, before they note it for the first time. So neither can lose the
other's, and :func:`effective` puts both together wherever anatomy is used. ``ANATOMY`` of a study
sums up its series.
"""

from plugin.anatomy.agreement import Agreement, Witness
from plugin.anatomy.book import AnatomyBook, SeriesAnatomy, UnreadableAnatomyError
from plugin.anatomy.records import (
    AnatomyOverride,
    EarlierAnatomy,
    OverrideLog,
    RecognizedAnatomy,
    StudyAnatomy,
    effective,
)
from plugin.anatomy.regions import REGIONS_BY_TERM

__all__ = [
    "REGIONS_BY_TERM",
    "Agreement",
    "AnatomyBook",
    "AnatomyOverride",
    "EarlierAnatomy",
    "OverrideLog",
    "RecognizedAnatomy",
    "SeriesAnatomy",
    "StudyAnatomy",
    "UnreadableAnatomyError",
    "Witness",
    "effective",
]
