# SPDX-License-Identifier: AGPL-3.0-or-later
"""How large a pixel is, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spacing:
    """Distance of pixels in mm, and in which plane.

    ``plane`` is ``patient`` for Pixel Spacing, and ``detector`` for Imager Pixel Spacing: what a
    radiograph shows is smaller in the patient by the magnification (PS3.3 10.7.1.3).
    """

    row: float
    column: float
    plane: str
