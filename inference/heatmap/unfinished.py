# SPDX-License-Identifier: Apache-2.0
"""Runs of training that a kill has cut off; free of torch."""

from __future__ import annotations


class OtherPlanError(ValueError):
    """A folder holds an unfinished run of another plan: choose another, or delete it there."""
