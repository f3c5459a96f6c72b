# SPDX-License-Identifier: AGPL-3.0-or-later
"""Body regions and views as tables name them; the same as inference knows."""

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

ViewName = Literal[
    "AP",
    "PA",
    "LL",
    "RL",
    "LLD",
    "RLD",
    "LAO",
    "RAO",
    "LPO",
    "RPO",
    "LLO",
    "RLO",
    "CC",
    "MLO",
    "ML",
    "LM",
    "LMO",
    "FB",
    "XCCL",
    "XCCM",
    "SIO",
    "ISO",
]
