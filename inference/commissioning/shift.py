# SPDX-License-Identifier: Apache-2.0
"""Whether a site's scores still look like those that a model was set up with.

Per class, the probabilities of the last images are counted between the deciles recorded in the
bundle, and compared by the population stability index, ``PSI = Σ (a - e) · ln(a / e)`` with ``e`` a
tenth each. Below 0.1 nothing has changed, above 0.25 much has (Siddiqi, Credit Risk Scorecards,
2006). Counts hold nothing of any scan.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from inference.contract import AnalysisAnswer
from inference.manifest import BundleManifest
from inference.serving.events import log

WINDOW = 500
ENOUGH = 200
LIMIT = 0.25

_WRITE_EVERY = 25
_BINS = 10
# A count that no bin is without: else one empty bin would weigh without bound.
_SMOOTHING = 0.5


def stability_index(counts: Sequence[int]) -> float:
    """PSI of counts in bins that were equally likely."""
    total = sum(counts) + _SMOOTHING * len(counts)
    expected = 1.0 / len(counts)
    shares = [(count + _SMOOTHING) / total for count in counts]
    return sum((a - expected) * math.log(a / expected) for a in shares)


class ScoreWatch:
    """Counts the scores of one bundle.

    Parameters
    ----------
    manifest:
        With the deciles; a bundle without them is not watched.
    digest:
        Counts of another digest do not count.
    folder:
        Where counts outlast the process; None: nowhere.
    """

    def __init__(self, manifest: BundleManifest, digest: str, folder: Path | None) -> None:
        self._deciles: Mapping[str, Sequence[float]] = manifest.reference or {}
        self._digest = digest
        self._path = folder / f"scores-{manifest.name}.json" if folder else None
        self._windows = {key: deque[int](maxlen=WINDOW) for key in self._deciles}
        self._unwritten = 0
        self._read()

    def add(self, answer: AnalysisAnswer) -> None:
        """Count the images of an answer."""
        for image in answer.images:
            for found in image.classes:
                if found.key in self._windows:
                    self._windows[found.key].append(self._bin(found.key, found.probability))
        self._unwritten += len(answer.images)
        if self._unwritten >= _WRITE_EVERY:
            self.write()

    @property
    def shifts(self) -> dict[str, float]:
        """PSI by class where the last images, if there are enough, differ beyond the limit."""
        found: dict[str, float] = {}
        for key, window in self._windows.items():
            if len(window) >= ENOUGH:
                index = stability_index([window.count(b) for b in range(_BINS)])
                if index > LIMIT:
                    found[key] = round(index, 3)
        return found

    def write(self) -> None:
        """Keep the counts; a folder that can't be written to only shortens the memory."""
        self._unwritten = 0
        if self._path is None or not self._windows:
            return
        content = {
            "digest": self._digest,
            "bins": {key: "".join(map(str, window)) for key, window in self._windows.items()},
        }
        unfinished = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(json.dumps(content), encoding="utf-8")
            unfinished.replace(self._path)
        except OSError as error:
            log("scores-not-kept", reason=error.strerror)
            self._path = None

    def _bin(self, key: str, probability: float) -> int:
        return bisect_right(self._deciles[key], probability)

    def _read(self) -> None:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
            if content.get("digest") == self._digest:
                for key, window in self._windows.items():
                    window.extend(int(digit) for digit in content["bins"].get(key, ""))
        except (OSError, ValueError, KeyError, AttributeError):
            for window in self._windows.values():
                window.clear()
