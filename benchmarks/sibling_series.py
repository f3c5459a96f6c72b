# SPDX-License-Identifier: Apache-2.0
"""How often most series of a study show what another series of it shows, in the public corpus.

Series whose own words name a region with confidence stand for what they show; the others of the
same study and modality are asked as the plugin asks them (``plugin.anatomy.siblings``). Collections
follow one disease, so a hospital's share is probably lower.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import parquet

from benchmarks.report import say
from inference.anatomy import Header
from inference.anatomy.learned import shipped_model
from inference.anatomy.learned.recognizer import Opinion
from plugin.anatomy.siblings import AGREED_BY, SURE_FROM

MODALITIES = ("CT", "MR", "PT")
SURELY = 0.9
"""Confidence of a series whose answer stands for what it shows."""
FEWEST = 20
"""Series of a collection that counts."""
MOST_STUDIES, MOST_SERIES = 60, 30
_TAGS = (
    "Modality", "StudyDescription", "SeriesDescription", "BodyPartExamined", "SOPClassUID",
    "Manufacturer", "ManufacturerModelName",
)  # fmt: skip


def measure(corpus: Path) -> dict[str, Any]:
    """Share of series that show just what most of their siblings show, by collection."""
    rng = random.Random(5)  # noqa: S311 - reproducible
    shares = []
    for _, studies in sorted(_studies(corpus).items()):
        several = [key for key in sorted(studies) if len(studies[key]) > 1]
        drawn = rng.sample(several, min(MOST_STUDIES, len(several)))
        same = [one for key in drawn for one in _same(studies[key][:MOST_SERIES])]
        if len(same) >= FEWEST:
            shares.append(float(np.mean(same)))
    say(f"siblings in {len(shares)} collections")
    return {
        "collections": len(shares),
        "mean_of_collections": round(float(np.mean(shares)), 4),
        "quartiles_of_collections": [
            round(float(part), 3) for part in np.quantile(shares, (0.25, 0.5, 0.75))
        ],
    }


def _studies(corpus: Path) -> dict[str, dict[str, list[Header]]]:
    columns = ["collection_id", "StudyInstanceUID", *_TAGS]
    filters = [("Modality", "in", MODALITIES)]
    found: dict[str, dict[str, list[Header]]] = defaultdict(lambda: defaultdict(list))
    for row in parquet.read_table(corpus, columns=columns, filters=filters).to_pylist():
        held = found[row["collection_id"]][row["StudyInstanceUID"]]
        if len(held) < MOST_SERIES:
            held.append(Header.of({tag: str(row[tag]) for tag in _TAGS if row[tag]}))
    return found


def _same(headers: Sequence[Header]) -> list[bool]:
    """For each series that is sure and has siblings who can tell: whether they say the same."""
    opinions = shipped_model().opinions(headers)
    answers = []
    for one in opinions:
        siblings = [other for other in opinions if other is not one and _is_heard(other, one)]
        if not one.decision.regions or one.pooled.confidence < SURELY or not siblings:
            continue
        named, times = Counter(other.pooled.regions for other in siblings).most_common(1)[0]
        if times >= AGREED_BY * len(siblings):
            answers.append(named == one.pooled.regions)
    return answers


def _is_heard(other: Opinion, one: Opinion) -> bool:
    return (
        other.header.modality == one.header.modality
        and bool(other.decision.regions)
        and other.pooled.confidence >= SURE_FROM
    )
