# SPDX-License-Identifier: Apache-2.0
"""Where a classifier that tells only one number per class looked.

Both ways ask the network itself, whatever it is made of. What they return are importances, not
probabilities: :func:`importance_map` scales them so that the most important patch of a class has
the probability of the class.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

STEPS = 16

Scores = Callable[[Tensor], Tensor]
"""``(N, 1, size, size)`` grey values in 0..1 to logits ``(N, C)``."""


def occlusion(scores: Scores, image: Tensor, grid: int, batch: int) -> Tensor:
    """How much each patch raises the logit of each class (Zeiler and Fergus, arXiv:1311.2901).

    Parameters
    ----------
    scores:
        The network.
    image:
        ``(size, size)`` in 0..1; a patch is covered with its mean.
    grid:
        Patches a side; one forward pass each.
    batch:
        Images at a time.

    Returns
    -------
    Tensor
        ``(C, grid, grid)``: logit of the image less logit without the patch.
    """
    size = image.shape[-1]
    edges = [round(index * size / grid) for index in range(grid + 1)]
    mean = image.mean()
    whole = scores(image[None, None])[0]
    without: list[Tensor] = []
    cells = [(row, column) for row in range(grid) for column in range(grid)]
    for start in range(0, len(cells), batch):
        part = cells[start : start + batch]
        covered = image.repeat(len(part), 1, 1, 1)
        for number, (row, column) in enumerate(part):
            rows = slice(edges[row], edges[row + 1])
            covered[number, 0, rows, edges[column] : edges[column + 1]] = mean
        without.append(scores(covered))
    drops = whole - torch.cat(without)
    return drops.T.reshape(-1, grid, grid)


def integrated_gradients(scores: Scores, image: Tensor, batch: int, steps: int = STEPS) -> Tensor:
    """What each pixel adds to the logit of each class (Sundararajan et al., arXiv:1703.01365).

    Parameters
    ----------
    scores:
        The network; differentiable.
    image:
        ``(size, size)`` in 0..1; the path starts at black.
    batch:
        Images at a time.
    steps:
        Points of the path, in the middle of equal parts.

    Returns
    -------
    Tensor
        ``(C, size, size)``; the sum over pixels approximates the difference of the logit to that of
        a black image.
    """
    weights = (torch.arange(steps) + 0.5) / steps
    total: Tensor | None = None
    for start in range(0, steps, batch):
        path = weights[start : start + batch, None, None, None] * image
        with torch.enable_grad():
            path.requires_grad_()
            logits = scores(path)
            gradients = [
                torch.autograd.grad(logits[:, index].sum(), path, retain_graph=True)[0]
                for index in range(logits.shape[1])
            ]
        part = torch.stack([gradient.sum(dim=0)[0] for gradient in gradients])
        total = part if total is None else total + part
    if total is None:
        raise ValueError("a path needs at least one step")
    return total.detach() * image.to(total.device) / steps


def importance_map(importance: Tensor, probabilities: Tensor, grid: int) -> Tensor:
    """Positive importance averaged over patches, its peak raised to the class's probability.

    Parameters
    ----------
    importance:
        ``(C, h, w)``.
    probabilities:
        ``(C,)``.
    grid:
        Patches a side of the result.

    Returns
    -------
    Tensor
        ``(C, grid, grid)`` in 0..1; all 0 where no patch speaks for the class.
    """
    patches = functional.adaptive_avg_pool2d(importance.clamp(min=0.0)[None], grid)[0]
    peak = patches.amax(dim=(1, 2), keepdim=True)
    shares = torch.where(peak > 0.0, patches / peak.clamp(min=1e-12), torch.zeros_like(patches))
    return shares * probabilities.to(shares.device)[:, None, None]
