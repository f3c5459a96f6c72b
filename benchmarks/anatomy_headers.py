# SPDX-License-Identifier: Apache-2.0
"""Headers that test the metadata model: of collections that nothing was trained on."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from inference.anatomy import Header
from inference.anatomy.calibration import read_labels
from inference.anatomy.regions import Regions
from inference.anatomy.training.augmentation import corrupted

_HERE = Path(__file__).parent
MIXED = _HERE.parent.parent / "shared" / "data" / "anatomy_headers_dev.csv"
PROTOCOL = _HERE / "data" / "anatomy_protocol_test.csv"
_NOT_TAGS = ("regions", "collection_id")
PLANTED = 0.2


class Labelled(NamedTuple):
    """Tags of a header, the collection, and the answers that are right."""

    collection: str
    tags: dict[str, str]
    right: frozenset[Regions]

    @property
    def header(self) -> Header:
        """The header as recognizers take it."""
        return Header.of(self.tags)


def read(path: Path) -> list[Labelled]:
    """Read labelled headers; undecidable ones are left out, an absent file gives none."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [
            Labelled(
                row["collection_id"],
                {key: value for key, value in row.items() if value and key not in _NOT_TAGS},
                read_labels(row["regions"]),
            )
            for row in csv.DictReader(stream)
        ]
    return [row for row in rows if row.right]


def without(rows: Sequence[Labelled], tag: str) -> list[Labelled]:
    """The same headers with one tag left out."""
    return [
        row._replace(tags={key: value for key, value in row.tags.items() if key != tag})
        for row in rows
    ]


def with_faults(rows: Sequence[Labelled], seed: int = 1) -> list[Labelled]:
    """The same headers, a fifth of them with a typo, swapped or blank tags, and so on."""
    rng = random.Random(seed)  # noqa: S311 - reproducible faults
    changed = []
    for row in rows:
        if rng.random() < PLANTED:
            regions = min(row.right, key=sorted)
            changed.append(row._replace(tags=corrupted(row.tags, regions, rng)))
        else:
            changed.append(row)
    return changed


def varied(
    rows: Sequence[Labelled], count: int, vary: Callable[..., dict[str, str]]
) -> list[Header]:
    """As many headers as wanted, varied from the test headers so that few are the same."""
    rng = random.Random(2)  # noqa: S311 - reproducible variation
    return [Header.of(vary(rng.choice(rows).tags, rng)) for _ in range(count)]
