# SPDX-License-Identifier: Apache-2.0
"""The token classifier: how likely each word or number is part of an identifier, and of which kind.

A table of letter groups (hashed, as fastText has it: Bojanowski et al., TACL 2017), averaged per
word and joined with facts of the word, and dilated convolutions over the words (Strubell et al.,
"Fast and Accurate Entity Recognition with Iterated Dilated Convolutions", EMNLP 2017). It runs on
numpy."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from deid.text.features import FACTS, Features

LABELS = ("other", "name", "place", "house", "number", "date")
WEIGHTS = Path(__file__).parent / "data" / "token_classifier.safetensors"
DILATIONS = (1, 2, 4)
"""Words between the five that each layer looks at."""
KERNEL = 5

FloatArray = npt.NDArray[np.float32]


class TokenClassifier:
    """Probabilities of ``LABELS`` for each token.

    Parameters
    ----------
    weights:
        ``letters`` (buckets, e); for each layer n of ``DILATIONS`` ``layers.n.weight``
        (h, inputs, 5) and ``layers.n.bias`` (h), the first with e + facts inputs, the others with
        h; ``out.weight`` (6, h), ``out.bias`` (6).
    """

    def __init__(self, weights: dict[str, npt.NDArray[np.floating]]) -> None:
        self._letters = weights["letters"].astype(np.float32)
        self._letters[0] = 0  # stands for no letter group
        self._layers = [
            _Layer(weights[f"layers.{at}.weight"], weights[f"layers.{at}.bias"], dilation)
            for at, dilation in enumerate(DILATIONS)
        ]
        self._out = weights["out.weight"].astype(np.float32).T
        self._out_bias = weights["out.bias"].astype(np.float32)
        width = self._letters.shape[1] + len(FACTS)
        if self._layers[0].inputs != width:
            raise ValueError(f"the weights are for {self._layers[0].inputs} inputs, not {width}")

    @classmethod
    def shipped(cls) -> TokenClassifier:
        """The one with the weights of this package."""
        return _shipped()

    def probabilities(self, features: Features) -> FloatArray:
        """Shape (tokens, 6); each row sums to 1."""
        if not len(features.groups):
            return np.zeros((0, len(LABELS)), np.float32)
        first, *others = self._layers
        there = features.groups[:, :1] > 0  # not the gap between two texts
        hidden = first(self._inputs(features)) * there
        for layer in others:
            hidden = hidden + layer(hidden) * there
        scores = hidden @ self._out + self._out_bias
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(scores / scores.sum(axis=1, keepdims=True), np.float32)

    def _inputs(self, features: Features) -> FloatArray:
        present = np.count_nonzero(features.groups, axis=1)[:, None]
        letters = self._letters[features.groups].sum(axis=1) / np.maximum(present, 1)
        return np.concatenate([letters, features.facts], axis=1)


class _Layer:
    """One convolution over the words, and its negative values cut off."""

    def __init__(
        self,
        weight: npt.NDArray[np.floating],
        bias: npt.NDArray[np.floating],
        dilation: int,
    ) -> None:
        self.inputs = weight.shape[1]
        self._weight = (
            weight.astype(np.float32).transpose(2, 1, 0).reshape(KERNEL * self.inputs, -1)
        )
        self._bias = bias.astype(np.float32)
        self._dilation = dilation

    def __call__(self, words: FloatArray) -> FloatArray:
        edge = KERNEL // 2 * self._dilation
        padded = np.pad(words, ((edge, edge), (0, 0)))
        beside = [padded[at : at + len(words)] for at in range(0, 2 * edge + 1, self._dilation)]
        result: FloatArray = np.maximum(
            np.concatenate(beside, axis=1) @ self._weight + self._bias, 0
        )
        return result


@cache
def _shipped() -> TokenClassifier:
    return TokenClassifier(load_file(WEIGHTS))
