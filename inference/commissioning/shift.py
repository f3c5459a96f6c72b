# SPDX-License-Identifier: Apache-2.0
"""Whether a site's scores still look like those that a model was set up with.

Per class, the probabilities of the last images are counted between the deciles recorded in the
bundle, and compared by the population stability index, ``PSI = Σ (a - e) · ln(a / e)`` with ``e`` a
tenth for each decile. Below 0.1 nothing has changed, above 0.25 much has (Siddiqi, Credit Risk
Scorecards, 2006). Counts hold nothing of any scan.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from inference.contract import AnalysisAnswer
from inference.manifest import BundleManifest
from inference.serving.events import log

WINDOW = 500
ENOUGH = 200
LIMIT = 0.25

_WRITE_EVERY = 25
# A count that no bin is without: else one empty bin would weigh without bound.
_SMOOTHING = 0.5


class Bins(NamedTuple):
    """Bins of probabilities.

    Attributes
    ----------
    edges:
        Rising, between the bins; a probability on an edge lies in the upper one.
    shares:
        What lay in each bin on the images of the set-up.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]


def bins_of(deciles: Sequence[float]) -> Bins | None:
    """The bins between nine deciles; None where they tell nothing apart.

    A sure model gives most images without a finding the same lowest probability. Deciles that tie
    there are the bottom and bound nothing; what ties further up is one edge.
    """
    first = {value: rank for rank, value in reversed(list(enumerate(deciles, 1)))}
    if deciles.count(deciles[0]) > 1:
        del first[deciles[0]]
    if not first:
        return None
    below = [0.0, *(rank / 10.0 for _, rank in sorted(first.items())), 1.0]
    return Bins(tuple(sorted(first)), tuple(b - a for a, b in pairwise(below)))


def stability_index(counts: Sequence[int], shares: Sequence[float]) -> float:
    """PSI of counts in bins that had these shares."""
    total = sum(counts) + _SMOOTHING * len(counts)
    found = [(count + _SMOOTHING) / total for count in counts]
    return sum((a - e) * math.log(a / e) for a, e in zip(found, shares, strict=True))


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
        made = {key: bins_of(deciles) for key, deciles in (manifest.reference or {}).items()}
        self._bins = {key: bins for key, bins in made.items() if bins is not None}
        self._digest = digest
        self._path = folder / f"scores-{manifest.name}.json" if folder else None
        self._windows = {key: deque[int](maxlen=WINDOW) for key in self._bins}
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
                shares = self._bins[key].shares
                counts = [window.count(number) for number in range(len(shares))]
                index = stability_index(counts, shares)
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
        return bisect_right(self._bins[key].edges, probability)

    def _read(self) -> None:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
            if content.get("digest") == self._digest:
                for key, window in self._windows.items():
                    window.extend(int(digit) for digit in content["bins"].get(key, ""))
        except (OSError, ValueError, KeyError, AttributeError):
            for window in self._windows.values():
                window.clear()
