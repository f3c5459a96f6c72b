# SPDX-License-Identifier: Apache-2.0
"""Text that is burned into pixels: found, masked, and looked for again (PS3.15 section E.3.1)."""

from deid.pixels.detector import Found, RapidText, TextDetector
from deid.pixels.finding import Keep, find_text
from deid.pixels.stage import CleanPixelStage

__all__ = ["CleanPixelStage", "Found", "Keep", "RapidText", "TextDetector", "find_text"]
