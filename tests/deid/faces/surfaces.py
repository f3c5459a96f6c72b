# SPDX-License-Identifier: Apache-2.0
"""How far a face is from where it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label

from tests.deid.faces.phantom_heads import PhantomHead


def landmark_distances(head: PhantomHead, pixels: NDArray[np.generic]) -> dict[str, float]:
    """mm from each landmark to the nearest place of the surface that pixels show.

    The surface parts the patient from the air that reaches the border of the volume; behind the
    border all is air, so a face cut off there is a surface too. Landmarks outside of the volume
    are left out.
    """
    solid = np.pad(pixels > head.threshold, 1)
    parts, _ = label(~solid)
    outside = parts == parts[0, 0, 0]
    spacing = np.linalg.norm(head.axes, axis=0)
    # To the middle of the next voxel, so half a voxel too far.
    far = distance_transform_edt(outside, sampling=spacing)
    far += distance_transform_edt(~outside, sampling=spacing)
    far -= float(np.median(spacing)) / 2
    found = {}
    for name, place in head.landmarks.items():
        at = np.rint(head.index_of(place)).astype(int)
        if (at >= 0).all() and (at < np.array(pixels.shape)).all():
            found[name] = float(far[tuple(at + 1)])
    return found
