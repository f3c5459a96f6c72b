# SPDX-License-Identifier: Apache-2.0
"""``gpu_*``: images per second on a GPU in bfloat16, at inputs of 512 and 1024, and in training.

Without a GPU they are null, and a detail says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from benchmarks.report import say
from inference.heatmap.architecture import Architecture
from inference.heatmap.network import HeatMapNetwork
from inference.phantoms import FINDINGS

KEYS = (
    "gpu_images_per_s_512",
    "gpu_images_per_s_1024",
    "gpu_fraction_of_bare",
    "gpu_training_images_per_s",
)
SIZES = {
    512: Architecture(input_size=512, grids=(64, 32, 16, 8), widths=(32, 48, 64, 96)),
    1024: Architecture(input_size=1024, grids=(128, 64, 32, 16, 8), widths=(32, 32, 48, 64, 96)),
}
BATCH = 32


def measure(*, quick: bool, figures: dict[str, float | None], details: dict[str, object]) -> None:
    """Fill in the figures."""
    for key in KEYS:
        figures[key] = None
    if not torch.cuda.is_available():
        details["gpu"] = "torch sees no GPU on this machine"
        return
    details["gpu"] = torch.cuda.get_device_name(0)
    seconds = 2.0 if quick else 10.0
    for size, architecture in SIZES.items():
        network = HeatMapNetwork(architecture, len(FINDINGS)).cuda().eval()
        images = torch.rand(BATCH, 1, size, size, device="cuda")
        rate = _rate(lambda net=network, x=images: _whole(net, x), seconds)
        figures[f"gpu_images_per_s_{size}"] = round(rate, 1)
        if size == min(SIZES):
            bare = _rate(lambda net=network, x=images: _bare(net, x), seconds)
            figures["gpu_fraction_of_bare"] = round(rate / bare, 3)
            trained = _rate(lambda net=network, x=images: _step(net, x), seconds)
            figures["gpu_training_images_per_s"] = round(trained, 1)
    say(f"GPU: {[figures[key] for key in KEYS]}")


def _bare(network: HeatMapNetwork, images: torch.Tensor) -> None:
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
        network(images)


def _whole(network: HeatMapNetwork, images: torch.Tensor) -> None:
    """From a batch in the computer's memory to maps and scores there."""
    there = images.cpu().pin_memory().cuda(non_blocking=True)
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
        maps = network(there)
    for level in maps:
        level.float().cpu()
    network.pools[0](maps[0].float()).cpu()


def _step(network: HeatMapNetwork, images: torch.Tensor) -> None:
    network.train()
    with torch.autocast("cuda", torch.bfloat16):
        maps = network(images)
    loss = sum(pooled.float().mean() for pooled in network.pooled([m.float() for m in maps]))
    network.zero_grad(set_to_none=True)
    loss.backward()


def _rate(work: Callable[[], None], seconds: float) -> float:
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        work()
        done += BATCH
    torch.cuda.synchronize()
    return done / (time.perf_counter() - started)
