# SPDX-License-Identifier: AGPL-3.0-or-later
"""DICOM objects that go back into the study: what one model says about one scan.

Nothing in here talks to Orthanc or reads pixel data.
"""

from plugin.results.assembly import build, build_scan, not_possible
from plugin.results.objects import (
    DocumentReference,
    KindNotPossibleError,
    Rendering,
    ResultBuildError,
    ResultObject,
    ResultOptions,
)
from plugin.results.private import PRIVATE_CREATOR, is_own_object
from plugin.results.report import add_predecessors
from plugin.results.sameness import says_the_same
from plugin.results.scan_result import AnalysedImage
from plugin.results.series_numbers import first_series_numbers
from plugin.results.validation import validate, validate_together

__all__ = [
    "PRIVATE_CREATOR",
    "AnalysedImage",
    "DocumentReference",
    "KindNotPossibleError",
    "Rendering",
    "ResultBuildError",
    "ResultObject",
    "ResultOptions",
    "add_predecessors",
    "build",
    "build_scan",
    "first_series_numbers",
    "is_own_object",
    "not_possible",
    "says_the_same",
    "validate",
    "validate_together",
]
