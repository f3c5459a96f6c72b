# SPDX-License-Identifier: Apache-2.0
"""The token classifier: how likely each word or number is part of an identifier, and of which kind.

A table of letter groups (hashed, as fastText has it: Bojanowski et al., TACL 2017), averaged per
word and joined with facts of the word, nine words at a time, and one hidden layer. It runs on
numpy."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from deid.text.features import FACTS, WINDOW, Features

LABELS = ("other", "name", "place", "house", "number", "date")
WEIGHTS = Path(__file__).parent / "data" / "token_classifier.safetensors"

FloatArray = npt.NDArray[np.float32]


class TokenClassifier:
    """Probabilities of ``LABELS`` for each token.

    Parameters
    ----------
    weights:
        ``letters`` (buckets, e), ``hidden.weight`` (h, 9 (e + facts)), ``hidden.bias`` (h),
        ``out.weight`` (6, h), ``out.bias`` (6).
    """

    def __init__(self, weights: dict[str, npt.NDArray[np.floating]]) -> None:
        self._letters = weights["letters"].astype(np.float32)
        self._letters[0] = 0  # stands for no letter group
        self._hidden = weights["hidden.weight"].astype(np.float32).T
        self._hidden_bias = weights["hidden.bias"].astype(np.float32)
        self._out = weights["out.weight"].astype(np.float32).T
        self._out_bias = weights["out.bias"].astype(np.float32)
        width = (2 * WINDOW + 1) * (self._letters.shape[1] + len(FACTS))
        if self._hidden.shape[0] != width:
            raise ValueError(f"the weights are for {self._hidden.shape[0]} inputs, not {width}")

    @classmethod
    def shipped(cls) -> TokenClassifier:
        """The one with the weights of this package."""
        return _shipped()

    def probabilities(self, features: Features) -> FloatArray:
        """Shape (tokens, 6); each row sums to 1."""
        if not len(features.groups):
            return np.zeros((0, len(LABELS)), np.float32)
        hidden = np.maximum(self._inputs(features) @ self._hidden + self._hidden_bias, 0)
        scores = hidden @ self._out + self._out_bias
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(scores / scores.sum(axis=1, keepdims=True), np.float32)

    def _inputs(self, features: Features) -> FloatArray:
        present = np.count_nonzero(features.groups, axis=1)[:, None]
        letters = self._letters[features.groups].sum(axis=1) / np.maximum(present, 1)
        each = np.concatenate([letters, features.facts], axis=1)
        padded = np.pad(each, ((WINDOW, WINDOW), (0, 0)))
        count = len(each)
        windows = [padded[at : at + count] for at in range(2 * WINDOW + 1)]
        return np.concatenate(windows, axis=1)


@cache
def _shipped() -> TokenClassifier:
    return TokenClassifier(load_file(WEIGHTS))
