# SPDX-License-Identifier: Apache-2.0
"""Images that are documents: secondary captures, scanned forms, encapsulated documents."""

from deid.documents.kinds import Kind, kind_of, shows_slide_label
from deid.documents.page import looks_like_page
from deid.documents.stages import (
    DocumentCheck,
    DocumentStage,
    FlaggingStage,
    LateCleanPixelStage,
)

__all__ = [
    "DocumentCheck",
    "DocumentStage",
    "FlaggingStage",
    "Kind",
    "LateCleanPixelStage",
    "kind_of",
    "looks_like_page",
    "shows_slide_label",
]
