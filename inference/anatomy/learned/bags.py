# SPDX-License-Identifier: Apache-2.0
"""Embedding bag and linear n-grams: tokens of a slot are averaged, slots are weighed.

Embedding bag (Joulin et al., "Bag of Tricks for Efficient Text Classification", 2017): the vectors
of a slot's tokens are summed over the root of their number, the five slots go through one hidden
layer. The linear family is the same without the hidden layer, with one vector of region scores per
token. Both end in ten region scores and a bias per set: the probability of a set is proportional to
exp(sum of its regions' scores + its bias).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from inference.anatomy.learned.families import Array, Floats, log_softmax
from inference.anatomy.learned.region_sets import membership, region_sets
from inference.anatomy.learned.slots import TEXT_SLOTS, Slots, kind_numbers, token_numbers

_MOST_REMEMBERED = 20_000


class BagModel:
    """Answers of an embedding bag or of linear n-grams.

    :param arrays: ``vectors`` (buckets, width); ``inner``, ``inner_bias`` and ``outer``, ``bias``
        (embedding bag) or ``slots`` (linear: one factor per slot); ``sets`` (bias per set).
        ``inner`` has as many rows as there are slots times the width.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        # Kept in half precision: a header touches a hundred rows of it, and memory is counted.
        self._vectors = arrays["vectors"]
        self._sets = arrays["sets"].astype(np.float32)
        self._membership = np.ascontiguousarray(membership(region_sets()).T)
        self._layers = [
            arrays[name].astype(np.float32) for name in ("inner", "inner_bias", "outer", "bias")
        ] if "inner" in arrays else []  # fmt: skip
        self._slots = arrays["slots"].astype(np.float32) if not self._layers else None
        self._pooled: dict[tuple[bool, str], Floats] = {}
        self._nothing = np.zeros(self._vectors.shape[1], np.float32)

    def log_probabilities(self, headers: Sequence[Slots]) -> Floats:
        """Log probability of each set: ``(len(headers), sets)``."""
        return self.from_pooled([self.pooled(header) for header in headers])

    def pooled(self, header: Slots) -> list[Floats]:
        """A vector for each slot of a header: ``(5, width)``."""
        return [self._of(at, text) for at, text in enumerate(header)]

    def summed(self, numbers: Sequence[int]) -> Floats:
        """Sum of the vectors of tokens over the root of their number: ``(width,)``."""
        if not numbers:
            return self._nothing
        vectors = self._vectors[list(numbers)].astype(np.float32)
        pooled: Floats = vectors.sum(axis=0) * np.float32(len(numbers) ** -0.5)
        return pooled

    def from_pooled(self, pooled: Sequence[Sequence[Floats]]) -> Floats:
        """Log probability of each set, from the vectors of all slots: ``(len(pooled), sets)``."""
        regions = self._regions(np.array(pooled).astype(np.float32, copy=False))
        return log_softmax(regions @ self._membership + self._sets)

    def _regions(self, pooled: Floats) -> Floats:
        if self._slots is not None:
            scored: Floats = np.einsum("nsw,s->nw", pooled, self._slots)
            return scored
        inner, inner_bias, outer, bias = self._layers
        flat = pooled.reshape(len(pooled), -1)
        hidden: Floats = np.maximum(flat @ inner + inner_bias, 0.0) @ outer + bias
        return hidden

    def _of(self, slot: int, text: str) -> Floats:
        """The vector of a text: sum of its tokens' vectors over the root of their number."""
        if not text:
            return self._nothing
        is_kind = slot == TEXT_SLOTS
        known = self._pooled.get((is_kind, text))
        if known is not None:
            return known
        pooled = self.summed(kind_numbers(text) if is_kind else token_numbers(text))
        if len(self._pooled) >= _MOST_REMEMBERED:
            self._pooled.clear()
        self._pooled[is_kind, text] = pooled
        return pooled
