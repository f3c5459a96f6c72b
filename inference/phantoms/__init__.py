# SPDX-License-Identifier: Apache-2.0
"""Phantoms: synthetic images with known findings, for training, tests and demonstrations."""

from inference.phantoms.chest import ChestPhantom, SeedRange, chest_phantom
from inference.phantoms.findings import FINDINGS

__all__ = ["FINDINGS", "ChestPhantom", "SeedRange", "chest_phantom"]
