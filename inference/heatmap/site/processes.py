# SPDX-License-Identifier: Apache-2.0
"""One process or many: ``torchrun`` starts one per GPU, and they train one network together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from inference.heatmap.engine import preferred_device


@dataclass(frozen=True)
class Processes:
    """Where this process stands among those that train together.

    Attributes
    ----------
    rank, count:
        Its number, from 0, of how many.
    device:
        What it computes on.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process reads, assesses, writes and reports."""
        return self.rank == 0

    def together(self, module: nn.Module) -> nn.Module:
        """The module with its gradients averaged over all processes."""
        if self.count == 1:
            return module
        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def agreed(self, decision: bool) -> bool:
        """The first process's decision, known to all."""
        if self.count == 1:
            return decision
        told = torch.tensor([float(decision)], device=self.device)
        torch.distributed.broadcast(told, src=0)
        return bool(told.item())

    def wait(self) -> None:
        """Until all processes are here."""
        self.agreed(decision=True)

    def mean(self, value: Tensor) -> float:
        """The mean of a number over all processes."""
        value = value.detach().float().clone()
        if self.count > 1:
            torch.distributed.all_reduce(value)
        return float(value) / self.count


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, by its environment; alone without it."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(0, 1, preferred_device())
        return
    gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    # The others wait while the first one reads a site's images, which may take hours.
    torch.distributed.init_process_group("nccl" if gpu else "gloo", timeout=timedelta(days=1))
    try:
        yield Processes(torch.distributed.get_rank(), count, device)
    finally:
        torch.distributed.destroy_process_group()
