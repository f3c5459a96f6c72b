# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a scan's category (modality x anatomy [x view]) to the model that is made for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from inference.contract import AnatomyAnswer, ModelDescription, ScanCategory
from plugin import __version__
from plugin.configuration import Configuration


def matching(
    anatomy: AnatomyAnswer, models: Sequence[ModelDescription], works_on: str
) -> list[ModelDescription]:
    """Models that fit a scan, the most specific first, then the newest version.

    A category with views takes a scan whose view is one of them, or whose header names none: old
    computed radiography often leaves View Position empty (type 2 in PS3.3 C.8.1.1).
    """
    fitting = [
        model
        for model in models
        if model.works_on == works_on and any(_fits(anatomy, c) for c in model.categories)
    ]
    return sorted(fitting, key=lambda model: (_views(model), _version(model)), reverse=True)


def described(anatomy: AnatomyAnswer) -> str:
    """The category in words, as in 'CT HEAD'."""
    where = anatomy.body_part_examined or " ".join(anatomy.regions).upper() or "of unknown anatomy"
    view = f" {anatomy.view}" if anatomy.view else ""
    return f"{anatomy.modality or 'scan'} {where}{view}"


def application_version(models: Sequence[ModelDescription], configuration: Configuration) -> str:
    """One digest of all that decides what is done with a scan."""
    parts = [__version__, configuration.digest()]
    parts += sorted(model.digest for model in models)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _fits(anatomy: AnatomyAnswer, category: ScanCategory) -> bool:
    return (
        anatomy.modality in category.modalities
        and any(region in category.regions for region in anatomy.regions)
        and (not category.views or anatomy.view is None or anatomy.view in category.views)
        and anatomy.confidence >= category.minimum_confidence
    )


def _views(model: ModelDescription) -> int:
    return int(any(category.views for category in model.categories))


def _version(model: ModelDescription) -> tuple[int, ...]:
    return tuple(int(part) for part in model.version.split(".") if part.isdigit())
