# SPDX-License-Identifier: Apache-2.0
"""Text that is burned into pixels: found, masked, and looked for again (PS3.15 section E.3.1)."""

from deid.pixels.detector import Found, QuickText, RapidText, TextDetector, ThoroughText
from deid.pixels.finding import Keep, find_text, representatives
from deid.pixels.stage import CleanPixelStage

__all__ = [
    "CleanPixelStage",
    "Found",
    "Keep",
    "QuickText",
    "RapidText",
    "TextDetector",
    "ThoroughText",
    "find_text",
    "representatives",
]
