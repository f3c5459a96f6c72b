# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every section has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_pascal


class Section(BaseModel):
    """Base of all sections: immutable, unknown keys are errors, types are not coerced."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_pascal, populate_by_name=True
    )
