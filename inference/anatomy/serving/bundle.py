# SPDX-License-Identifier: Apache-2.0
"""Bundles of anatomy models: a folder with ``model.json``, weights, and what they are judged by.

There are two models, by the names :data:`METADATA` and :data:`PIXELS`. Both are shipped; a site's
own are versions beside the shipped one. ``model.json`` holds the SHA-256 of every other file, so a
file that was altered afterwards is refused. The digest of a bundle is that of ``model.json`` in
canonical spelling, and is what is signed and pinned.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference.manifest import CARD, COMPARISON, MANIFEST, BundleError
from inference.trust import SIGNATURE

AnatomyModelName = Literal["anatomy-metadata", "anatomy-pixels"]
METADATA: AnatomyModelName = "anatomy-metadata"
PIXELS: AnatomyModelName = "anatomy-pixels"
NAMES: tuple[AnatomyModelName, ...] = (METADATA, PIXELS)

HELD_OUT = "held_out.csv"
"""Rows that the model never learned from, de-identified and labelled."""
_WEIGHTS: dict[AnatomyModelName, str] = {
    METADATA: "metadata.safetensors",
    PIXELS: "body_part.safetensors",
}
_FILES: dict[AnatomyModelName, tuple[str, ...]] = {
    METADATA: (_WEIGHTS[METADATA], HELD_OUT),
    PIXELS: (_WEIGHTS[PIXELS],),
}
_BESIDE = ("report.html", "figures.json", "MODEL_CARD.md", CARD)
_TITLES: dict[AnatomyModelName, str] = {
    METADATA: "Anatomy from metadata, of this site",
    PIXELS: "Anatomy from axial slices, of this site",
}


class AnatomyManifest(BaseModel):
    """``model.json`` of an anatomy model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    kind: Literal["anatomy"]
    name: AnatomyModelName
    version: str = Field(pattern=r"^\d{1,6}\.\d{1,6}\.\d{1,6}$")
    title: str
    files: dict[str, str] = Field(description="SHA-256 by file name, hexadecimal")
    training: dict[str, Any] = Field(default_factory=dict, description="how it was trained")
    metrics: dict[str, Any] = Field(
        default_factory=dict, description="figures on what was held out, beside the shipped model's"
    )


@dataclass(frozen=True)
class AnatomyBundle:
    """A bundle whose files are those that ``model.json`` names.

    :param folder: where it lies.
    :param manifest: its ``model.json``.
    :param digest: SHA-256 over the canonical ``model.json``, hexadecimal.
    """

    folder: Path
    manifest: AnatomyManifest
    digest: str

    @property
    def weights(self) -> Path:
        """The weights file."""
        return self.folder / _WEIGHTS[self.manifest.name]

    @property
    def held_out(self) -> Path:
        """The table that a metadata model is commissioned with."""
        return self.folder / HELD_OUT


def is_anatomy_bundle(folder: Path) -> bool:
    """Whether a folder holds an anatomy model; False for whatever can't be read."""
    try:
        said = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and said.get("kind") == "anatomy"


def weights_name(name: AnatomyModelName) -> str:
    """Name of the weights file of a model."""
    return _WEIGHTS[name]


def files_of(name: AnatomyModelName) -> tuple[str, ...]:
    """Names of the files that the manifest of a model vouches for."""
    return _FILES[name]


def read_anatomy_bundle(folder: Path) -> AnatomyBundle:
    """Read a bundle and check that none of its files was altered; does not load the weights.

    :raises BundleError: a file is missing or altered, or ``model.json`` is invalid.
    """
    try:
        manifest = AnatomyManifest.model_validate_json((folder / MANIFEST).read_bytes())
        if set(manifest.files) != set(_FILES[manifest.name]):
            raise BundleError(f"{MANIFEST} must name exactly {', '.join(_FILES[manifest.name])}")
        for name, digest in manifest.files.items():
            if _digest((folder / name).read_bytes()) != digest:
                raise BundleError(f"{name} was altered since the bundle was made; add it again")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or MANIFEST
        raise BundleError(f"{MANIFEST} is invalid at {where}: {first['msg']}") from error
    except OSError as error:
        name = Path(error.filename).name if error.filename else MANIFEST
        raise BundleError(f"{name} cannot be read: {error.strerror}") from error
    return AnatomyBundle(folder, manifest, _digest(_canonical(manifest)))


def write_anatomy_bundle(
    folder: Path,
    name: AnatomyModelName,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    version: str = "0.1.0",
) -> AnatomyBundle:
    """Make a bundle of a folder that holds the weights and what goes with them.

    :raises BundleError: a file is missing.
    """
    try:
        digests = {file: _digest((folder / file).read_bytes()) for file in _FILES[name]}
    except OSError as error:
        raise BundleError(f"{Path(error.filename).name} is missing") from error
    manifest = AnatomyManifest(
        format=1,
        kind="anatomy",
        name=name,
        version=version,
        title=_TITLES[name],
        files=digests,
        training=dict(training),
        metrics=dict(metrics),
    )
    _write(folder, manifest)
    return read_anatomy_bundle(folder)


def copy_anatomy_bundle(bundle: AnatomyBundle, directory: Path, version: str = "") -> AnatomyBundle:
    """Put a bundle beside the other versions of its model, as ``directory/NAME/VERSION``.

    It keeps its signature and its comparison unless it gets another version.

    :raises FileExistsError: this version is there already.
    :raises BundleError: ``version`` is none.
    """
    manifest = _renumbered(bundle.manifest, version or bundle.manifest.version)
    out = directory / manifest.name / manifest.version
    if out.exists():
        raise FileExistsError(
            f"{manifest.name} {manifest.version} is there already; give another --version"
        )
    same = manifest == bundle.manifest
    aside = out.parent / f".{out.name}.part"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for file in (*manifest.files, *_BESIDE, *((SIGNATURE, COMPARISON) if same else ())):
        if (bundle.folder / file).exists():
            shutil.copy2(bundle.folder / file, aside / file)
    _write(aside, manifest)
    aside.replace(out)
    return read_anatomy_bundle(out)


def _renumbered(manifest: AnatomyManifest, version: str) -> AnatomyManifest:
    try:
        return AnatomyManifest.model_validate(manifest.model_dump() | {"version": version})
    except ValidationError as error:
        raise BundleError(f"version: {error.errors()[0]['msg']}") from error


def _write(folder: Path, manifest: AnatomyManifest) -> None:
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    unfinished = folder / (MANIFEST + ".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(folder / MANIFEST)


def _canonical(manifest: AnatomyManifest) -> bytes:
    content = manifest.model_dump(mode="json")
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
