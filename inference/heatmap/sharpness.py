# SPDX-License-Identifier: Apache-2.0
"""Where LSE-LBA's sharpness starts, and how far it may grow, while a network is trained."""

from __future__ import annotations

import math

import torch

from inference.heatmap.network import HeatMapNetwork
from inference.heatmap.pooling import LseLba


def start_sharpness(network: HeatMapNetwork, sharpness: float) -> None:
    """Let LSE-LBA start at this sharpness; other poolings stay as they are."""
    for pool in network.pools:
        if isinstance(pool, LseLba):
            with torch.no_grad():
                pool.beta.fill_(math.log(max(sharpness - pool.r0, 1e-3)))


def bound_sharpness(network: HeatMapNetwork, most: float) -> None:
    """Keep LSE-LBA's sharpness from growing beyond this."""
    for pool in network.pools:
        if isinstance(pool, LseLba):
            with torch.no_grad():
                pool.beta.clamp_(max=math.log(max(most - pool.r0, 1e-3)))
