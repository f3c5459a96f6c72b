# SPDX-License-Identifier: Apache-2.0
"""How well and how fast the anatomy is recognized, from tags and from pixels.

``.venv/bin/python -m benchmarks.anatomy --json [--quick]``

Accuracy is measured on collections that nothing was trained on: headers of mixed collections that
were read by hand, and headers of single-anatomy collections labelled by their published protocol.
The figures are of headers that stand alone. The details have the same of headers in their studies,
where a series that names nothing leans on the others, and of both tables with a collection counted
once, however many headers it has.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from benchmarks import anatomy_pixels
from benchmarks.anatomy_headers import (
    MIXED,
    PROTOCOL,
    Labelled,
    read,
    varied,
    with_faults,
    without,
)
from benchmarks.anatomy_peers import NgramPeers
from benchmarks.anatomy_studies import score_in_study
from benchmarks.report import arguments, finish, say
from inference.anatomy import Header
from inference.anatomy.learned import MetadataModel, shipped_model
from inference.anatomy.lexicon import lexicon_digest
from inference.anatomy.training.augmentation import taught

Scores = npt.NDArray[np.float64]
_WEIGHTS = ("metadata.safetensors", "study.safetensors")
_FLAGGED = 0.10
_WANTED = 0.97


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "")
    model = shipped_model()
    mixed, protocol = read(MIXED), read(PROTOCOL)
    say(f"{len(mixed)} mixed headers, {len(protocol)} by protocol")
    figures, details = _accuracy(model, mixed, protocol)
    figures |= _speed(model, [*mixed, *protocol], 1_000 if options.quick else 5_000)
    figures |= _size()
    pixels, of_pixels = anatomy_pixels.measure(quick=options.quick)
    details |= of_pixels | {"lexicon_sha256": lexicon_digest(), "family": model.described["family"]}
    finish(figures | pixels, details)


def _accuracy(
    model: MetadataModel, mixed: Sequence[Labelled], protocol: Sequence[Labelled]
) -> tuple[dict[str, float], dict[str, object]]:
    rows = [*mixed, *protocol]
    weights = np.concatenate([np.full(len(p), 1 / len(p)) for p in (mixed, protocol) if p])
    confidence, right = score(model, rows)
    figures = {
        "mixed_exact": score(model, mixed)[1].mean() if mixed else None,
        "protocol_exact": score(model, protocol)[1].mean(),
        "loss_without_bodypart": _loss(model, rows, without(rows, "BodyPartExamined"), weights),
        "loss_without_series_description": _loss(
            model, rows, without(rows, "SeriesDescription"), weights
        ),
        "coverage_at_97": coverage(confidence, right, _WANTED),
        "ece": calibration_error(confidence, right),
        "flag_recall_at_10pct": flag_recall(confidence, right, _FLAGGED),
        "loss_corrupted": _loss(model, rows, with_faults(rows), weights),
    }
    by_collection = {
        name: round(
            float(
                np.mean([r for row, r in zip(rows, right, strict=True) if row.collection == name])
            ),
            3,
        )
        for name in Counter(row.collection for row in protocol)
    }
    details = {
        "headers": {"mixed": len(mixed), "protocol": len(protocol)},
        "in_study": _in_study(model, mixed, protocol),
        "protocol_by_collection": by_collection,
        "protocol_mean_of_collections": round(statistics.mean(by_collection.values()), 4),
    }
    return {
        key: None if value is None else round(float(value), 4) for key, value in figures.items()
    }, details


def _in_study(
    model: MetadataModel, mixed: Sequence[Labelled], protocol: Sequence[Labelled]
) -> dict[str, float]:
    """Share of exact answers of headers in their studies, whole and with one tag left out."""
    return {
        f"{name}_{what}": round(float(score_in_study(model, rows, left_out).mean()), 4)
        for name, rows in (("mixed", mixed), ("protocol", protocol))
        if rows
        for what, left_out in (
            ("exact", ""),
            ("without_bodypart", "BodyPartExamined"),
            ("without_series_description", "SeriesDescription"),
        )
    }


def score(model: MetadataModel, rows: Sequence[Labelled]) -> tuple[Scores, Scores]:
    """Confidence and whether the set is exactly right, row by row."""
    answers = model.recognize_all([row.header for row in rows])
    right = [frozenset(a.regions) in row.right for a, row in zip(answers, rows, strict=True)]
    return np.array([a.confidence for a in answers]), np.array(right, np.float64)


def _loss(
    model: MetadataModel, before: Sequence[Labelled], after: Sequence[Labelled], weights: Scores
) -> float:
    """Share of exact answers lost; mixed and protocol headers count half each."""
    lost = score(model, before)[1] - score(model, after)[1]
    return float((lost * weights).sum() / weights.sum())


def coverage(confidence: Scores, right: Scores, wanted: float) -> float:
    """Largest share of answers, most confident first, of which ``wanted`` are right."""
    order = np.argsort(-confidence, kind="stable")
    exact = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.nonzero(exact >= wanted)[0]
    return (int(enough.max()) + 1) / len(order) if len(enough) else 0.0


def calibration_error(confidence: Scores, right: Scores, bins: int = 10) -> float:
    """Expected calibration error over bins of equal width (Guo et al., ICML 2017)."""
    at = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[at == b].sum() - right[at == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(confidence))


def flag_recall(confidence: Scores, right: Scores, flagged: float) -> float:
    """Share of the wrong answers among the least confident ``flagged`` of all."""
    count = int(len(right) * flagged)
    least = np.argsort(confidence, kind="stable")[:count]
    wrong = 1.0 - right
    return float(wrong[least].sum() / max(1.0, wrong.sum()))


def _speed(model: MetadataModel, rows: Sequence[Labelled], count: int) -> dict[str, float]:
    single = []
    for row in rows:
        begun = time.perf_counter()
        model.recognize(Header.of(row.tags))
        single.append(time.perf_counter() - begun)
    headers = varied(rows, count, taught)
    peers = NgramPeers(rows)
    say("throughput")
    ours = _rows_per_second(lambda: model.recognize_all(headers), count)
    texts = [peers.text(header) for header in headers]
    linear = _rows_per_second(lambda: peers.linear(texts), count)
    forest = _rows_per_second(lambda: peers.forest(texts), count)
    return {
        "single_us": round(statistics.median(single) * 1e6, 1),
        "rows_per_s": round(ours),
        "rows_vs_ngram_lr": round(ours / linear, 2),
        "rows_vs_random_forest": round(ours / forest, 2),
    }


def _rows_per_second(work: object, count: int) -> float:
    begun = time.process_time()
    work()  # type: ignore[operator]
    return count / (time.process_time() - begun)


_LOADING = """
import time
from pathlib import Path
import numpy, pydantic
from safetensors.numpy import load_file
from inference.anatomy import Header, lexicon, regions, views
from inference.anatomy.learned import recognizer, study
def resident():
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024
before, begun = resident(), time.perf_counter()
model = recognizer.shipped_model()
study.shipped_study_model()
loaded = time.perf_counter() - begun
headers = [{"Modality": "CT", "StudyDescription": "CT CHEST ABDOMEN"}]
headers += [{"Modality": "CT", "SeriesDescription": "B30f"}]
model.recognize_study([Header.of(header) for header in headers])
print(loaded * 1000, resident() - before, resident())
"""


def _size() -> dict[str, float]:
    """Weights of both models on disk; time to load them and memory they take, in a process."""
    runs = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", _LOADING], capture_output=True, text=True, check=True
        )
        runs.append([float(value) for value in done.stdout.split()])
    load_ms, rss, whole = (statistics.median(column) for column in zip(*runs, strict=True))
    say(f"whole process {whole:.0f} MB")
    stored = files("inference.anatomy") / "data"
    return {
        "model_mb": round(sum(len((stored / name).read_bytes()) for name in _WEIGHTS) / 1e6, 2),
        "load_ms": round(load_ms, 1),
        "model_rss_mb": round(rss, 1),
    }


if __name__ == "__main__":
    main()
