# SPDX-License-Identifier: Apache-2.0
"""What training minimizes. Labels are 1, 0, or nan where nobody knows: unknown is not absent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_EDGE = 1e-5


class Link(nn.Module):
    """``logit = exp(a) · logit(p) + b`` per class: what a pooled probability means.

    A finding that covers a hundredth of the image leaves LSE-LBA at 0.77 when every patch of it is
    certain (r = 20). Held against the label itself, that would be an error that only lighting half
    of the image could mend. The link learns what value says "present"; at inference the bundle's
    calibration, which has the same form, takes its place.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.full((classes,), 0.4))
        self.offset = nn.Parameter(torch.ones(classes))

    def forward(self, pooled: Tensor) -> Tensor:
        """``(N, C)`` pooled probabilities to logits."""
        score = torch.logit(pooled.clamp(_EDGE, 1.0 - _EDGE))
        return torch.exp(self.slope) * score + self.offset


class GlobalLoss(nn.Module):
    """Class-weighted binary cross-entropy of every level's pooled probabilities.

    Parameters
    ----------
    levels:
        Number of levels.
    weight:
        ``(C,)`` weight of a positive.
    coarser:
        Weight of each level but the finest.
    """

    weight: Tensor

    def __init__(self, levels: int, weight: Tensor, coarser: float = 1.0) -> None:
        super().__init__()
        self.links = nn.ModuleList(Link(len(weight)) for _ in range(levels))
        self.coarser = coarser
        self.register_buffer("weight", weight)

    def forward(self, pooled: Sequence[Tensor], labels: Tensor) -> Tensor:
        """Loss of ``(N, C)`` pooled probabilities per level, finest first."""
        total = torch.zeros((), device=labels.device)
        for level, (link, probabilities) in enumerate(zip(self.links, pooled, strict=True)):
            each = masked_cross_entropy(cast("Tensor", link(probabilities)), labels, self.weight)
            total = total + (self.coarser if level else 1.0) * each
        return total


def masked_cross_entropy(logits: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Mean binary cross-entropy over the known of ``(N, C)`` labels; 0 where none is known."""
    known = torch.isfinite(labels)
    target = torch.where(known, labels, torch.zeros_like(labels))
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    each = each * (1.0 + target * (weight - 1.0)) * known
    return each.sum() / known.sum().clamp(min=1)


def absence_loss(patches: Tensor, absent: Tensor) -> Tensor:
    """Mean cross-entropy of the patches where a class is known to be absent.

    An absent finding is absent from every patch: what a global label of 0 says of all of them.
    ``patches`` and ``absent`` (bool) are ``(N, C, H, W)``.
    """
    each = -torch.log1p(-patches.clamp(max=1.0 - _EDGE)) * absent
    return each.sum() / absent.sum().clamp(min=1)


def place_loss(patches: Tensor, labels: Tensor, absent: Tensor, sharpness: Tensor) -> Tensor:
    """Cross-entropy of what is pooled over the absent patches of images put together of two.

    Pooled as a whole image is, so that it weighs on the few patches that are lit in the wrong
    place, not on the thousands that are dark.

    Parameters
    ----------
    patches, absent:
        ``(N, C, H, W)`` probabilities, and bool.
    labels:
        ``(N, C)``; nan where a mixed image may show the finding.
    sharpness:
        ``(C,)``, of the pooling.
    """
    flat, known = patches.flatten(2), absent.flatten(2)
    asked = torch.isnan(labels) & known.any(dim=2)
    r = sharpness.detach().view(1, -1, 1)
    peak = (flat * known).amax(dim=2, keepdim=True)
    weight = torch.exp((r * (flat - peak)).clamp(max=0.0)) * known
    mean = weight.sum(dim=2) / known.sum(dim=2).clamp(min=1)
    pooled = peak.squeeze(2) + torch.log(mean.clamp(min=_EDGE)) / r.squeeze(2)
    each = -torch.log1p(-pooled.clamp(0.0, 1.0 - _EDGE)) * asked
    return each.sum() / asked.sum().clamp(min=1)


def outline_loss(finest: Tensor, truth: Tensor, outlined: Tensor) -> Tensor:
    """One minus continuous DICE over the present findings of outlined images.

    ``finest`` and ``truth`` are ``(N, C, grid, grid)``, ``outlined`` is ``(N,)`` bool.
    """
    present = truth.amax(dim=(2, 3)) > 0
    chosen = present & outlined[:, None]
    if not bool(chosen.any()):
        return torch.zeros((), device=finest.device)
    s, t = finest[chosen], truth[chosen]
    dice = (2.0 * (s * t).sum(dim=(1, 2)) + 1.0) / (s.sum(dim=(1, 2)) + t.sum(dim=(1, 2)) + 1.0)
    return (1.0 - dice).mean()
