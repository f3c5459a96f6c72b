# SPDX-License-Identifier: Apache-2.0
"""De-identification of DICOM objects: header today, further stages to come."""

from deid.deidentifier import Deidentifier
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
from deid.extensions import Extensions
from deid.key import DeidentificationKey
from deid.options import Option
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
