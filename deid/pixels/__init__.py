# SPDX-License-Identifier: Apache-2.0
"""Text that is burned into pixels: found, masked, and looked for again (PS3.15 section E.3.1)."""

from deid.pixels.detector import Found, QuickText, RapidText, TextDetector, ThoroughText
from deid.pixels.fiducials import Fiducial, fiducials_in
from deid.pixels.finding import Keep, find_text, representatives
from deid.pixels.hints import Hints
from deid.pixels.stage import CleanPixelStage, PixelSettings, clean_pixel_stage

__all__ = [
    "CleanPixelStage",
    "Fiducial",
    "Found",
    "Hints",
    "Keep",
    "PixelSettings",
    "QuickText",
    "RapidText",
    "TextDetector",
    "ThoroughText",
    "clean_pixel_stage",
    "fiducials_in",
    "find_text",
    "representatives",
]
