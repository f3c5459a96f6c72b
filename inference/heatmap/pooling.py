# SPDX-License-Identifier: Apache-2.0
"""From patch probabilities to one global probability per class.

The default is log-sum-exp pooling with a lower-bounded, learned sharpness (LSE-LBA; Yao et al.,
arXiv:1803.07703): ``p = 1/r · log(mean(exp(r·S)))`` with ``r = r0 + exp(β)``. It lies between the
mean (small ``r``) and the maximum (large ``r``) of the patch probabilities ``S``.
"""

from __future__ import annotations

import math
from typing import get_args

import torch
from torch import Tensor, nn

from inference.heatmap.architecture import PoolingName


def lse_pool(patches: Tensor, sharpness: Tensor) -> Tensor:
    """Log-sum-exp pooling over the last two dimensions.

    Parameters
    ----------
    patches:
        ``(N, C, H, W)`` probabilities.
    sharpness:
        ``(C,)``, above 0.

    Returns
    -------
    Tensor
        ``(N, C)`` with ``mean <= p <= max``.
    """
    flat = patches.flatten(2)
    r = sharpness.view(1, -1, 1)
    peak = flat.amax(dim=2, keepdim=True)
    # Around the peak every exponent is <= 0: nothing overflows. Deviations of the mean from one
    # are kept by expm1/log1p, else float32 loses them at small r.
    mean = torch.expm1(r * (flat - peak)).mean(dim=2, keepdim=True)
    pooled = peak + torch.log1p(mean) / r
    # Rounding alone may leave the bounds by one unit in the last place.
    lowest = flat.mean(dim=2, keepdim=True)
    return torch.minimum(torch.maximum(pooled, lowest), peak).squeeze(2)


class LseLba(nn.Module):
    """LSE-LBA pooling with one learned sharpness per class.

    Parameters
    ----------
    classes:
        Number of classes.
    r0:
        Lower bound of the sharpness, >= 0.
    start:
        Sharpness before training, above ``r0``.
    """

    def __init__(self, classes: int, r0: float = 10.0, start: float = 20.0) -> None:
        super().__init__()
        if not 0.0 <= r0 < start:
            raise ValueError(f"r0 must be >= 0 and below the starting sharpness, not {r0}")
        self.r0 = r0
        self.beta = nn.Parameter(torch.full((classes,), math.log(start - r0)))

    def sharpness(self) -> Tensor:
        """``r`` per class, ``(C,)``."""
        return self.r0 + torch.exp(self.beta)

    def forward(self, patches: Tensor) -> Tensor:
        """Pool ``(N, C, H, W)`` to ``(N, C)``."""
        return lse_pool(patches, self.sharpness())


class MaxPool(nn.Module):
    """The largest patch probability."""

    def forward(self, patches: Tensor) -> Tensor:
        """Pool ``(N, C, H, W)`` to ``(N, C)``."""
        return patches.flatten(2).amax(dim=2)


class MeanPool(nn.Module):
    """The mean patch probability."""

    def forward(self, patches: Tensor) -> Tensor:
        """Pool ``(N, C, H, W)`` to ``(N, C)``."""
        return patches.flatten(2).mean(dim=2)


def make_pooling(name: PoolingName, classes: int, r0: float) -> nn.Module:
    """The pooling of that name; raises ValueError for another."""
    if name == "lse-lba":
        return LseLba(classes, r0, start=r0 + 10.0)
    if name == "max":
        return MaxPool()
    if name == "mean":
        return MeanPool()
    raise ValueError(f"unknown pooling {name!r}; known are {', '.join(get_args(PoolingName))}")
