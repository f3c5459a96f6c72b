# SPDX-License-Identifier: Apache-2.0
"""Whether a bundle may be served, found out once for what it consists of and kept."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from inference.bundles import Bundle, BundleError, commission
from inference.commissioning.cases import LabelledSetError
from inference.commissioning.criteria import Criteria
from inference.commissioning.figures import Figures, commissioning_set, measure
from inference.serving.events import log

RESULTS = "commissioning.json"
_MOST_KEPT = 200


class Verdict(BaseModel):
    """What commissioning came to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    version: str
    failures: tuple[str, ...]
    figures: Figures


class Results:
    """Verdicts by what they are about, in a file of this node; without a folder nothing is kept.

    A file that can't be read is as good as none: commissioning is done again.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / RESULTS if folder else None

    def get(self, key: str) -> Verdict | None:
        """The verdict under a key."""
        try:
            return Verdict.model_validate(self._all().get(key))
        except ValidationError:
            return None

    def keep(self, key: str, verdict: Verdict) -> None:
        """Keep a verdict; the oldest ones make room."""
        if self._path is None:
            return
        known = {**self._all(), key: verdict.model_dump(mode="json")}
        kept = dict(list(known.items())[-_MOST_KEPT:])
        unfinished = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(json.dumps(kept), encoding="utf-8")
            unfinished.replace(self._path)
        except OSError as error:
            # It is measured again at the next start.
            log("commissioning-not-kept", reason=error.strerror)

    def _all(self) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}


def accept(bundle: Bundle, results: Results) -> Verdict | None:
    """Commission a bundle: it reproduces its recorded answers, then reaches its own criteria.

    The second is measured once per digest, set and machine, and kept.

    Returns
    -------
    Verdict or None
        None for a bundle without criteria.

    Raises
    ------
    BundleError
        It may not be served; the message names every criterion that is not met.
    """
    commission(bundle)
    criteria = bundle.manifest.criteria
    if criteria is None:
        return None
    key = _key(bundle, criteria)
    verdict = results.get(key)
    if verdict is None:
        verdict = examine(bundle, criteria)
        results.keep(key, verdict)
    if verdict.failures:
        raise BundleError(f"it fails commissioning: {'; '.join(verdict.failures)}")
    return verdict


def examine(bundle: Bundle, criteria: Criteria) -> Verdict:
    """Measure a bundle on the set of its criteria.

    Raises
    ------
    BundleError
        The set can't be read.
    """
    engine = bundle.engine
    try:
        figures = measure(bundle, engine, commissioning_set(bundle, engine, criteria.images))
    except LabelledSetError as error:
        raise BundleError(f"it can't be commissioned: {error}") from error
    return Verdict(
        model=bundle.manifest.name,
        version=bundle.manifest.version,
        failures=tuple(figures.failures(criteria)),
        figures=figures,
    )


def _key(bundle: Bundle, criteria: Criteria) -> str:
    """What a verdict depends on: bundle, set, and what computes."""
    import torch  # noqa: PLC0415 - the bundle is loaded already

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    parts = [bundle.digest, torch.__version__, device, str(torch.get_num_threads())]
    folder = bundle.folder / criteria.images.folder
    if criteria.images.folder and folder.is_dir():
        files = sorted(f for f in folder.rglob("*") if f.is_file())
        parts += [f"{f.relative_to(folder)} {s.st_size} {s.st_mtime_ns}"
                  for f in files for s in (f.stat(),)]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
