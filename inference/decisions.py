# SPDX-License-Identifier: Apache-2.0
"""Decide about a version of a model, from the command line or through the service."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from inference.anatomy.serving.bundle import NAMES as ANATOMY_MODELS
from inference.anatomy.serving.bundle import is_anatomy_bundle, read_anatomy_bundle
from inference.bundles import commission, read_bundle, shipped_models
from inference.contract import DecisionTaken, ModelVersion, ModelVersions, VersionDecision
from inference.manifest import COMPARISON, MANIFEST, BundleError
from inference.versions import VersionError, Versions

State = Literal["served", "waiting", "rejected", "earlier"]


def versions_in(directory: Path, name: str) -> Versions:
    """The versions of a model.

    Raises
    ------
    VersionError
        There are none, or the decisions of before can't be read.
    """
    folder = directory / name
    if not Versions.is_one(folder):
        raise VersionError(
            f"{directory.name} holds no versions of {name}: put bundles at {name}/VERSION in it"
        )
    try:
        return Versions(folder)
    except BundleError as error:
        raise VersionError(str(error)) from error


def decide(directory: Path, name: str, decision: VersionDecision) -> Versions:
    """Promote or reject a version, or roll back; what is promoted is commissioned first.

    Raises
    ------
    VersionError
        What was asked is not possible.
    BundleError
        The version does not pass its commissioning.
    OSError
        The folder can't be written.
    """
    versions = versions_in(directory, name)
    elsewhere = _is_shipped(name)
    by, reason, version = decision.by, decision.reason, decision.version
    if decision.action == "roll-back":
        return versions.roll_back(by, reason, elsewhere=elsewhere)
    if decision.action == "reject":
        return versions.reject(version, by, reason, elsewhere=elsewhere)
    digest = _commissioned(versions.folder / version) if version in versions.all else ""
    return versions.promote(version, by, reason, elsewhere=elsewhere, digest=digest)


def _commissioned(folder: Path) -> str:
    """Digest of a bundle that passed."""
    if is_anatomy_bundle(folder):
        from inference.anatomy.serving.commissioning import prove  # noqa: PLC0415 - phantoms

        anatomy = read_anatomy_bundle(folder)
        prove(anatomy)
        return anatomy.digest
    bundle = read_bundle(folder)
    commission(bundle)
    return bundle.digest


def _is_shipped(name: str) -> bool:
    return name in ANATOMY_MODELS or (shipped_models() / name / MANIFEST).exists()


def described(versions: Versions) -> ModelVersions:
    """All versions with what was decided about them, newest first."""
    serving = versions.serving
    last = {decision.version: decision for decision in serving.decisions}
    found = []
    for version in versions.all:
        decision = last.get(version)
        taken = (
            None if decision is None else DecisionTaken(**decision.model_dump(exclude={"digest"}))
        )
        compared = (versions.folder / version / COMPARISON).is_file()
        found.append(
            ModelVersion(
                version=version,
                state=state_of(versions, version),
                decision=taken,
                compared=compared,
            )
        )
    return ModelVersions(name=versions.folder.name, versions=tuple(found))


def state_of(versions: Versions, version: str) -> State:
    """``served``, ``rejected``, ``waiting`` for a person, or ``earlier``."""
    serving = versions.serving
    if version == _served(versions):
        return "served"
    if version in serving.rejected:
        return "rejected"
    waiting = versions.undecided(elsewhere=_is_shipped(versions.folder.name))
    return "waiting" if version in waiting else "earlier"


def _served(versions: Versions) -> str | None:
    """The version that should be served; None where that is the shipped model."""
    if versions.serving.current or _is_shipped(versions.folder.name):
        return versions.serving.current
    return next(iter(versions.to_try), None)


def folders_of_versions(directories: Iterable[Path]) -> dict[str, Path]:
    """By the model's name, the directory that holds its versions; the first one counts."""
    found: dict[str, Path] = {}
    for directory in directories:
        if not directory.is_dir():
            continue
        for folder in sorted(directory.iterdir()):
            if Versions.is_one(folder):
                found.setdefault(folder.name, directory)
    return found
