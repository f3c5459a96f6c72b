# SPDX-License-Identifier: Apache-2.0
"""The bundle of a network that was trained on a site's images.

The images that a bundle carries for its commissioning are phantoms: no patient's image, and no
file name, leaves a site with its model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, from_numpy

from inference.bundles import (
    CARD,
    WEIGHTS,
    BundleManifest,
    Commissioning,
    CommissioningCase,
    write_manifest,
)
from inference.contract import FindingClass, ScanCategory
from inference.heatmap.architecture import HeatMapSettings
from inference.heatmap.assessment.figures import Figures
from inference.heatmap.correlations import Correlations
from inference.heatmap.datasets.images import SiteSet
from inference.heatmap.engine import (
    COMMISSIONING_IMAGES,
    FAMILIARITY_PREFIX,
    NETWORK_PREFIX,
    predict,
)
from inference.heatmap.evaluation import Operating
from inference.heatmap.familiarity import Familiarity, FamiliarityLimits
from inference.heatmap.network import HeatMapNetwork
from inference.heatmap.phantom_set import make_phantom_set
from inference.phantoms import SeedRange

DISCLAIMER = "Trained on a site's own images, not cleared as a medical device."
_COMMISSIONING_IMAGES = 4
_CHUNK = 1024


@dataclass(frozen=True)
class Naming:
    """What the bundle is called, and for which scans it is."""

    name: str
    version: str = "1.0.0"
    title: str = "Findings (trained on site)"
    categories: tuple[ScanCategory, ...] = (
        ScanCategory(modalities=("CR", "DX"), regions=("chest",), views=("PA", "AP")),
    )
    works_on: Literal["instance", "series"] = "instance"

    @property
    def next_version(self) -> Naming:
        """The same with the minor version one up."""
        major, minor, _ = self.version.split(".")
        return replace(self, version=f"{major}.{int(minor) + 1}.0")


@dataclass(frozen=True)
class SiteModel:
    """A trained network with all that was set on held-out images."""

    network: HeatMapNetwork
    classes: tuple[FindingClass, ...]
    operating: dict[str, Operating]
    familiarity: Familiarity
    limits: FamiliarityLimits
    correlations: Correlations | None = None

    def settings(self) -> HeatMapSettings:
        """The heat-map part of ``model.json``."""
        return HeatMapSettings(
            architecture=self.network.architecture,
            calibration={key: found.calibration for key, found in self.operating.items()},
            familiarity=self.limits,
            correlations=self.correlations,
        )

    def probabilities(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(N, C)`` probabilities of pooled scores."""
        columns = [
            self.operating[one.key].calibration.apply(pooled[:, index])
            for index, one in enumerate(self.classes)
        ]
        found = np.stack(columns, axis=1)
        return found if self.correlations is None else self.correlations.apply(found)

    def coded(self) -> tuple[FindingClass, ...]:
        """The classes with their thresholds."""
        return tuple(
            one.model_copy(
                update={
                    "threshold": self.operating[one.key].threshold,
                    "patch_threshold": self.operating[one.key].patch_threshold,
                }
            )
            for one in self.classes
        )


def digest_of(data: SiteSet) -> str:
    """SHA-256 over squares and labels of a training set, hexadecimal; names no image."""
    digest = hashlib.sha256(data.labels.tobytes())
    for start in range(0, len(data), _CHUNK):
        digest.update(np.ascontiguousarray(data.images[start : start + _CHUNK]).tobytes())
    return digest.hexdigest()


def write_site_bundle(
    folder: Path, naming: Naming, model: SiteModel, training: dict[str, Any], figures: Figures
) -> None:
    """Write weights, ``model.json`` and model card.

    Parameters
    ----------
    folder:
        The bundle, made if missing; replaced file by file.
    naming, model:
        What is written.
    training:
        Plan, counts and digest, recorded as they are.
    figures:
        Measured on the test images.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = model.network.architecture.input_size
    first = SeedRange.COMMISSIONING.value
    images = make_phantom_set(first, _COMMISSIONING_IMAGES, size=size, grid=32).images
    seen = predict(model.network, images.astype(np.float32) / np.float32(255.0))
    manifest = BundleManifest(
        format=1,
        kind="heatmap",
        name=naming.name,
        version=naming.version,
        title=naming.title,
        disclaimer=DISCLAIMER,
        works_on=naming.works_on,
        categories=naming.categories,
        classes=model.coded(),
        heatmap=model.settings(),
        commissioning=Commissioning(cases=tuple(_cases(model, seen.pooled))),
        training=training,
        metrics=json.loads(figures.model_dump_json()),
    )
    tensors: dict[str, Tensor] = {
        NETWORK_PREFIX + name: weight.detach().cpu().contiguous()
        for name, weight in model.network.state_dict().items()
    }
    for name, array in model.familiarity.to_arrays().items():
        tensors[FAMILIARITY_PREFIX + name] = from_numpy(np.ascontiguousarray(array))
    tensors[COMMISSIONING_IMAGES] = from_numpy(np.ascontiguousarray(images))
    unfinished = folder / (WEIGHTS + ".part")
    save_file(tensors, unfinished)
    # safetensors makes files for their owner only; the service may run as another user.
    unfinished.chmod(0o644)
    unfinished.replace(folder / WEIGHTS)
    write_manifest(folder, manifest)
    (folder / CARD).write_text(_card(manifest, figures), encoding="utf-8")


def _cases(model: SiteModel, pooled: NDArray[np.float32]) -> Iterable[CommissioningCase]:
    keys = [one.key for one in model.classes]
    for row in model.probabilities(pooled).tolist():
        yield CommissioningCase(
            probabilities={key: round(value, 4) for key, value in zip(keys, row, strict=True)}
        )


def _card(manifest: BundleManifest, figures: Figures) -> str:
    rows = []
    for key, f in figures.classes.items():
        low, high = f.auc_interval
        places = "not measured | not measured"
        if f.places is not None:
            places = f"{f.places.pointing:.2f} | {f.places.dice:.2f}"
        rows.append(
            f"| {key} | {f.positives} of {f.known} | {f.auc:.3f} ({low:.3f} to {high:.3f}) "
            f"| {f.average_precision:.3f} | {f.calibration_error:.3f} | {places} |"
        )
    training = "\n".join(f"- {key}: {value}" for key, value in manifest.training.items())
    return _CARD.format(
        disclaimer=manifest.disclaimer,
        title=manifest.title,
        name=manifest.name,
        version=manifest.version,
        rows="\n".join(rows),
        training=training,
    )


_CARD = """{disclaimer}

# {title}

`{name}` {version}

## Held-out figures (patients of whom training and validation saw nothing)

| class | positives of known | AUC (95 %) | AP | ECE | pointing | DICE |
|---|---|---|---|---|---|---|
{rows}

Pointing and DICE are measured where test images have boxes. Without them, where the model looks
was **not** measured: AUC alone does not show it.

## Training

{training}
"""
