# SPDX-License-Identifier: Apache-2.0
"""The multi-resolution, multi-label network of the heat maps.

Levels (grids of 64, 32, 16 and 8 patches a side for a 256-pixel image) are reached by residual
downsampling, ``F^{l+1} = σ(g(F^l) + f(F^l))`` with ``f`` near the identity. At each level a dense
block refines, ``F_m = σ(f(F_1 ⊕ … ⊕ F_{m-1}))``. From coarse to fine, ``F^l = f(U(F^{l+1}) ⊕ F^l)``
(``U``: nearest neighbour) brings context to detail. A patch probability is ``sigmoid(W · I)`` with
one ``W`` per level for all its patches.

Age and sex, where a model takes them, are added to every patch of the coarsest level, from where
fusion brings them to all others.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.heatmap.architecture import Architecture
from inference.heatmap.demographics import WIDTH
from inference.heatmap.pooling import make_pooling

_PRIOR_LOGIT = -3.0


def _unit(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, normalization, ReLU: one ``σ(f(·))``."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _head(inputs: int, classes: int) -> nn.Conv2d:
    """``W`` of one level; before training all patches are improbable."""
    head = nn.Conv2d(inputs, classes, 1)
    nn.init.normal_(head.weight, std=0.01)
    nn.init.constant_(cast("Tensor", head.bias), _PRIOR_LOGIT)
    return head


def _nothing_yet(width: int) -> nn.Sequential:
    """From a person to features; before training it adds nothing."""
    last = nn.Linear(32, width)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(WIDTH, 32), nn.ReLU(), last)


class ResidualDown(nn.Module):
    """Halve the grid: ``σ(g(F) + f(F))``; ``f`` starts as 2 x 2 averaging, passing channels on."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.near_identity = nn.Conv2d(inputs, outputs, 2, 2, bias=False)
        self.change = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        weight = self.near_identity.weight
        with torch.no_grad():
            weight.mul_(0.1)
            for channel in range(outputs):
                weight[channel, channel % inputs] += 0.25

    def forward(self, features: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, H/2, W/2)``."""
        return functional.relu(self.near_identity(features) + self.change(features))


class DenseBlock(nn.Module):
    """Each layer sees all earlier ones of the same resolution."""

    def __init__(self, inputs: int, growth: int, layers: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _unit(inputs + index * growth, growth) for index in range(layers)
        )
        self.merge = _unit(inputs + layers * growth, outputs, kernel=1)

    def forward(self, features: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, H, W)``."""
        seen = [features]
        for layer in self.layers:
            seen.append(layer(torch.cat(seen, dim=1)))
        merged: Tensor = self.merge(torch.cat(seen, dim=1))
        return merged


class HeatMapNetwork(nn.Module):
    """Patch probabilities at every level and global probabilities.

    Parameters
    ----------
    architecture:
        Sizes; ``grids`` finest first, each half of the one before.
    classes:
        Number of finding classes.
    """

    def __init__(self, architecture: Architecture, classes: int) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        self.stem = _unit(a.slices, a.stem, kernel=5, stride=a.input_size // (2 * a.grids[0]))
        ins = (a.stem, *a.widths[:-1])
        self.down = nn.ModuleList(ResidualDown(i, o) for i, o in zip(ins, a.widths, strict=True))
        self.dense = nn.ModuleList(DenseBlock(w, a.growth, a.layers, w) for w in a.widths)
        self.fuse = nn.ModuleList(
            _unit(w + (a.fused if level < len(a.widths) - 1 else 0), a.fused)
            for level, w in enumerate(a.widths)
        )
        self.heads = nn.ModuleList(_head(a.fused, classes) for _ in a.widths)
        self.pools = nn.ModuleList(make_pooling(a.pooling, classes, a.r0) for _ in a.widths)
        self.person = _nothing_yet(a.widths[-1]) if a.demographics else None

    def features(self, images: Tensor) -> list[Tensor]:
        """Features of the down path, finest first: ``(N, width, grid, grid)`` each."""
        current = self.stem((images - 0.5) * 4.0)
        levels = []
        for down, dense in zip(self.down, self.dense, strict=True):
            current = dense(down(current))
            levels.append(current)
        return levels

    def decode(self, levels: list[Tensor], persons: Tensor | None = None) -> list[Tensor]:
        """Patch probabilities of every level, finest first, from the down path's features.

        ``persons`` are ``(N, 4)`` as :func:`inference.heatmap.demographics.encoded` gives them.
        """
        if self.person is not None and persons is not None:
            levels = [*levels[:-1], levels[-1] + self.person(persons)[:, :, None, None]]
        coarser: Tensor | None = None
        maps: list[Tensor] = []
        for level in reversed(range(len(levels))):
            joined = levels[level]
            if coarser is not None:
                up = functional.interpolate(coarser, scale_factor=2.0, mode="nearest")
                joined = torch.cat((up, joined), dim=1)
            coarser = self.fuse[level](joined)
            maps.append(torch.sigmoid(self.heads[level](coarser)))
        return maps[::-1]

    def forward(self, images: Tensor, persons: Tensor | None = None) -> list[Tensor]:
        """``(N, slices, size, size)`` in 0..1 to ``(N, C, grid, grid)`` per level, finest first."""
        return self.decode(self.features(images), persons)

    def pooled(self, maps: list[Tensor]) -> list[Tensor]:
        """Global probabilities ``(N, C)`` of every level; the finest is the answer."""
        return [pool(level) for pool, level in zip(self.pools, maps, strict=True)]
