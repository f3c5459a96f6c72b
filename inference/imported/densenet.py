# SPDX-License-Identifier: Apache-2.0
"""DenseNet-121 (Huang et al., arXiv:1608.06993) with any number of input channels and classes.

Parameters are named as torchvision, and after it torchxrayvision, name them, so that their
checkpoints load as they are.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

GROWTH = 32
BOTTLENECK = 4
FIRST_CHANNELS = 64
BLOCKS = (6, 12, 24, 16)


class _Layer(nn.Module):
    """BN, ReLU, 1 x 1; BN, ReLU, 3 x 3; joined to what came in."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        inner = BOTTLENECK * GROWTH
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, GROWTH, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        made = self.conv1(functional.relu(self.norm1(features)))
        made = self.conv2(functional.relu(self.norm2(made)))
        return torch.cat((features, made), dim=1)


def _block(inputs: int, layers: int) -> nn.Sequential:
    named = ((f"denselayer{n + 1}", _Layer(inputs + n * GROWTH)) for n in range(layers))
    return nn.Sequential(OrderedDict(named))


def _transition(inputs: int) -> nn.Sequential:
    parts: list[tuple[str, nn.Module]] = [
        ("norm", nn.BatchNorm2d(inputs)),
        ("relu", nn.ReLU(inplace=True)),
        ("conv", nn.Conv2d(inputs, inputs // 2, 1, bias=False)),
        ("pool", nn.AvgPool2d(2)),
    ]
    return nn.Sequential(OrderedDict(parts))


class DenseNet121(nn.Module):
    """Logits of a whole image, and of every patch of its last features.

    Parameters
    ----------
    channels:
        Of the images.
    classes:
        Number of logits.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        parts: list[tuple[str, nn.Module]] = [
            ("conv0", nn.Conv2d(channels, FIRST_CHANNELS, 7, 2, 3, bias=False)),
            ("norm0", nn.BatchNorm2d(FIRST_CHANNELS)),
            ("relu0", nn.ReLU(inplace=True)),
            ("pool0", nn.MaxPool2d(3, 2, 1)),
        ]
        width = FIRST_CHANNELS
        for number, layers in enumerate(BLOCKS, start=1):
            parts.append((f"denseblock{number}", _block(width, layers)))
            width += layers * GROWTH
            if number < len(BLOCKS):
                parts.append((f"transition{number}", _transition(width)))
                width //= 2
        parts.append(("norm5", nn.BatchNorm2d(width)))
        self.features = nn.Sequential(OrderedDict(parts))
        self.classifier = nn.Linear(width, classes)

    def patch_logits(self, images: Tensor) -> Tensor:
        """``(N, channels, size, size)`` to ``(N, classes, size/32, size/32)``.

        The head is linear in the mean of the features, so the mean of these is the logit of the
        image: class activation (Zhou et al., arXiv:1512.04150) with the bias shared by all patches.
        """
        last = functional.relu(self.features(images))
        weight = self.classifier.weight
        return functional.conv2d(last, weight[:, :, None, None], self.classifier.bias)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, channels, size, size)`` to logits ``(N, classes)``."""
        return self.patch_logits(images).mean(dim=(2, 3))
