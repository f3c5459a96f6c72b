# SPDX-License-Identifier: AGPL-3.0-or-later
"""DICOM objects that go back into the study: what one model says about one scan.

Nothing in here talks to Orthanc or reads pixel data.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from plugin.results.private import PRIVATE_CREATOR, is_own_object

if TYPE_CHECKING:
    from plugin.results.assembly import build, build_scan, not_possible
    from plugin.results.objects import (
        DocumentReference,
        KindNotPossibleError,
        Rendering,
        ResultBuildError,
        ResultObject,
        ResultOptions,
    )
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

_LATER = {
    "build": "plugin.results.assembly",
    "build_scan": "plugin.results.assembly",
    "not_possible": "plugin.results.assembly",
    "DocumentReference": "plugin.results.objects",
    "KindNotPossibleError": "plugin.results.objects",
    "Rendering": "plugin.results.objects",
    "ResultBuildError": "plugin.results.objects",
    "ResultObject": "plugin.results.objects",
    "ResultOptions": "plugin.results.objects",
    "add_predecessors": "plugin.results.report",
    "says_the_same": "plugin.results.sameness",
    "AnalysedImage": "plugin.results.scan_result",
    "first_series_numbers": "plugin.results.series_numbers",
    "validate": "plugin.results.validation",
    "validate_together": "plugin.results.validation",
}


def __getattr__(name: str) -> Any:
    """Load when it is first used what loads highdicom (PEP 562): who only reads builds nothing."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LATER[name]), name)
    return found
