# SPDX-License-Identifier: Apache-2.0
"""How often a patient's earlier study of the same modality shows the same, in the public corpus.

What a study shows is what the metadata model says of its headers, all series together, as Sidelight
keeps it; both studies of a pair are read by the same model, so its own errors that repeat count as
agreement. Collections image one disease, so a hospital's share is lower.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import parquet

from benchmarks.report import say
from inference.anatomy import Header
from inference.anatomy.learned import shipped_model

MODALITIES = ("CT", "MR", "PT")
FEWEST_PAIRS = 20
MOST_PATIENTS = 200
"""Of one collection: more would not move a mean of collections."""
_TAGS = (
    "Modality", "StudyDescription", "SeriesDescription", "BodyPartExamined", "SOPClassUID",
    "Manufacturer", "ManufacturerModelName",
)  # fmt: skip
_PLACE = ("collection_id", "PatientID", "StudyInstanceUID", "StudyDate")


def measure(corpus: Path) -> dict[str, Any]:
    """Share of pairs of studies, one after the other, that show exactly the same."""
    regions = _regions_by_study(corpus)
    same: dict[str, list[bool]] = defaultdict(list)
    by_modality: dict[str, list[bool]] = defaultdict(list)
    for (collection, _patient, modality), studies in regions.items():
        shown = [found for _, found in sorted(studies.items()) if found]
        for earlier, later in itertools.pairwise(shown):
            same[collection].append(earlier == later)
            by_modality[modality].append(earlier == later)
    means = {
        name: float(np.mean(pairs)) for name, pairs in same.items() if len(pairs) >= FEWEST_PAIRS
    }
    return {
        "collections": len(means),
        "pairs": sum(len(same[name]) for name in means),
        "mean_of_collections": round(float(np.mean(list(means.values()))), 4),
        "quartiles_of_collections": [
            round(float(part), 3) for part in np.quantile(list(means.values()), (0.25, 0.5, 0.75))
        ],
        "by_modality": {
            name: {"pairs": len(pairs), "same": round(float(np.mean(pairs)), 4)}
            for name, pairs in sorted(by_modality.items())
        },
    }


def _regions_by_study(corpus: Path) -> dict[Any, dict[Any, frozenset[str]]]:
    """Regions by (collection, patient, modality) and (date, study)."""
    model = shipped_model()
    known: dict[tuple[str, ...], frozenset[str]] = {}
    found: dict[Any, dict[Any, frozenset[str]]] = defaultdict(dict)
    for row in _rows(corpus):
        tags = tuple(str(row[name] or "") for name in _TAGS)
        if tags not in known:
            header = Header.of({k: v for k, v in zip(_TAGS, tags, strict=True) if v})
            known[tags] = frozenset(model.recognize(header).regions)
        of_patient = found[row["collection_id"], row["PatientID"], row["Modality"]]
        study = (str(row["StudyDate"] or ""), row["StudyInstanceUID"])
        of_patient[study] = of_patient.get(study, frozenset()) | known[tags]
    say(f"{len(known)} distinct headers")
    return found


def _rows(corpus: Path) -> Iterator[dict[str, Any]]:
    """Series of patients with several studies of one modality, a draw of them per collection."""
    filters = [("Modality", "in", MODALITIES)]
    table = parquet.read_table(corpus, columns=[*_PLACE, *_TAGS], filters=filters)
    rows = table.to_pylist()
    studies: dict[Any, set[str]] = defaultdict(set)
    for row in rows:
        key = (row["collection_id"], row["PatientID"], row["Modality"])
        studies[key].add(row["StudyInstanceUID"])
    patients: dict[str, set[str]] = defaultdict(set)
    for (collection, patient, _), several in studies.items():
        if len(several) > 1:
            patients[collection].add(patient)
    rng = random.Random(1)  # noqa: S311 - reproducible
    drawn = {
        collection: set(rng.sample(sorted(several), min(MOST_PATIENTS, len(several))))
        for collection, several in patients.items()
    }
    for row in rows:
        if row["PatientID"] in drawn.get(row["collection_id"], ()):
            yield row
