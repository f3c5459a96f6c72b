# SPDX-License-Identifier: Apache-2.0
"""What a network is shown besides an image; free of torch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Context(NamedTuple):
    """What is seen with ``N`` images, where a network takes it.

    Attributes
    ----------
    neighbours:
        ``(N, slices)`` indices among the images given: the sub-volumes to look at. None: an image
        has no neighbours, and stands in their place.
    persons:
        ``(N, 4)`` of :func:`inference.heatmap.demographics.encoded`. None: nothing is known.
    """

    neighbours: NDArray[np.intp] | None = None
    persons: NDArray[np.float32] | None = None


ALONE = Context()
