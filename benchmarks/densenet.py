# SPDX-License-Identifier: Apache-2.0
"""The usual peer of a heat-map model: DenseNet-121 with Grad-CAM.

DenseNet-121 after Huang et al., arXiv:1608.06993; Grad-CAM after Selvaraju et al.,
arXiv:1610.02391, on the last feature map. Behind global average pooling and one linear layer the
gradient of a class's score by a feature map is the same everywhere: Grad-CAM's weights are that
layer's own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

GROWTH = 32
BLOCKS = (6, 12, 24, 16)
STEM = 64
BOTTLENECK = 4


def _normalized(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
    )


class _Layer(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.bottleneck = _normalized(inputs, BOTTLENECK * GROWTH, 1)
        self.grow = _normalized(BOTTLENECK * GROWTH, GROWTH, 3)

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat((features, self.grow(self.bottleneck(features))), dim=1)


class DenseNet121(nn.Module):
    """``(N, 1, H, W)`` in 0..1 to ``(N, classes)`` logits; ``maps`` gives Grad-CAM."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        parts: list[nn.Module] = [
            nn.Conv2d(1, STEM, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(STEM),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        ]
        width = STEM
        for number, layers in enumerate(BLOCKS):
            for _ in range(layers):
                parts.append(_Layer(width))
                width += GROWTH
            if number < len(BLOCKS) - 1:
                parts += [_normalized(width, width // 2, 1), nn.AvgPool2d(2)]
                width //= 2
        parts += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Linear(width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Logits per class."""
        features = self.features((images - 0.5) * 4.0)
        return self.classifier(features.mean(dim=(2, 3)))

    def maps(self, images: Tensor, grid: int) -> tuple[Tensor, Tensor]:
        """Logits, and Grad-CAM of every class on a ``grid``, each map scaled to a peak of 1."""
        features = self.features((images - 0.5) * 4.0).float()
        logits = self.classifier(features.mean(dim=(2, 3)))
        seen = functional.relu(torch.einsum("nfhw,cf->nchw", features, self.classifier.weight))
        fine = functional.interpolate(seen, size=(grid, grid), mode="bilinear", align_corners=False)
        peak = fine.amax(dim=(2, 3), keepdim=True).clamp(min=1e-6)
        return logits, fine / peak
