# SPDX-License-Identifier: Apache-2.0
"""Trains the finder of lines and writes it into the package. Needs torch, onnx and fonts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from deid.pixels.lines import WEIGHTS
from deid.pixels.training.anatomy import Grey, read_scans
from deid.pixels.training.network import LineNetwork, export
from deid.pixels.training.scenes import GROUNDS, Scenes
from deid.pixels.training.writing import Fonts

_SEED, _CHECK_SEED = 4401, 4402
_FRESH, _AGAIN, _STEPS = 6, 10, 3200
_RATE, _WARMING, _COOLING = 2e-3, 100, 1500
_AVERAGED = 0.996
"""Weights are averaged over the last steps, so that training may end at any."""
_CHECKED = 128
_LINE_WEIGHT = 2.0
"""Pixels of lines against others: what is missed leaks, what is found in vain is read again."""


def _batch(scenes: Scenes, fresh: int, again: int) -> tuple[Tensor, Tensor, Tensor]:
    drawn = scenes.batch(fresh, again)
    grey, marked, weight = (
        torch.from_numpy(np.stack(part)[:, np.newaxis]) for part in zip(*drawn, strict=True)
    )
    return grey.to(memory_format=torch.channels_last), marked, weight


def _loss(logits: Tensor, marked: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy and overlap (Dice), both weighted."""
    weight = weight * (1.0 + (_LINE_WEIGHT - 1.0) * marked)
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, marked, weight)
    sure = torch.sigmoid(logits)
    both = (weight * sure * marked).sum()
    overlap = (2.0 * both + 1.0) / ((weight * (sure + marked)).sum() + 1.0)
    return each + 0.5 * (1.0 - overlap)


def _rate(step: int) -> float:
    """The rate against its highest; it doesn't depend on how many steps there will be."""
    return min(1.0, (step + 1) / _WARMING) / (1.0 + step / _COOLING)


def _checked(network: nn.Module, scenes: Scenes) -> dict[str, float]:
    network.eval()
    hit = of = wrong = free = 0.0
    with torch.no_grad():
        for _ in range(_CHECKED // _FRESH):
            grey, marked, _ = _batch(scenes, _FRESH, 0)
            found = torch.sigmoid(network(grey)) > 0.5
            hit += float(found[marked > 0].sum())
            of += float(marked.sum())
            wrong += float(found[marked == 0].sum())
            free += float((marked == 0).sum())
    return {"found": round(hit / of, 4), "in_vain": round(wrong / free, 5)}


def train(
    fonts: Fonts, steps: int, saved: Path, scans: Sequence[Grey] = (), grounds: int = GROUNDS
) -> dict[str, float]:
    """Train and write; the check is on scenes of another seed."""
    torch.manual_seed(_SEED)
    torch.set_num_threads(1)
    scenes = Scenes(fonts, _SEED, grounds, scans)
    network = LineNetwork()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaging = get_ema_multi_avg_fn(_AVERAGED)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _rate)
    shown = 0.0
    for step in range(1, steps + 1):
        grey, marked, weight = _batch(scenes, _FRESH, _AGAIN)
        optimizer.zero_grad()
        # In single precision: with bfloat16 some processors' convolutions give NaN gradients.
        loss = _loss(network(grey), marked, weight)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"training diverged at step {step}: the loss is not finite")
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        averaged.update_parameters(network)
        shown += (float(loss.detach()) - shown) * (1.0 if step == 1 else 0.02)
        if step % 100 == 0:
            sys.stderr.write(f"step {step} of {steps}: loss {shown:.4f}\n")
            export(averaged.module, str(saved))
    measured = _checked(averaged.module, Scenes(fonts, _CHECK_SEED, min(grounds, 24), scans))
    export(averaged.module, str(saved))
    return measured


def main() -> None:
    """Read the command line, train, print what the check gave as JSON."""
    parser = argparse.ArgumentParser(description="Train the finder of lines of text in pictures")
    parser.add_argument("--fonts", type=Path, default=Path("/usr/share/fonts"))
    parser.add_argument("--without", nargs="*", default=["DejaVu", "CJK"], help="fonts left out")
    parser.add_argument("--scans", type=Path, nargs="*", default=[], help="NIfTI, without writing")
    parser.add_argument("--steps", type=int, default=_STEPS)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    asked = parser.parse_args()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    fonts, scans = Fonts(asked.fonts, asked.without), read_scans(asked.scans)
    measured = train(fonts, asked.steps, asked.out, scans)
    sys.stdout.write(json.dumps(measured) + "\n")


if __name__ == "__main__":
    main()
