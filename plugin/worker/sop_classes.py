# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which SOP classes are analysed, and whether one by one or as a series (PS3.4 Annex B.5)."""

from __future__ import annotations

_STORAGE = "1.2.840.10008.5.1.4.1.1."

_VOLUMES = frozenset(
    _STORAGE + suffix
    for suffix in ("2", "2.1", "2.2", "4", "4.1", "4.3", "4.4", "128", "128.1", "130")
)
"""CT, MR and PET, their enhanced and legacy converted forms."""

_WITHOUT_PIXELS = tuple(
    _STORAGE + prefix
    for prefix in (
        "4.2",  # MR spectroscopy
        "9.",  # waveforms
        "11.",  # presentation states
        "66",  # raw data, registrations, fiducials, segmentations, surfaces
        "67",  # real world value mappings
        "68.",  # surface scans
        "77.1.5.3",  # stereometric relationships
        "78.",  # ophthalmic measurements
        "79.",
        "80.",
        "88.",  # structured reports
        "90.",  # content assessments
        "91.",  # microscopy annotations
        "104.",  # encapsulated documents
        "131",  # structured displays
        "200.",  # protocols
        "201.",  # inventories
        "481.3",  # RT structures, records and plans
        "481.4",
        "481.5",
        "481.6",
        "481.7",
        "481.8",
        "481.9",
        "481.1",
        "481.20",
        "481.21",
        "481.22",
        "481.25",
    )
)
_RT_IMAGE = _STORAGE + "481.1"


def is_volume(sop_class: str) -> bool:
    """Whether instances of this class are slices, to be analysed as a series."""
    return sop_class in _VOLUMES


def is_image(sop_class: str) -> bool:
    """Whether instances of this class can hold an image; an unknown class may.

    What such an instance holds is told by its header, see ``plugin.worker.no_image``.
    """
    return sop_class == _RT_IMAGE or not sop_class.startswith(_WITHOUT_PIXELS)


def is_sized(sop_class: str) -> bool:
    """Whether each instance of this class has pixels; of a private or unknown class it may not."""
    return is_image(sop_class) and sop_class.startswith(_STORAGE)


def is_secondary_capture(sop_class: str) -> bool:
    """Whether instances of this class are secondary captures, of one frame or several."""
    return sop_class == f"{_STORAGE}7" or sop_class.startswith(f"{_STORAGE}7.")
