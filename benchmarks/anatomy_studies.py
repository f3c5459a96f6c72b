# SPDX-License-Identifier: Apache-2.0
"""Headers that test the anatomy model, each in its study.

``.venv/bin/python -m benchmarks.anatomy_studies idc_index.parquet`` writes ``STUDIES`` anew: for
each header that tests, the other series of one study of the public index that holds it, same
modality. Series under a non-commercial licence are left out, so some headers stand alone.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.anatomy_headers import MIXED, PROTOCOL, Labelled, read
from inference.anatomy import Header
from inference.anatomy.learned import MetadataModel
from inference.anatomy.training.corpus import Example
from inference.anatomy.training.studies import others_in_index

STUDIES = Path(__file__).parent / "data" / "anatomy_test_studies.csv"
_TAGS = ("Modality", "StudyDescription", "SeriesDescription", "BodyPartExamined")
_MOST = 24
"""Other series of one study; a model hears fewer."""
Scores = npt.NDArray[np.float64]


def _name(row: Labelled) -> str:
    """A short name of a header, the same wherever its table lies."""
    text = "\x1f".join((row.collection, *(row.tags.get(tag, "") for tag in _TAGS)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def studies() -> dict[str, list[dict[str, str]]]:
    """The other series of the study of each header, by the header's name."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    with STUDIES.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            found[row.pop("of")].append({tag: value for tag, value in row.items() if value})
    return found


def score_in_study(model: MetadataModel, rows: Sequence[Labelled], left_out: str = "") -> Scores:
    """Whether the set is exactly right, header by header, each in its study.

    :param left_out: a tag that is taken from all series of the study.
    """
    known = studies()
    headers: list[Header] = []
    of: list[int] = []
    first: list[int] = []
    for at, row in enumerate(rows):
        first.append(len(headers))
        for tags in (row.tags, *known.get(_name(row), ())):
            headers.append(Header.of({tag: v for tag, v in tags.items() if tag != left_out}))
            of.append(at)
    answers = model.recognize_studies(headers, of)
    right = [
        frozenset(answers[at].regions) in row.right for at, row in zip(first, rows, strict=True)
    ]
    return np.array(right, np.float64)


def write(index: Path) -> int:
    """Write the table of studies; how many headers have one."""
    rows = [*read(MIXED), *read(PROTOCOL)]
    tested = [Example(row.collection, row.tags, row.right) for row in rows]
    having = 0
    with STUDIES.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ("of", *_TAGS), lineterminator="\n")
        writer.writeheader()
        for row, others in zip(rows, others_in_index(tested, index), strict=True):
            having += bool(others)
            for tags in others[:_MOST]:
                writer.writerow({"of": _name(row), **tags})
    return having


if __name__ == "__main__":
    sys.stdout.write(f"{write(Path(sys.argv[1]))} headers have other series beside them\n")
