# SPDX-License-Identifier: Apache-2.0
"""One interface for the model families, and their weights on disk.

Every family turns token numbers into the log probability of each set of
:func:`~inference.anatomy.learned.region_sets.region_sets`. Weights are a safetensors file whose
header says the family and what it was trained on; no family needs torch or scikit-learn to answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from inference.anatomy.learned.region_sets import region_sets
from inference.anatomy.learned.slots import BUCKETS, Slots
from inference.anatomy.regions import format_regions

FamilyName = Literal["embedding-bag", "ngram-linear", "lstm", "random-forest", "decision-tree"]
FAMILIES: tuple[FamilyName, ...] = get_args(FamilyName)
Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


class AnatomyModelError(ValueError):
    """A file of weights is not one of this package; the message says what is wrong."""


class Family(Protocol):
    """A trained model of one family."""

    def log_probabilities(self, headers: Sequence[Slots]) -> Floats:
        """Log probability of each set of regions: ``(len(headers), len(region_sets()))``."""


def log_softmax(scores: Floats) -> Floats:
    """Logarithm of the softmax over the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    normal: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normal


def read_weights(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read the arrays of a weights file and what its header says.

    :raises AnatomyModelError: if it is damaged, or made for other sets or tokens.
    """
    try:
        with safe_open(path, framework="numpy") as stored:
            described: dict[str, Any] = json.loads((stored.metadata() or {})["anatomy"])
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise AnatomyModelError(
            f"no weights of an anatomy model in {path.name}: {type(error).__name__}; the model of "
            "this package is called shipped"
        ) from None
    if described.get("sets") != _sets() or described.get("buckets") != BUCKETS:
        raise AnatomyModelError("the weights were trained for other region sets; train them again")
    return arrays, described


def write_weights(path: Path, arrays: Mapping[str, Array], described: Mapping[str, Any]) -> None:
    """Write a weights file; ``described`` needs ``family`` and may hold what else JSON can."""
    header = {**described, "sets": _sets(), "buckets": BUCKETS}
    save_file(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        path,
        {"anatomy": json.dumps(header, sort_keys=True)},
    )


def family_of(arrays: Mapping[str, Array], described: Mapping[str, Any]) -> Family:
    """Build the family that a header names.

    :raises AnatomyModelError: for an unknown family or missing arrays.
    """
    name = described.get("family")
    try:
        return _makers()[name](arrays)  # type: ignore[index]
    except KeyError:
        raise AnatomyModelError(f"family {name!r} is unknown or lacks arrays") from None


def _makers() -> Mapping[FamilyName, Callable[[Mapping[str, Array]], Family]]:
    from inference.anatomy.learned.bags import BagModel  # noqa: PLC0415 - they know this module
    from inference.anatomy.learned.lstm import LstmModel  # noqa: PLC0415
    from inference.anatomy.learned.trees import TreeModel  # noqa: PLC0415

    return {
        "embedding-bag": BagModel,
        "ngram-linear": BagModel,
        "lstm": LstmModel,
        "random-forest": TreeModel,
        "decision-tree": TreeModel,
    }


def _sets() -> list[str]:
    return [format_regions(regions) for regions in region_sets()]
