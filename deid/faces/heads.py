# SPDX-License-Identifier: Apache-2.0
"""Made-up heads from which the generic face is learnt.

Proportions and their spread after adult anthropometry (L. G. Farkas, Anthropometry of the Head and
Face, 2nd ed. 1994): length of the head 190 mm, breadth 150, nasion 105 below the vertex, nose tip
150, chin 215, nose 20 to 25 above the face. No head is anybody's.
"""

from __future__ import annotations

import numpy as np

from deid.faces.grid import Floats

LENGTH_MM = 190.0
# mm below the vertex; mm from the axis to the front, to the side.
_PROFILE = np.array(
    [
        (30.0, 70.0, 54.0),
        (57.0, 90.0, 69.0),
        (80.0, 95.0, 74.0),
        (93.0, 97.0, 75.0),
        (105.0, 92.0, 75.0),
        (120.0, 91.0, 74.0),
        (148.0, 92.0, 70.0),
        (166.0, 92.0, 66.0),
        (180.0, 87.0, 63.0),
        (202.0, 90.0, 57.0),
        (215.0, 84.0, 54.0),
        (232.0, 58.0, 52.0),
        (255.0, 50.0, 53.0),
        (300.0, 50.0, 58.0),
    ]
)
# Height, angle, their spreads; how far it stands out: mm and standard deviation.
_FEATURES = np.array(
    [
        (93.0, 18.0, 5.0, 14.0, 2.5, 1.5),  # brow ridges
        (111.0, 21.0, 7.0, 10.0, -7.0, 2.0),  # orbits
        (134.0, 38.0, 13.0, 12.0, 4.0, 2.5),  # cheekbones
        (165.0, 30.0, 14.0, 14.0, 0.0, 4.0),  # cheeks
        (163.0, 0.0, 4.0, 13.0, 3.5, 1.5),  # upper lip
        (173.0, 0.0, 4.0, 12.0, 3.5, 1.5),  # lower lip
        (203.0, 0.0, 9.0, 13.0, 3.0, 3.0),  # chin
        (200.0, 58.0, 14.0, 14.0, 0.0, 4.0),  # angle of the jaw
    ]
)


def made_up(rng: np.random.Generator, levels: Floats, angles: Floats) -> Floats:
    """The surface of one head, ``(levels, angles)``, in lengths of the head.

    Parameters
    ----------
    rng:
        Draws the head.
    levels:
        Lengths of the head below the vertex.
    angles:
        Radians, 0 to the front.
    """
    stretch = rng.normal(1.0, 0.035)
    height = levels[:, None] * LENGTH_MM / stretch
    degrees = np.degrees(angles)[None, :]
    surface = _base(rng, height, angles[None, :])
    for at, aside, tall, wide, out, spread in _FEATURES:
        amount, at_, wide_ = rng.normal(out, spread), rng.normal(at, 3.0), wide * rng.normal(1, 0.1)
        for side in (-1.0, 1.0) if aside else (0.0,):
            off = ((height - at_) / tall) ** 2 + ((degrees - side * aside) / wide_) ** 2
            surface = surface + amount * np.exp(-0.5 * off)
    return np.asarray((surface + _nose(rng, height, degrees)) / LENGTH_MM)


def _base(rng: np.random.Generator, height: Floats, angles: Floats) -> Floats:
    knots = _PROFILE[:, 1:] + np.cumsum(rng.normal(0.0, 1.3, _PROFILE[:, 1:].shape), axis=0)
    knots *= rng.normal(1.0, (0.03, 0.04))
    front, side = (np.interp(height, _PROFILE[:, 0], knots[:, at]) for at in (0, 1))
    power = rng.normal(2.2, 0.12)
    along, across = np.abs(np.cos(angles)) / front, np.abs(np.sin(angles)) / side
    return np.asarray((along**power + across**power) ** (-1.0 / power))


def _nose(rng: np.random.Generator, height: Floats, degrees: Floats) -> Floats:
    root, tip = rng.normal(106.0, 3.0), rng.normal(147.0, 4.0)
    base = tip + rng.normal(11.0, 2.0)
    out, width = rng.normal(23.0, 4.0), rng.normal(8.0, 1.2)
    dorsum = np.interp(height, [root, tip, base], [0.0, 1.0, 0.0])
    broad = width * (0.7 + 0.5 * dorsum)
    hump = rng.normal(0.0, 2.0) * np.exp(-0.5 * ((height - (root + tip) / 2) / 8.0) ** 2)
    return np.asarray(
        (out * dorsum + hump) * np.exp(-0.5 * ((degrees - rng.normal(0, 1)) / broad) ** 2)
    )
