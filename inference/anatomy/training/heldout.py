# SPDX-License-Identifier: Apache-2.0
"""Writing what the training needs beside the weights: the test table and the attribution.

``python -m inference.anatomy.training.heldout INDEX.parquet TABLE.csv ATTRIBUTION.md``
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from inference.anatomy.regions import format_regions
from inference.anatomy.training.corpus import (
    examples,
    groups_of,
    mixed,
    protocols,
    read_index,
    sidecar_headers,
    withheld,
    written_headers,
)

_COLUMNS = (
    "collection_id",
    "Modality",
    "StudyDescription",
    "SeriesDescription",
    "BodyPartExamined",
)
_MOST = 40
_NUMBER = re.compile(r"\d+")
_OPENNEURO = "openneuro:"


def write_test_table(index: Mapping[str, Sequence[dict[str, str]]], path: Path) -> int:
    """Write distinct headers of the single-anatomy collections that were set aside.

    Headers that differ in numbers alone are one header, to a reader and to every family: a
    collection whose study descriptions are numbers of subjects would count as often as it has any.
    """
    rows = examples(
        {name: _different(of) for name, of in index.items() if _tests(name)}, "test", _MOST
    )
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, (*_COLUMNS, "regions"), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            tags = {key: row.values.get(key, "") for key in _COLUMNS[1:]}
            (right,) = row.right
            writer.writerow({"collection_id": row.group, **tags, "regions": format_regions(right)})
    return len(rows)


def _different(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The first of the headers that differ in numbers alone."""
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        key = tuple(_NUMBER.sub("#", row.get(name, "")) for name in _COLUMNS[1:])
        found.setdefault(key, row)
    return list(found.values())


def _tests(name: str) -> bool:
    return name in protocols() and protocols()[name].part == "test"


def attribution(path: Path, index: Mapping[str, Sequence[dict[str, str]]]) -> str:
    """Collections that the weights or the test table come from, with DOI and licence."""
    import pyarrow.parquet  # noqa: PLC0415 - the train extra

    table = pyarrow.parquet.read_table(
        path, columns=["collection_id", "source_DOI", "license_short_name", "Modality"]
    )
    used = {name for name in protocols() if _tests(name)} | mixed()
    rows = {
        (row["collection_id"], row["source_DOI"], row["license_short_name"])
        for row in table.group_by(["collection_id", "source_DOI", "license_short_name"])
        .aggregate([])
        .to_pylist()
        if row["collection_id"] in index
        and (row["collection_id"] in used or row["collection_id"] not in withheld())
    }
    free = sorted(row for row in rows if row[2] and "NC" not in row[2])
    lines = [
        f"| {name} | [{doi}](https://doi.org/{doi}) | {licence} |" for name, doi, licence in free
    ]
    return "\n".join(["| collection | DOI | licence |", "|---|---|---|", *lines, ""])


def sidecar_attribution() -> str:
    """Data sets that ``sidecars.csv`` comes from; OpenNeuro publishes all under CC0."""
    sets = [name.removeprefix(_OPENNEURO) for name in groups_of(sidecar_headers())]
    lines = [f"| [{name}](https://openneuro.org/datasets/{name}) | CC0 |" for name in sets]
    return "\n".join(["| data set | licence |", "|---|---|", *lines, ""])


def own_headers() -> str:
    """What the written headers are, in words."""
    rows = written_headers()
    return (
        f"{len(rows):,} headers of {len(groups_of(rows))} imaginary departments and trials teach\n"
        "the shipped weights, and others on request (`--written`):\n"
        "`written_headers.csv` and `written_departments.csv` in `inference/anatomy/training`.\n"
        "They were made up one by one for this project, from what is known of how scanners and\n"
        "technologists name series, and without a look at headers that test. Nobody's images lie\n"
        "behind them. Most departments have one manufacturer for each modality, whatever they\n"
        "image. A few names of the first table are those of public trials of which series are in\n"
        "the index (ISPY2, PROSTATEx). Part of Sidelight, Apache-2.0.\n"
    )


def main() -> None:
    """Write both."""
    parquet, table, listed = map(Path, sys.argv[1:4])
    index = read_index(parquet)
    write_test_table(index, table)
    listed.write_text(
        "# Where the anatomy model's headers come from\n\n"
        "Header texts (no pixels) of these collections of the NCI Imaging Data Commons taught the\n"
        "metadata models or test them. Series under a non-commercial licence were left out.\n\n"
        + attribution(parquet, index)
        + "\n## OpenNeuro\n\n"
        "Tags that sidecar files (BIDS, written by dcm2niix) of these data sets keep teach the\n"
        "shipped weights, and others on request (`--sidecars`):\n"
        "`inference/anatomy/training/sidecars.csv`, without stations, dates, identifiers and\n"
        "names of persons. ds002900 and ds002902 are the Spine Generic database, the others show\n"
        "heads. "
        "OpenNeuro publishes its data sets under CC0.\n\n"
        + sidecar_attribution()
        + "\n## Our own\n\n"
        + own_headers(),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
