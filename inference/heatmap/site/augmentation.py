# SPDX-License-Identifier: Apache-2.0
"""The source's augmentation: zoom, shift and rotation, the same for an image and its truth.

"Zoom 0.25-0.75" has several readings. As a size relative to the image, or as the share of the side
that stays in view, it would leave a small finding invisible or outside, and the global label would
be wrong. Here the middle, 0.5, is no zoom and the draw adds to it: the image is shown at 0.75 to
1.25 of its size, which keeps nearly all findings in view. "±50 pixels" are of a 512-pixel image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

ZOOM = (0.25, 0.75)
SHIFT = 50.0 / 512.0
DEGREES = 25.0


def draw(count: int, generator: torch.Generator) -> Tensor:
    """``(N, 2, 3)`` affine maps from output to input positions, both in -1..1."""
    uniform = torch.rand((count, 4), generator=generator)
    size = 0.5 + ZOOM[0] + uniform[:, 0] * (ZOOM[1] - ZOOM[0])
    turn = (uniform[:, 1] * 2.0 - 1.0) * math.radians(DEGREES)
    # The whole side is 2 in these coordinates.
    shift = (uniform[:, 2:] * 2.0 - 1.0) * 2.0 * SHIFT
    cosine, sine = torch.cos(turn) / size, torch.sin(turn) / size
    across = torch.stack([cosine, -sine, shift[:, 0]], dim=1)
    down = torch.stack([sine, cosine, shift[:, 1]], dim=1)
    return torch.stack([across, down], dim=1)


def moved(values: Tensor, maps: Tensor) -> Tensor:
    """``(N, C, H, W)`` values under affine maps, 0 where nothing was; bilinear."""
    grid = functional.affine_grid(maps.to(values.device), list(values.shape), align_corners=False)
    return functional.grid_sample(values, grid, mode="bilinear", align_corners=False)
