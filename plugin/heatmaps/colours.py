# SPDX-License-Identifier: AGPL-3.0-or-later
"""The colours of the heat maps: dark violet for 0, over red and orange, to pale yellow for 1.

Equal steps of probability are equal steps of perceived lightness, so that an edge in the picture is
an edge in the probabilities, also on a grey print and for most colour-blind readers. Computed in
OKLab (Ottosson, "A perceptual color space for image processing", 2020).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

STEPS = 256

_LIGHTNESS = (0.22, 0.95)
# Hue in degrees and wanted chroma at equal distances.
_HUES = (292.0, 328.0, 374.0, 402.0, 430.0, 460.0, 468.0)
_CHROMAS = (0.09, 0.17, 0.195, 0.19, 0.168, 0.165, 0.10)


@cache
def lookup_table() -> NDArray[np.uint8]:
    """sRGB of ``STEPS`` equally spaced probabilities, ``(STEPS, 3)`` uint8."""
    at = np.linspace(0.0, 1.0, STEPS)
    knots = np.linspace(0.0, 1.0, len(_HUES))
    lightness = _LIGHTNESS[0] + (_LIGHTNESS[1] - _LIGHTNESS[0]) * at
    hue = np.radians(np.interp(at, knots, _HUES))
    chroma = _displayable(lightness, np.interp(at, knots, _CHROMAS), hue)
    linear = _linear_srgb(lightness, chroma * np.cos(hue), chroma * np.sin(hue))
    table = np.round(255.0 * _gamma(np.clip(linear, 0.0, 1.0))).astype(np.uint8)
    table.flags.writeable = False
    return table


def _displayable(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The largest chroma up to the wanted one that sRGB holds: clipping would bend lightness."""
    held, tried = np.zeros_like(chroma), chroma.copy()
    for halving in range(1, 20):
        linear = _linear_srgb(lightness, tried * np.cos(hue), tried * np.sin(hue))
        fits = ((linear >= 0.0) & (linear <= 1.0)).all(axis=-1)
        held = np.where(fits, tried, held)
        tried = np.minimum(chroma, np.where(fits, tried, held) + chroma * 0.5**halving)
    return held


def _linear_srgb(
    lightness: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]
) -> NDArray[np.float64]:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return np.stack(
        [
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ],
        axis=-1,
    )


def _gamma(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    # IEC 61966-2-1.
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
