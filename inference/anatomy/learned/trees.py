# SPDX-License-Identifier: Apache-2.0
"""Random forest and decision tree (Breiman, 2001) over hashed tokens, as arrays.

A tree asks whether a token stands in a slot. All trees of a forest are walked at once, one level at
a time, for all headers. A leaf holds the shares of the sets among the training headers that fell
into it; a forest averages them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from inference.anatomy.learned.families import Array, Floats
from inference.anatomy.learned.slots import Slots, slot_numbers

COLUMNS_PER_SLOT = 1024
_LEAST = 1e-6


def token_table(headers: Sequence[Slots]) -> npt.NDArray[np.bool_]:
    """Which tokens a header has in which slot: ``(len(headers), 5 x 1024)``."""
    table = np.zeros((len(headers), 5 * COLUMNS_PER_SLOT), np.bool_)
    for row, header in enumerate(headers):
        for slot, numbers in enumerate(slot_numbers(header)):
            for number in numbers:
                table[row, slot * COLUMNS_PER_SLOT + number % COLUMNS_PER_SLOT] = True
    return table


class TreeModel:
    """Answers of a forest; a decision tree is a forest of one.

    :param arrays: ``roots`` (trees); ``column``, ``absent``, ``present`` (nodes): the token asked
        for, -1 in a leaf, and the next node; ``leaf`` (nodes): row of ``shares`` (leaves, sets).
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._roots = arrays["roots"].astype(np.int32)
        self._column = arrays["column"].astype(np.int32)
        self._absent = arrays["absent"].astype(np.int32)
        self._present = arrays["present"].astype(np.int32)
        self._leaf = arrays["leaf"].astype(np.int32)
        self._shares = arrays["shares"]

    def log_probabilities(self, headers: Sequence[Slots]) -> Floats:
        """Log probability of each set: ``(len(headers), sets)``."""
        table = token_table(headers)
        rows = np.arange(len(table))[:, None]
        at = np.broadcast_to(self._roots, (len(table), len(self._roots))).copy()
        while True:
            column = self._column[at]
            if (column < 0).all():
                break
            asked = table[rows, np.maximum(column, 0)]
            further = np.where(asked, self._present[at], self._absent[at])
            at = np.where(column < 0, at, further)
        shares = self._shares[self._leaf[at]].astype(np.float32).mean(axis=1)
        logs: Floats = np.log(np.maximum(shares, _LEAST))
        return logs
