# SPDX-License-Identifier: Apache-2.0
"""Versions of a model side by side, and which of them a person wants to be served.

A folder of bundles may hold, beside bundles, a folder per model with one bundle per version and
``serving.json``::

    models/chest-findings/0.1.0/   a bundle
    models/chest-findings/0.2.0/   a bundle
    models/chest-findings/serving.json

Without ``serving.json`` the newest version is served. With it, the promoted one; newer versions
wait until a person promotes or rejects them. A version that may not be served falls back to the one
that was promoted before it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference.manifest import MANIFEST, BundleError

SERVING = "serving.json"

Action = Literal["promoted", "rejected", "rolled-back"]

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_Decided = tuple[Action, str, str, str]
"""What is decided, about which version, by whom and why."""


class VersionError(Exception):
    """What was asked of a version is not possible; the message says why."""


class Decision(BaseModel):
    """What a person decided about a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    version: str
    at: str
    by: str
    reason: str = ""
    digest: str = Field(default="", description="of the bundle that was promoted")


class Serving(BaseModel):
    """``serving.json``: the versions promoted so far, last one last, and every decision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    promoted: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = Field(default=())

    @property
    def current(self) -> str | None:
        """The version that should be served."""
        return self.promoted[-1] if self.promoted else None


class Versions:
    """The versions of one model.

    Parameters
    ----------
    folder:
        With one bundle per version.

    Raises
    ------
    BundleError
        ``serving.json`` is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.serving = _read(folder)

    @classmethod
    def is_one(cls, folder: Path) -> bool:
        """Whether a folder holds versions of a model."""
        return folder.is_dir() and (
            (folder / SERVING).exists()
            or any(_VERSION.fullmatch(f.name) and (f / MANIFEST).exists() for f in folder.iterdir())
        )

    @property
    def all(self) -> list[str]:
        """All versions that are there, newest first."""
        names = [f.name for f in self.folder.iterdir() if (f / MANIFEST).exists()]
        return sorted(filter(_VERSION.fullmatch, names), key=_ordered, reverse=True)

    @property
    def to_try(self) -> list[str]:
        """Versions in the order in which they may be served: the wanted one, then its fallbacks."""
        there = self.all
        if self.serving.current is None:
            return [version for version in there if version not in self.serving.rejected]
        return [version for version in reversed(self.serving.promoted) if version in there]

    @property
    def waiting(self) -> list[str]:
        """Versions that no person has decided about, while another one is promoted."""
        if self.serving.current is None:
            return []
        decided = {*self.serving.promoted, *self.serving.rejected}
        decided |= {d.version for d in self.serving.decisions}
        return [version for version in self.all if version not in decided]

    def undecided(self, *, elsewhere: bool) -> list[str]:
        """Versions that wait for a person.

        Where the model is also there ``elsewhere`` that one is served while none is promoted, and
        every version waits that nobody has decided about.
        """
        if self.serving.current is not None or not elsewhere:
            return self.waiting
        decided = {decision.version for decision in self.serving.decisions}
        return [version for version in self.all if version not in decided]

    def digest_of(self, version: str) -> str:
        """Digest of a version when it was promoted last; empty where none was kept."""
        promoted = [d for d in self.serving.decisions if d.version == version]
        return next((d.digest for d in reversed(promoted) if d.action == "promoted"), "")

    def promote(
        self,
        version: str,
        by: str,
        reason: str = "",
        *,
        elsewhere: bool = False,
        digest: str = "",
    ) -> Self:
        """Let a version be served from now on.

        ``elsewhere`` says that the model is also there outside of this folder, and served so far.
        ``digest`` is that of the bundle that is meant.

        Raises
        ------
        VersionError
            It is not there, or is served already.
        """
        self._require(version)
        if version == self.serving.current:
            raise VersionError(f"{version} is promoted already")
        before = self.serving.promoted
        if not before and not elsewhere:
            # What was served until now, for want of a decision, is what to fall back to.
            before = tuple(v for v in reversed(self.to_try) if v != version)[-1:]
        promoted = (*(v for v in before if v != version), version)
        rejected = tuple(v for v in self.serving.rejected if v != version)
        decided: _Decided = ("promoted", version, by, reason)
        return self._decide(promoted, rejected, decided, digest)

    def reject(self, version: str, by: str, reason: str = "", *, elsewhere: bool = False) -> Self:
        """Never serve a version; the one before it, if it was promoted.

        ``elsewhere`` says that the model is also there outside of this folder, to be served then.

        Raises
        ------
        VersionError
            It is not there, or nothing would be left to serve.
        """
        self._require(version)
        promoted = tuple(v for v in self.serving.promoted if v != version)
        others = [v for v in self.to_try if v != version]
        if not promoted and not others and not elsewhere:
            raise VersionError(
                f"{version} is the only one that can be served; promote another first"
            )
        rejected = tuple(dict.fromkeys((*self.serving.rejected, version)))
        return self._decide(promoted, rejected, ("rejected", version, by, reason))

    def roll_back(self, by: str, reason: str = "", *, elsewhere: bool = False) -> Self:
        """Serve the version that was promoted before the present one.

        Where none was, but the model is there ``elsewhere``, that one is served again.

        Raises
        ------
        VersionError
            There is none.
        """
        promoted = self.serving.promoted
        earlier = [v for v in promoted[:-1] if v in self.all]
        if not promoted or not (earlier or elsewhere):
            raise VersionError("no earlier version was promoted that is still there")
        kept = promoted[: promoted.index(earlier[-1]) + 1] if earlier else ()
        rejected = self.serving.rejected if earlier else (*self.serving.rejected, promoted[-1])
        return self._decide(kept, rejected, ("rolled-back", promoted[-1], by, reason))

    def _require(self, version: str) -> None:
        if version not in self.all:
            there = ", ".join(self.all) or "none"
            raise VersionError(
                f"there is no version {version} of {self.folder.name}; there: {there}"
            )

    def _decide(
        self,
        promoted: tuple[str, ...],
        rejected: tuple[str, ...],
        decided: _Decided,
        digest: str = "",
    ) -> Self:
        action, version, by, reason = decided
        decision = Decision(
            action=action, version=version, at=_now(), by=by, reason=reason, digest=digest
        )
        decisions = (*self.serving.decisions, decision)
        self.serving = Serving(promoted=promoted, rejected=rejected, decisions=decisions)
        unfinished = self.folder / (SERVING + ".part")
        unfinished.write_text(self.serving.model_dump_json(indent=2) + "\n", encoding="utf-8")
        unfinished.replace(self.folder / SERVING)
        return self


def _read(folder: Path) -> Serving:
    try:
        return Serving.model_validate_json((folder / SERVING).read_bytes())
    except FileNotFoundError:
        return Serving()
    except (OSError, ValidationError) as error:
        raise BundleError(f"{SERVING} can't be read; put it right or remove it") from error


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
