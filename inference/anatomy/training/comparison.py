# SPDX-License-Identifier: Apache-2.0
"""Whether a newly trained model is worse than the shipped one on the same held-out headers."""

from __future__ import annotations

from collections.abc import Sequence

from inference.anatomy.learned.recognizer import shipped_model
from inference.anatomy.training.assessment import Assessment, assess
from inference.anatomy.training.corpus import Example

_LEAST = 20


def worse_than_shipped(found: Assessment, rows: Sequence[Example]) -> list[str]:
    """Why the new model should not replace the shipped one; empty if nothing speaks against it.

    Labels that the shipped model gave itself don't count: on them it can't be wrong.
    """
    own = [one for one in found.outcomes if one.example.source != "tags"]
    if len(own) < _LEAST:
        return [f"only {len(own)} held-out labels are not the shipped model's own"]
    shipped = assess(shipped_model(), [row for row in rows if row.source != "tags"])
    weight = sum(one.example.weight for one in own)
    new, old = (
        sum(one.example.weight for one in outcomes if one.right) / weight
        for outcomes in (own, shipped.outcomes)
    )
    if new < old:
        return [f"worse than the shipped model: {new:.3f} against {old:.3f} exact"]
    return []
