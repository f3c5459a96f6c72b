# SPDX-License-Identifier: AGPL-3.0-or-later
"""DICOM objects that go back into the study: SR, SEG and presentation state of one image.

Nothing in here talks to Orthanc or reads pixel data.
"""

from plugin.results.assembly import build
from plugin.results.objects import (
    ResultBuildError,
    ResultObject,
    ResultOptions,
)
from plugin.results.private import PRIVATE_CREATOR, is_own_object
from plugin.results.validation import validate, validate_together

__all__ = [
    "PRIVATE_CREATOR",
    "ResultBuildError",
    "ResultObject",
    "ResultOptions",
    "build",
    "is_own_object",
    "validate",
    "validate_together",
]
