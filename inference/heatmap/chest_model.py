# SPDX-License-Identifier: Apache-2.0
"""What the shipped chest model looks for, and the folder that training writes for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from inference.contract import CodedConcept, FindingClass, ScanCategory
from inference.heatmap.architecture import Architecture, HeatMapSettings
from inference.heatmap.engine import COMMISSIONING_IMAGES, FAMILIARITY_PREFIX, NETWORK_PREFIX
from inference.heatmap.evaluation import ClassFigures, Operating
from inference.heatmap.familiarity import Familiarity, FamiliarityLimits
from inference.heatmap.network import HeatMapNetwork
from inference.phantoms import FINDINGS

NAME = "chest-phantom"
VERSION = "0.3.0"
DISCLAIMER = "Trained on phantoms, not for clinical use."

# Name, SNOMED CT code and meaning, severity, colour.
_CLASSES: dict[str, tuple[str, str, str, int, tuple[int, int, int]]] = {
    "nodule": ("Lung nodule", "786838002", "Nodule of lung", 2, (255, 196, 0)),
    "consolidation": ("Consolidation", "95436008", "Lung consolidation", 2, (255, 96, 48)),
    "pleural-effusion": ("Pleural effusion", "60046008", "Pleural effusion", 2, (64, 160, 255)),
    "pneumothorax": ("Pneumothorax", "36118008", "Pneumothorax", 3, (224, 64, 224)),
    "cardiomegaly": ("Cardiomegaly", "8186001", "Cardiomegaly", 1, (64, 208, 128)),
}


def finding_classes(operating: dict[str, Operating]) -> tuple[FindingClass, ...]:
    """The classes in the order of the network's outputs, with their thresholds."""
    return tuple(
        FindingClass(
            key=key,
            name=_CLASSES[key][0],
            code=CodedConcept(value=_CLASSES[key][1], scheme="SCT", meaning=_CLASSES[key][2]),
            threshold=operating[key].threshold,
            patch_threshold=operating[key].patch_threshold,
            severity=_CLASSES[key][3],
            colour=_CLASSES[key][4],
        )
        for key in FINDINGS
    )


class TrainedModel:
    """Everything that a bundle is written from."""

    def __init__(
        self,
        network: HeatMapNetwork,
        operating: dict[str, Operating],
        familiarity: Familiarity,
        limits: FamiliarityLimits,
        figures: dict[str, ClassFigures],
    ) -> None:
        self.network = network
        self.operating = operating
        self.familiarity = familiarity
        self.limits = limits
        self.figures = figures

    def settings(self) -> HeatMapSettings:
        """The heat-map part of ``model.json``."""
        architecture: Architecture = self.network.architecture
        calibration = {key: self.operating[key].calibration for key in FINDINGS}
        return HeatMapSettings(
            architecture=architecture, calibration=calibration, familiarity=self.limits
        )


def write_bundle(
    folder: Path,
    model: TrainedModel,
    commissioning: tuple[NDArray[np.uint8], list[dict[str, float]]],
    training: dict[str, Any],
    metrics: dict[str, Any],
) -> None:
    """Write weights, ``model.json`` and model card.

    Parameters
    ----------
    folder:
        The bundle, made if missing; replaced file by file.
    model:
        What was trained.
    commissioning:
        ``(K, size, size)`` squares and the expected probabilities on them.
    training, metrics:
        Recorded as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images, answers = commissioning
    unfinished = folder / (WEIGHTS + ".part")
    save_file(_tensors(model, images), unfinished)
    # safetensors makes files for their owner only; the service may run as another user.
    unfinished.chmod(0o644)
    manifest = _manifest(model, answers, training, metrics)
    unfinished.replace(folder / WEIGHTS)
    write_manifest(folder, manifest)
    (folder / CARD).write_text(model_card(manifest, model.figures), encoding="utf-8")


def _tensors(model: TrainedModel, images: NDArray[np.uint8]) -> dict[str, Tensor]:
    """All that goes into the weights file, under the engine's prefixes."""
    tensors = {
        NETWORK_PREFIX + name: weight.detach().cpu().contiguous()
        for name, weight in model.network.state_dict().items()
    }
    for name, array in model.familiarity.to_arrays().items():
        tensors[FAMILIARITY_PREFIX + name] = from_numpy(np.ascontiguousarray(array))
    tensors[COMMISSIONING_IMAGES] = from_numpy(np.ascontiguousarray(images))
    return tensors


