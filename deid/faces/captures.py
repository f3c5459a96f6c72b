# SPDX-License-Identifier: Apache-2.0
"""Secondary captures of head scans: a rendering shows a face, and nothing here can mask it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label

from deid.faces.judging import Region
from deid.faces.regions import region_of
from deid.pixels.frames import decoded
from deid.stages import Instance
from deid.vocabulary import folded, words_of

_CAPTURES: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.7",
        "1.2.840.10008.5.1.4.1.1.7.1",
        "1.2.840.10008.5.1.4.1.1.7.2",
        "1.2.840.10008.5.1.4.1.1.7.3",
        "1.2.840.10008.5.1.4.1.1.7.4",
    }
)
"""SOP classes of secondary captures (PS3.4 annex B)."""
_MODALITIES = frozenset({"", "CT", "MR", "PT", "OT"})
_MODALITY = 0x00080060
_NAMES = (0x00080008, 0x0008103E, 0x00081030, 0x00182111)
"""Image Type, Series and Study Description, Derivation Description."""
_RENDERED = frozenset({"3d", "vr", "vrt", "ssd", "surface", "rendering", "rendered", "volren"})
_LEAST_CONTRAST, _THICK, _LARGE = 0.1, 0.05, 0.03


def may_show_a_face(instance: Instance) -> bool:
    """Whether an instance is a capture that may show the face of a scanned head.

    That is so where its header names the head, or a rendering of what it doesn't name, and its
    picture shows more than text and lines.

    Raises
    ------
    PixelsNotReadableError
        If its pixels can't be decoded.
    """
    header = instance.original.header
    if instance.original.sop_class not in _CAPTURES or instance.image is None:
        return False
    if header.text(_MODALITY).strip().upper() not in _MODALITIES:
        return False
    region = region_of(header)
    if region is Region.UNKNOWN:
        words = {folded(word) for tag in _NAMES for word in words_of(header.text(tag))}
        if not words & _RENDERED:
            return False
    elif region is not Region.HEAD:
        return False
    shown = decoded(instance).shown
    return any(_shows_a_solid(frame) for frame in shown)


def _shows_a_solid(frame: NDArray[np.generic]) -> bool:
    """Whether something stands out from the ground that is thicker than letters and lines."""
    grey = frame.astype(np.float32)
    grey = grey.mean(axis=-1) if grey.ndim == 3 else grey
    step = max(1, min(grey.shape) // 256)
    grey = grey[::step, ::step]
    ground = float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))
    off = np.abs(grey - ground)
    solid = off > _LEAST_CONTRAST * float(off.max())
    room = _THICK * min(grey.shape)
    core = distance_transform_edt(np.pad(solid, 1))[1:-1, 1:-1] > room
    if not core.any():
        return False
    parts, _ = label(distance_transform_edt(~core) <= room)
    return float(np.bincount(parts.ravel())[1:].max()) > _LARGE * grey.size
