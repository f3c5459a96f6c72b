# SPDX-License-Identifier: Apache-2.0
"""Model bundles: folders with ``model.json``, ``weights.safetensors`` and a model card.

``model.json`` is validated, the weights are read without pickle, and before a bundle is served it
is commissioned: it must reproduce the probabilities recorded with it on images that travel in its
weights file. Reading descriptions does not load torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inference.contract import FindingClass, ModelDescription, Probability, ScanCategory
from inference.heatmap.architecture import HeatMapSettings

MANIFEST = "model.json"
WEIGHTS = "weights.safetensors"
CARD = "README.md"

# The module that runs each kind of bundle, imported when the first one is used.
_ENGINES = {"heatmap": "inference.heatmap.engine"}


class BundleError(Exception):
    """A bundle cannot be served; the message names the bundle's fault and what to do."""


class CommissioningCase(BaseModel):
    """Expected answer on one image that travels with the bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probabilities: dict[str, Probability] = Field(description="by class key")


class Commissioning(BaseModel):
    """What a bundle must reproduce before it is served."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tolerance: float = Field(default=0.05, gt=0.0, lt=0.5)
    cases: tuple[CommissioningCase, ...] = Field(min_length=1)


class BundleManifest(BaseModel):
    """``model.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    kind: Literal["heatmap"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    disclaimer: str = Field(min_length=1)
    works_on: Literal["instance", "series"]
    categories: tuple[ScanCategory, ...] = Field(min_length=1)
    classes: tuple[FindingClass, ...] = Field(min_length=1)
    heatmap: HeatMapSettings
    commissioning: Commissioning
    training: dict[str, Any] = Field(default_factory=dict, description="how it was trained")
    metrics: dict[str, Any] = Field(default_factory=dict, description="held-out figures")

    @model_validator(mode="after")
    def _classes_agree(self) -> Self:
        keys = [c.key for c in self.classes]
        if len(set(keys)) != len(keys):
            raise ValueError("class keys must be unique")
        if set(self.heatmap.calibration) != set(keys):
            raise ValueError("calibration must name exactly the classes")
        for number, case in enumerate(self.commissioning.cases, start=1):
            if set(case.probabilities) != set(keys):
                raise ValueError(f"commissioning case {number} must name exactly the classes")
        return self


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
            levels=m.heatmap.architecture.grids,
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


class Registry(NamedTuple):
    """Bundles by name, and why others are not served (by name, or by folder if unreadable)."""

    served: dict[str, Bundle]
    rejected: dict[str, str]


def shipped_models() -> Path:
    """The folder of the bundles that come with Sidelight."""
    return Path(__file__).parent / "models"


def canonical_json(manifest: BundleManifest) -> bytes:
    """The one spelling of a manifest that is digested."""
    content = manifest.model_dump(mode="json")
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


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
        with (folder / WEIGHTS).open("rb") as weights:
            while block := weights.read(1 << 20):
                digest.update(block)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or MANIFEST
        raise BundleError(f"{MANIFEST} is invalid at {where}: {first['msg']}") from error
    except OSError as error:
        name = Path(error.filename).name if error.filename else MANIFEST
        raise BundleError(f"{name} cannot be read: {error.strerror}") from error
    return Bundle(folder=folder, manifest=manifest, digest=digest.hexdigest())


def write_manifest(folder: Path, manifest: BundleManifest) -> None:
    """Write ``model.json``, readable and complete or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    unfinished = folder / (MANIFEST + ".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(folder / MANIFEST)


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


def load_bundles(
    directories: Iterable[Path],
    *,
    pinned: Mapping[str, str] | None = None,
    commissioned: bool = True,
) -> Registry:
    """Read, verify and commission bundles.

    Parameters
    ----------
    directories:
        Bundle folders, or folders of bundle folders. The first of two with one name wins.
    pinned:
        Digest by bundle name; a bundle that is named here with another digest is rejected.
    commissioned:
        False skips commissioning, and with it loading torch: for listings only.
    """
    served: dict[str, Bundle] = {}
    rejected: dict[str, str] = {}
    for folder in bundle_folders(directories):
        try:
            bundle = read_bundle(folder)
            _admit(bundle, served, pinned or {})
            if commissioned:
                commission(bundle)
            served[bundle.manifest.name] = bundle
        except BundleError as error:
            rejected[folder.name] = str(error)
    return Registry(served, rejected)


def _admit(bundle: Bundle, served: Mapping[str, Bundle], pinned: Mapping[str, str]) -> None:
    name = bundle.manifest.name
    if name in served:
        raise BundleError(f"another bundle is already served as {name}")
    if pinned.get(name, bundle.digest) != bundle.digest:
        raise BundleError("its digest is not the pinned one; it was altered or updated")
