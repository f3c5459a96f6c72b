# SPDX-License-Identifier: Apache-2.0
"""What a new network learns first: whether an image shows a finding, then where.

Pooled patch probabilities are a poor teacher of a network that knows nothing: every patch starts as
improbable, the gradient is spread over thousands of them, and the levels pull the same features in
different directions. Two things that are there in training only shorten that time. A linear layer
on the mean of the coarsest features learns to recognize the finding in the whole image, as an
ordinary classifier does, and what it teaches the features stays. Then each level's map is held
against the next coarser one's, so that a place that is known roughly is soon known finely.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_EDGE = 1e-5


class Recognition(nn.Module):
    """Logits of a whole image from the mean of its coarsest features."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, classes)

    def forward(self, coarsest: Tensor) -> Tensor:
        """``(N, width, grid, grid)`` to ``(N, C)``."""
        return cast("Tensor", self.linear(coarsest.float().mean(dim=(2, 3))))


def handed_down_loss(maps: Sequence[Tensor]) -> Tensor:
    """Cross-entropy of every level's map against the next coarser one's, which learns nothing here.

    ``maps`` are ``(N, C, grid, grid)`` probabilities, finest first.
    """
    total = torch.zeros((), device=maps[0].device)
    for fine, coarse in pairwise(maps):
        target = functional.interpolate(coarse.detach(), scale_factor=2.0, mode="bilinear")
        total = total + functional.binary_cross_entropy(fine.clamp(_EDGE, 1.0 - _EDGE), target)
    return total


def falling(progress: float, first: float, last: float) -> float:
    """1 until ``first``, from there evenly down to 0 at ``last``; all shares of a run."""
    if progress < first:
        return 1.0
    return max(0.0, (last - progress) / max(last - first, 1e-9))
