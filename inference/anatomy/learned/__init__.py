# SPDX-License-Identifier: Apache-2.0
"""The metadata model: a learned family and the lexicon, pooled into one calibrated answer."""

from inference.anatomy.learned.families import FAMILIES, AnatomyModelError, FamilyName
from inference.anatomy.learned.recognizer import MetadataModel, Opinion, shipped_model

__all__ = [
    "FAMILIES",
    "AnatomyModelError",
    "FamilyName",
    "MetadataModel",
    "Opinion",
    "shipped_model",
]
