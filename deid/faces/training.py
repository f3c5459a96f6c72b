# SPDX-License-Identifier: Apache-2.0
"""Learns the generic face from made-up heads: ``python -m deid.faces.training``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from deid.faces.generic import LEVELS, MODEL, MODEL_ANGLES, GenericFace
from deid.faces.heads import made_up

_HEADS, _MODES, _SEED = 600, 16, 1


def learnt(heads: int = _HEADS, seed: int = _SEED) -> GenericFace:
    """Mean and principal modes of so many made-up heads, by singular value decomposition."""
    rng = np.random.default_rng(seed)
    faces = np.stack([made_up(rng, LEVELS, MODEL_ANGLES) for _ in range(heads)])
    mean = faces.mean(axis=0)
    _, sizes, modes = np.linalg.svd((faces - mean).reshape(heads, -1), full_matrices=False)
    scaled = modes[:_MODES] * (sizes[:_MODES, None] / np.sqrt(heads - 1))
    return GenericFace(mean, scaled.reshape(_MODES, *mean.shape))


def main() -> None:
    """Write the model beside the package."""
    model = learnt()
    save_file(
        {"mean": model.mean.astype(np.float16), "modes": model.modes.astype(np.float16)},
        Path(__file__).parent / "data" / MODEL,
    )


if __name__ == "__main__":
    main()
