# SPDX-License-Identifier: Apache-2.0
"""Versions of models that a person promotes, rejects or rolls back through the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.contract import ModelVersions, VersionDecision
from inference.decisions import decide, described, folders_of_versions, versions_in
from inference.manifest import COMPARISON, BundleError
from inference.serving.errors import ServiceError
from inference.serving.events import log
from inference.versions import VersionError


@dataclass(frozen=True)
class VersionDesk:
    """Lists and decides, in the folders of bundles that the service reads."""

    folders: Sequence[Path] = ()

    def all(self) -> list[ModelVersions]:
        """Every model with versions.

        Raises
        ------
        ServiceError
            Decisions of before can't be read.
        """
        places = folders_of_versions(self.folders)
        try:
            return [described(versions_in(places[name], name)) for name in sorted(places)]
        except VersionError as error:
            raise ServiceError(409, "versions-unreadable", str(error)) from error

    def comparison(self, name: str, version: str) -> str:
        """How a version compares with the one before it, as JSON.

        Raises
        ------
        ServiceError
            There is no such version, or it was not compared.
        """
        # Looked up here: it brings torch, which the service loads while it answers already.
        from inference.commissioning.comparison import Comparison  # noqa: PLC0415

        folder = self._place(name) / name
        # Only what the folder lists: a version is part of a path.
        if version not in versions_in(folder.parent, name).all:
            raise ServiceError(404, "unknown-version", "there is no such version of this model")
        try:
            text = (folder / version / COMPARISON).read_text(encoding="utf-8")
            return Comparison.model_validate_json(text).model_dump_json()
        except FileNotFoundError:
            raise ServiceError(
                404,
                "not-compared",
                "this version was not compared; 'sidelight models compare --keep' does it",
            ) from None
        except (OSError, ValueError) as error:
            raise ServiceError(
                409, "comparison-unreadable", f"{COMPARISON} of this version can't be read"
            ) from error

    def decide(self, name: str, decision: VersionDecision) -> ModelVersions:
        """Take a decision; the service loads what it changes within seconds.

        Raises
        ------
        ServiceError
            It is not possible.
        """
        directory = self._place(name)
        try:
            versions = decide(directory, name, decision)
        except VersionError as error:
            raise ServiceError(409, "not-possible", str(error)) from error
        except BundleError as error:
            raise ServiceError(409, "fails-commissioning", str(error)) from error
        except OSError as error:
            raise ServiceError(
                409,
                "models-not-writable",
                "the service may not write the folder of models; use 'sidelight models "
                f"{decision.action.replace('-', '')}' as who owns it",
            ) from error
        log("version-decided", model=name, version=decision.version, action=decision.action)
        return described(versions)

    def _place(self, name: str) -> Path:
        place = folders_of_versions(self.folders).get(name)
        if place is None:
            raise ServiceError(404, "unknown-model", "no versions of such a model are kept here")
        return place
