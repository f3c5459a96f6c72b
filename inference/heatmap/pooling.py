# SPDX-License-Identifier: Apache-2.0
"""From patch probabilities to one global probability per class.

The default is log-sum-exp pooling with a lower-bounded, learned sharpness (LSE-LBA; Yao et al.,
arXiv:1803.07703): ``p = 1/r · log(mean(exp(r·S)))`` with ``r = r0 + exp(β)``. It lies between the
mean (small ``r``) and the maximum (large ``r``) of the patch probabilities ``S``. Others are there
to be chosen and compared.
"""

from __future__ import annotations

import math
from typing import get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

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


class FilteredMaxPool(nn.Module):
    """The largest mean of any 3 x 3 neighbourhood: one patch alone decides nothing."""

    def forward(self, patches: Tensor) -> Tensor:
        """Pool ``(N, C, H, W)`` to ``(N, C)``; at borders the mean is of the patches there are."""
        smooth = functional.avg_pool2d(patches, 3, stride=1, padding=1, count_include_pad=False)
        return smooth.flatten(2).amax(dim=2)


class GeneralizedMeanPool(nn.Module):
    """``(mean(S^q))^(1/q)`` with one learned exponent ``q = 1 + exp(β)`` per class."""

    def __init__(self, classes: int, start: float = 5.0) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.full((classes,), math.log(start - 1.0)))

    def forward(self, patches: Tensor) -> Tensor:
        """Pool ``(N, C, H, W)`` to ``(N, C)``."""
        flat = patches.flatten(2)
        q = (1.0 + torch.exp(self.beta)).view(1, -1, 1)
        # Relative to the peak nothing underflows but what does not count.
        peak = flat.amax(dim=2, keepdim=True).clamp(min=torch.finfo(flat.dtype).tiny)
        mean = (flat / peak).clamp(min=1e-6).pow(q).mean(dim=2, keepdim=True)
        return torch.minimum(peak * mean.pow(1.0 / q), peak).squeeze(2)


class NoisyOrPool(nn.Module):
    """``1 - Π(1 - S)``: the probability that any of independent patches is positive."""

    def forward(self, patches: Tensor) -> Tensor:
        """Pool ``(N, C, H, W)`` to ``(N, C)``."""
        none = torch.log1p(-patches.flatten(2).clamp(max=1.0 - 1e-6)).sum(dim=2)
        return -torch.expm1(none)


_PLAIN: dict[str, type[nn.Module]] = {
    "max": MaxPool,
    "mean": MeanPool,
    "filtered-max": FilteredMaxPool,
    "noisy-or": NoisyOrPool,
}


def make_pooling(name: PoolingName, classes: int, r0: float) -> nn.Module:
    """The pooling of that name; raises ValueError for another."""
    if name == "lse-lba":
        return LseLba(classes, r0, start=r0 + 10.0)
    if name == "generalized-mean":
        return GeneralizedMeanPool(classes)
    if name not in _PLAIN:
        raise ValueError(f"unknown pooling {name!r}; known are {', '.join(get_args(PoolingName))}")
    return _PLAIN[name]()
