# SPDX-License-Identifier: AGPL-3.0-or-later
"""The body regions as tables name them; the same ten as in the contract with inference."""

from __future__ import annotations

from typing import Literal

# Not imported from the contract: Orthanc's process checks tables too, and stays without numpy.
RegionName = Literal[
    "whole body",
    "head",
    "neck",
    "spine",
    "chest",
    "breast",
    "abdomen",
    "pelvis",
    "upper limb",
    "lower limb",
]
