# SPDX-License-Identifier: Apache-2.0
"""The network that finds lines: convolutions at three scales, one map as its answer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_WIDTHS = (12, 24, 40, 64)


def _convolution(inward: int, outward: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inward, outward, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(outward),
        nn.ReLU(inplace=True),
    )


class LineNetwork(nn.Module):
    """``(n, 1, rows, columns)`` in 0 to 1, sides multiples of 16, to logits of half each side."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = _WIDTHS
        self.fine = nn.Sequential(_convolution(1, a, 2), _convolution(a, b, 2), _convolution(b, b))
        self.middle = nn.Sequential(
            _convolution(b, c, 2), _convolution(c, c), _convolution(c, c, 1, 2)
        )
        self.coarse = nn.Sequential(
            _convolution(c, d, 2), _convolution(d, d), _convolution(d, d, 1, 2)
        )
        self.to_middle, self.to_fine = nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1)
        self.after_middle, self.after_fine = _convolution(c, c), _convolution(b, b)
        self.answer = nn.Conv2d(b, 4, 1)
        self.larger, self.unfold = nn.Upsample(scale_factor=2), nn.PixelShuffle(2)

    def forward(self, picture: Tensor) -> Tensor:
        """Logits, ``(n, 1, rows / 2, columns / 2)``."""
        fine = self.fine(picture)
        middle = self.middle(fine)
        middle = self.after_middle(middle + self.larger(self.to_middle(self.coarse(middle))))
        fine = self.after_fine(fine + self.larger(self.to_fine(middle)))
        logits: Tensor = self.unfold(self.answer(fine))
        return logits


class _Probabilities(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Any:
        return torch.sigmoid(self.network(picture))


def export(network: nn.Module, path: str) -> None:
    """Write the network as ONNX, for sides of any length."""
    torch.onnx.export(
        _Probabilities(network).eval(),
        (torch.zeros(1, 1, 64, 64),),
        path,
        input_names=["picture"],
        output_names=["lines"],
        dynamic_axes={"picture": {2: "rows", 3: "columns"}, "lines": {2: "rows", 3: "columns"}},
        dynamo=False,
    )
