# SPDX-License-Identifier: Apache-2.0
"""The rows that travel with a site's metadata model, so that it can be judged wherever it lies.

They are de-identified headers with labels. Pseudonyms of patients are left out.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from inference.anatomy.header import CODES, NUMBERS, ORIENTATION, TEXTS
from inference.anatomy.regions import format_regions
from inference.anatomy.training.corpus import Example, read_site_table
from inference.manifest import BundleError

MOST: int = 500
"""Rows kept: with so many a difference of three points shows, and judging takes a fraction of a
second."""
_READ = TEXTS.keys() | NUMBERS.keys() | ORIENTATION.keys() | CODES.keys()
_GROUP, _LABEL, _SOURCE, _WEIGHT = "site", "regions", "label_source", "weight"


def write_held_out(rows: Sequence[Example], path: Path) -> int:
    """Write the labelled rows, at most :data:`MOST`; labels that are not the shipped model's first.

    Only what the model reads of a header goes with it, whatever else a table has. Groups that are
    patients or studies are numbered.

    :returns: how many.
    """
    kept = sorted((row for row in rows if row.right), key=_order)[:MOST]
    tags = sorted({name for row in kept for name in row.values} & _READ)
    columns = (_GROUP, *tags, _LABEL, _SOURCE, _WEIGHT)
    patients = {row.group for row in kept if row.group == row.study}
    numbers = {group: f"patient {at}" for at, group in enumerate(sorted(patients), start=1)}
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        for row in kept:
            label = "/".join(sorted(format_regions(right) for right in row.right))
            told = {_LABEL: label, _SOURCE: row.source, _WEIGHT: f"{row.weight:g}"}
            values = {name: row.values.get(name, "") for name in tags}
            writer.writerow({**values, _GROUP: numbers.get(row.group, row.group), **told})
    return len(kept)


def read_held_out(path: Path) -> list[Example]:
    """Read them.

    :raises BundleError: the table is damaged.
    """
    try:
        return read_site_table(path)
    except (OSError, ValueError, csv.Error) as error:
        raise BundleError(f"{path.name} can't be read: {type(error).__name__}") from None


def _order(row: Example) -> tuple[bool, str]:
    text = "\n".join(f"{name}={row.values[name]}" for name in sorted(row.values))
    return row.source == "tags", sha256(f"{row.group}\n{text}".encode()).hexdigest()
