# SPDX-License-Identifier: Apache-2.0
"""Whether a site's anatomy model may be served: it must not be worse than the shipped one.

A metadata model answers the held-out rows that travel with it, and so does the shipped model; then
general headers of this package, since it replaces the shipped model for every header. A
pixel model's volumes are kept nowhere, so the figures of its training are read, beside those of the
shipped model on the same volumes, and phantoms say whether its map from scores to regions still
holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inference.anatomy.learned.families import AnatomyModelError
from inference.anatomy.learned.recognizer import MetadataModel
from inference.anatomy.pixels.regressor import BodyPartRegressor, shipped_regressor, smoothed
from inference.anatomy.serving.bundle import METADATA, AnatomyBundle
from inference.anatomy.serving.held_out import read_held_out
from inference.manifest import BundleError
from inference.phantoms.body import body_volume

PHANTOM_SEEDS: Final = tuple(range(700_000, 700_004))
"""Neither training nor the figures of the shipped model use these."""
KEEPS_REGIONS_WITHIN: Final = 0.03
"""Share of phantom slices by which the map may have become worse."""
LEAST_VOLUMES: Final = 8
LEAST_ORDER: Final = 0.9
"""Of a modality that the shipped model does not know: there is nothing to be no worse than."""


@dataclass(frozen=True)
class VolumeFigures:
    """How a regressor orders volumes.

    :param order: mean Spearman correlation of score and place along the body.
    :param distance: mean Pearson correlation of score and place in mm.
    """

    order: float
    distance: float


def prove(bundle: AnatomyBundle) -> None:
    """Let a bundle show that it may be served.

    :raises BundleError: its weights can't be used, or it is worse than the shipped model.
    """
    try:
        if bundle.manifest.name == METADATA:
            reasons = _metadata_reasons(bundle)
        else:
            reasons = _pixel_reasons(bundle)
    except AnatomyModelError as error:
        raise BundleError(f"its weights can't be used: {error}") from error
    if reasons:
        raise BundleError(f"it fails commissioning: {'; '.join(reasons)}")


def _metadata_reasons(bundle: AnatomyBundle) -> list[str]:
    # Looked up here: a service without models of a site starts without them.
    from inference.anatomy.training.assessment import Criteria, assess  # noqa: PLC0415
    from inference.anatomy.training.comparison import worse_than_shipped  # noqa: PLC0415
    from inference.anatomy.training.general import (  # noqa: PLC0415
        general_figures,
        general_shortfalls,
    )

    rows = read_held_out(bundle.held_out)
    try:
        model = MetadataModel.load(bundle.weights)
        found, general = assess(model, rows), general_figures(model)
    except AnatomyModelError:
        raise
    except ValueError as error:
        raise BundleError(f"it can't be commissioned: {error}") from error
    reasons = found.shortfalls(Criteria()) + worse_than_shipped(found, rows)
    return reasons + general_shortfalls(general)


def _pixel_reasons(bundle: AnatomyBundle) -> list[str]:
    regressor = BodyPartRegressor.load(bundle.weights)
    reasons = pixel_shortfalls(bundle.manifest.metrics)
    untold = sorted(set(regressor.modalities) - set(bundle.manifest.metrics))
    reasons += [f"model.json holds no figures on held-out {one} volumes" for one in untold]
    new, old = phantom_regions(regressor), phantom_regions(shipped_regressor())
    if new < old - KEEPS_REGIONS_WITHIN:
        reasons.append(f"regions of phantom slices: {new:.3f} right, the shipped model {old:.3f}")
    return reasons


def pixel_shortfalls(metrics: dict[str, Any]) -> list[str]:
    """Why figures on held-out volumes, by modality, speak against a pixel model; empty if none."""
    if "CT" not in metrics:
        return ["model.json holds no figures on held-out CT volumes"]
    return [
        f"{modality}: {reason}"
        for modality in sorted(metrics)
        for reason in _volume_shortfalls(metrics[modality], modality)
    ]


def _volume_shortfalls(measured: Any, modality: str) -> list[str]:
    try:
        volumes = int(measured["volumes"])
        new, old = (VolumeFigures(**measured[which]) for which in ("new", "shipped"))
    except (KeyError, TypeError, ValueError):
        return ["no figures on held-out volumes"]
    reasons = []
    if volumes < LEAST_VOLUMES:
        reasons.append(f"only {volumes} held-out volumes, {LEAST_VOLUMES} wanted")
    for what, one, other in (
        ("order of slices", new.order, old.order),
        ("distances of slices", new.distance, old.distance),
    ):
        if not one >= other:
            reasons.append(f"{what}: {one:.3f} against {other:.3f} of the shipped model")
    if modality not in shipped_regressor().modalities and not new.order >= LEAST_ORDER:
        reasons.append(f"order of slices: {new.order:.3f}, {LEAST_ORDER} wanted")
    return reasons


def phantom_regions(regressor: BodyPartRegressor) -> float:
    """Share of slices of phantoms whose region is named rightly."""
    right = []
    for seed in PHANTOM_SEEDS:
        volume = body_volume(seed)
        named = regressor.region_of(smoothed(regressor.scores(volume.slices)))
        right += [one == other for one, other in zip(named, volume.regions, strict=True)]
    return float(np.mean(right))
