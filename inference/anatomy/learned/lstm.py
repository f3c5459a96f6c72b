# SPDX-License-Identifier: Apache-2.0
"""LSTM over the words of a header (Hochreiter & Schmidhuber, 1997), slot after slot.

The words of all slots are read in one sequence; a slot begins with a token of its own, so that the
network knows where a word comes from. The last state gives ten region scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from inference.anatomy.learned.families import Array, Floats, log_softmax
from inference.anatomy.learned.region_sets import membership, region_sets
from inference.anatomy.learned.slots import TEXT_SLOTS, Slots, kind_numbers, word_numbers

WORDS = 1 << 13
MOST_STEPS = 40


def sequence(header: Slots) -> list[int]:
    """Numbers of a header's words in order; kind first, the series description last.

    0..4 stand for the beginning of a slot, the rest for words.
    """
    steps: list[int] = []
    for slot in range(TEXT_SLOTS, -1, -1):
        text = header[slot]
        if text:
            numbers = kind_numbers(text) if slot == TEXT_SLOTS else word_numbers(text)
            steps += [slot, *(5 + number % (WORDS - 5) for number in numbers)]
    return steps[-MOST_STEPS:]


class LstmModel:
    """Answers of an LSTM.

    :param arrays: ``vectors`` (words, width), ``input`` (width, 4 x hidden), ``state`` (hidden,
        4 x hidden), ``gates`` (4 x hidden) in the order in, forget, cell, out; ``outer`` (hidden,
        10), ``bias`` (10), ``sets``.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        of = {name: array.astype(np.float32) for name, array in arrays.items()}
        # The input's share of the gates is the same wherever a word stands: computed once per word.
        self._input, self._state = of["input"], of["state"]
        self._vectors, self._gates = of["vectors"], of["gates"]
        self._outer, self._bias, self._sets = of["outer"], of["bias"], of["sets"]
        self._membership = np.ascontiguousarray(membership(region_sets()).T)

    def log_probabilities(self, headers: Sequence[Slots]) -> Floats:
        """Log probability of each set: ``(len(headers), sets)``."""
        steps = [sequence(header) for header in headers]
        longest = max((len(one) for one in steps), default=0)
        hidden = np.zeros((len(steps), self._state.shape[0]), np.float32)
        cell = hidden.copy()
        for at in range(longest):
            # Aligned at the end: shorter ones begin later, with an untouched state.
            live = [n for n, one in enumerate(steps) if len(one) >= longest - at]
            words = [steps[n][len(steps[n]) - longest + at] for n in live]
            whole = len(live) == len(steps)
            before = (hidden, cell) if whole else (hidden[live], cell[live])
            after = self._step(self._vectors[words], *before)
            if whole:
                hidden, cell = after
            else:
                hidden[live], cell[live] = after
        regions = hidden @ self._outer + self._bias
        scores: Floats = (regions @ self._membership + self._sets).astype(np.float32, copy=False)
        return log_softmax(scores)

    def _step(self, word: Floats, hidden: Floats, cell: Floats) -> tuple[Floats, Floats]:
        gates = word @ self._input + hidden @ self._state + self._gates
        width = cell.shape[1]
        opening = 1.0 / (1.0 + np.exp(-gates[:, : 2 * width]))
        out = 1.0 / (1.0 + np.exp(-gates[:, 3 * width :]))
        new = opening[:, width:] * cell + opening[:, :width] * np.tanh(
            gates[:, 2 * width : 3 * width]
        )
        state: Floats = (out * np.tanh(new)).astype(np.float32, copy=False)
        return state, new.astype(np.float32, copy=False)