def _manifest(
    model: TrainedModel,
    answers: list[dict[str, float]],
    training: dict[str, Any],
    metrics: dict[str, Any],
) -> BundleManifest:
    categories = (ScanCategory(modalities=("CR", "DX"), regions=("chest",), views=("PA", "AP")),)
    cases = tuple(CommissioningCase(probabilities=answer) for answer in answers)
    return BundleManifest(
        format=1,
        kind="heatmap",
        name=NAME,
        version=VERSION,
        title="Chest radiograph findings (phantom-trained)",
        disclaimer=DISCLAIMER,
        works_on="instance",
        categories=categories,
        classes=finding_classes(model.operating),
        heatmap=model.settings(),
        commissioning=Commissioning(cases=cases),
        training=training,
        metrics=metrics,
    )


def model_card(manifest: BundleManifest, figures: dict[str, ClassFigures]) -> str:
    """The bundle's README.md."""
    names = {c.key: c for c in manifest.classes}
    rows = [
        f"| {names[key].name} | {f.positives} | {f.auc:.3f} | {f.average_precision:.3f} "
        f"| {f.sensitivity:.2f} / {f.specificity:.2f} | {f.calibration_error:.3f} "
        f"| {f.pointing:.2f} | {f.dice:.2f} | {100 * f.lit_present:.1f} % "
        f"| {100 * f.true_area:.1f} % | {100 * f.lit_absent:.1f} % |"
        for key, f in figures.items()
    ]
    training = "\n".join(f"- {key}: {value}" for key, value in manifest.training.items())
    metrics = "\n".join(
        f"- {key}: {value}" for key, value in manifest.metrics.items() if key != "classes"
    )
    return _CARD.format(
        disclaimer=manifest.disclaimer,
        title=manifest.title,
        name=manifest.name,
        version=manifest.version,
        rows="\n".join(rows),
        training=training,
        metrics=metrics,
    )


_CARD = """{disclaimer}

# {title}

`{name}` {version} shows where and how probably a frontal chest radiograph holds a lung nodule, a
consolidation, a pleural effusion, a pneumothorax or an enlarged heart. It exists to show and test
the whole way from scan to result. **It has never seen a patient's image**: its training, validation
and test images are procedural phantoms, and nothing here says how it would do on real radiographs.
It abstains from images that do not resemble its phantoms, as most real radiographs do not.

## Held-out figures (phantoms of seeds that training never saw)

| class | n | AUC | AP | sens. / spec. | ECE | pointing | DICE | lit | true area | lit if absent |
|---|---|---|---|---|---|---|---|---|---|---|
{rows}

n: positives. AP: average precision. ECE: expected calibration error. Pointing: the highest patch
lies on the finding. DICE: continuous, of the patch probabilities. Lit: share of the image at or
above the patch threshold where the finding is present. Thresholds and calibration were set on
validation phantoms, not on these. The map of an enlarged heart shows where it reaches beyond a
normal one, a third of it: that is what tells it apart, and no outline told the network more.

{metrics}

## Training

{training}

Input: a 256 x 256 square (letterboxed, bright is dense). Output: maps of 64, 32, 16 and 8 patches a
side, and one calibrated probability per class, pooled from the finest map by LSE-LBA. `model.json`
holds the classes with their SNOMED CT codes, thresholds and the images' categories; the weights
file also holds the commissioning images, whose recorded probabilities must be reproduced before the
bundle is served.
"""
