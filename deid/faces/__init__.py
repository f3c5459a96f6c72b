# SPDX-License-Identifier: Apache-2.0
"""Faces in CT and MR scans of the head: found by anatomy and geometry, and drawn anew."""

from deid.faces.redraw import KeptRegion
from deid.faces.stage import CleanFacesStage, shows_slices

__all__ = ["CleanFacesStage", "KeptRegion", "shows_slices"]
