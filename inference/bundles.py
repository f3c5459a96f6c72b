# SPDX-License-Identifier: Apache-2.0
"""Model bundles: folders with ``model.json``, ``weights.safetensors`` and a model card.

One that others trained has its program beside the weights.

``model.json`` is validated, the weights are read without pickle, and before a bundle is served it
is commissioned: it must reproduce the probabilities recorded with it on images that travel in its
weights file. Reading descriptions does not load torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from inference.contract import ModelDescription
from inference.manifest import (
    CARD,
    MANIFEST,
    WEIGHTS,
    BundleError,
    BundleManifest,
    Commissioning,
    CommissioningCase,
    canonical_json,
    write_manifest,
)

__all__ = [
    "CARD",
    "MANIFEST",
    "WEIGHTS",
    "Bundle",
    "BundleError",
    "BundleManifest",
    "Commissioning",
    "CommissioningCase",
    "bundle_folders",
    "canonical_json",
    "commission",
    "read_bundle",
    "shipped_models",
    "write_manifest",
]

# The module that runs each kind of bundle, imported when the first one is used.
_ENGINES = {"heatmap": "inference.heatmap.engine", "imported": "inference.imported.engine"}


@dataclass(frozen=True)
class Bundle:
    """A bundle whose ``model.json`` is valid and whose weights are present.

    Attributes
    ----------
    folder:
        Where it lies.
    manifest:
        Its ``model.json``.
    digest:
        SHA-256 over the canonical ``model.json`` and the weights, hexadecimal.
    """

    folder: Path
    manifest: BundleManifest
    digest: str

    @property
    def description(self) -> ModelDescription:
        """What the service tells about it."""
        m = self.manifest
        return ModelDescription(
            name=m.name,
            version=m.version,
            title=m.title,
            disclaimer=m.disclaimer,
            digest=self.digest,
            works_on=m.works_on,
            categories=m.categories,
            classes=m.classes,
            levels=m.grids,
        )

    @property
    def weights(self) -> Path:
        """The weights file."""
        return self.folder / WEIGHTS

    @cached_property
    def engine(self) -> Any:
        """The loaded model, e.g. a ``HeatMapEngine``; loads torch and the weights on first use.

        Raises
        ------
        BundleError
            If the weights do not fit ``model.json``.
        """
        return import_module(_ENGINES[self.manifest.kind]).load_engine(self)


def shipped_models() -> Path:
    """The folder of the bundles that come with Sidelight."""
    return Path(__file__).parent / "models"


def read_bundle(folder: Path) -> Bundle:
    """Read and validate one bundle; does not load torch.

    Raises
    ------
    BundleError
        If a file is missing or ``model.json`` is invalid.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
        digest = hashlib.sha256()
        manifest = BundleManifest.model_validate_json(text)
        digest.update(canonical_json(manifest))
        for name in manifest.files:
            with (folder / name).open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or MANIFEST
        raise BundleError(f"{MANIFEST} is invalid at {where}: {first['msg']}") from error
    except OSError as error:
        name = Path(error.filename).name if error.filename else MANIFEST
        raise BundleError(f"{name} cannot be read: {error.strerror}") from error
    return Bundle(folder=folder, manifest=manifest, digest=digest.hexdigest())


def commission(bundle: Bundle) -> None:
    """Load a bundle and let it prove itself on its commissioning images.

    Raises
    ------
    BundleError
        If it does not load, or a probability deviates by more than the tolerance.
    """
    expected = bundle.manifest.commissioning
    answers: list[dict[str, float]] = bundle.engine.commissioning_answers()
    if len(answers) != len(expected.cases):
        raise BundleError(
            f"{len(answers)} commissioning images but {len(expected.cases)} expected answers; "
            "install the bundle again"
        )
    for number, (case, answer) in enumerate(zip(expected.cases, answers, strict=True), start=1):
        for key, probability in case.probabilities.items():
            if not abs(answer[key] - probability) <= expected.tolerance:
                raise BundleError(
                    f"commissioning image {number}: {key} came out as {answer[key]:.3f}, "
                    f"recorded is {probability:.3f}; install the bundle again"
                )


def bundle_folders(directories: Iterable[Path]) -> list[Path]:
    """Folders with a ``model.json``: the directories themselves, else those right inside them."""
    folders: list[Path] = []
    for directory in directories:
        if (directory / MANIFEST).exists():
            folders.append(directory)
        elif directory.is_dir():
            folders += sorted(f for f in directory.iterdir() if (f / MANIFEST).exists())
    return folders
