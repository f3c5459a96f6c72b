# SPDX-License-Identifier: Apache-2.0
"""De-identification of DICOM objects: header today, further stages to come."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deid.errors import (
    BurnedInAnnotationError,
    DeidentificationError,
    DocumentDroppedError,
    DocumentError,
    DocumentForReviewError,
    FaceMaskError,
    ForgedScanError,
    KeyFileError,
    MissingSopClassError,
    NestingTooDeepError,
    NotDicomError,
    OptionConflictError,
    PixelDataNotReadError,
    TruncatedFileError,
    UnreadableSourceError,
    UnsupportedObjectError,
    UnsupportedTransferSyntaxError,
)
from deid.key import DeidentificationKey
from deid.options import Option

if TYPE_CHECKING:
    from deid.deidentifier import Deidentifier
    from deid.extensions import Extensions
    from deid.policy import Policy
    from deid.private import PrivateAttribute, SiteRule
    from deid.report import Action, DeidentificationReport, ElementRecord
    from deid.scan import DeidentifiedScan

__all__ = [
    "Action",
    "BurnedInAnnotationError",
    "DeidentificationError",
    "DeidentificationKey",
    "DeidentificationReport",
    "DeidentifiedScan",
    "Deidentifier",
    "DocumentDroppedError",
    "DocumentError",
    "DocumentForReviewError",
    "ElementRecord",
    "Extensions",
    "FaceMaskError",
    "ForgedScanError",
    "KeyFileError",
    "MissingSopClassError",
    "NestingTooDeepError",
    "NotDicomError",
    "Option",
    "OptionConflictError",
    "PixelDataNotReadError",
    "Policy",
    "PrivateAttribute",
    "SiteRule",
    "TruncatedFileError",
    "UnreadableSourceError",
    "UnsupportedObjectError",
    "UnsupportedTransferSyntaxError",
]

_LATER = {
    "Deidentifier": "deid.deidentifier",
    "Extensions": "deid.extensions",
    "Policy": "deid.policy",
    "PrivateAttribute": "deid.private",
    "SiteRule": "deid.private",
    "Action": "deid.report",
    "DeidentificationReport": "deid.report",
    "ElementRecord": "deid.report",
    "DeidentifiedScan": "deid.scan",
}


def __getattr__(name: str) -> Any:
    """Load when it is first used what loads pydicom (PEP 562): not who uses this de-identifies."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LATER[name]), name)
    return found
