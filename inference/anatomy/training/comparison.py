# SPDX-License-Identifier: Apache-2.0
"""Whether a newly trained model is worse than the shipped one on the same held-out headers."""

from __future__ import annotations

from collections.abc import Sequence

from inference.anatomy.learned.recognizer import shipped_model
from inference.anatomy.training.assessment import Assessment, assess, exact_by_group
from inference.anatomy.training.corpus import Example

_ROUNDING = 1e-9
"""Sums of the same shares in another order."""


def worse_than_shipped(found: Assessment, rows: Sequence[Example]) -> list[str]:
    """Why the new model should not replace the shipped one; empty if nothing speaks against it.

    Groups (collections, scanners) count alike, as in the figures by which a model is judged: one
    that holds most headers would hide that a model got worse on all others.

    Labels that a tag model gave don't count: on its own the shipped model can't be wrong. How many
    others there have to be is said by :class:`~inference.anatomy.training.assessment.Criteria`.
    """
    own = [one for one in found.outcomes if one.example.is_truth]
    if not own:
        return []
    shipped = assess(shipped_model(), [row for row in rows if row.is_truth])
    new, old = exact_by_group(own), exact_by_group(shipped.outcomes)
    if new < old - _ROUNDING:
        return [f"worse than the shipped model: {new:.3f} against {old:.3f} exact (mean of groups)"]
    return []
