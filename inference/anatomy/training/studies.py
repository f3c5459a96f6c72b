# SPDX-License-Identifier: Apache-2.0
"""Headers in their studies: who the siblings are, and how they are shown.

The index of the public corpus says which series are of one study, and so does a site's table. In
the tables of this package a study is what one site calls the same, of one modality and of the same
regions; they were written examination by examination.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from inference.anatomy.evidence import evidence
from inference.anatomy.header import Header
from inference.anatomy.header_table import SERIES, STUDY
from inference.anatomy.learned.siblings import MOST_SIBLINGS, Sibling, sibling_of
from inference.anatomy.learned.study import InStudy
from inference.anatomy.training.augmentation import Habits, misspelt, taught
from inference.anatomy.training.batches import Lesson, Shown, seen
from inference.anatomy.training.corpus import CorpusError, Example, read_series

_TOLD_APART = ("Modality", "StudyDescription", "SeriesDescription", "BodyPartExamined")
_STUDIES_SAY = (
    "StudyDescription",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
)
_HEARD: Final = (1, 2, 3, 4, 6, 8, MOST_SIBLINGS)
"""How many siblings are shown: studies are short as often as long."""
_UNREAD = 0.3
_MISSPELT = 0.06
_Key = tuple[str, ...]


def with_siblings(rows: Sequence[Example]) -> list[Example]:
    """Examples of a table with the other series of their studies; those without are left out.

    A study is what is of one group, modality, study description and label.
    """
    together: dict[Any, list[Example]] = defaultdict(list)
    for row in rows:
        study = row.values.get("StudyDescription", "")
        together[row.group, row.values.get("Modality"), study, row.right].append(row)
    return _among_each_other(together.values())


def in_their_studies(rows: Sequence[Example], column: str = STUDY) -> list[Example]:
    """Examples with the other series of their studies and modality; those without are left out.

    :param column: of a site's table, which says of which study a series is. Of the rows of one
        series, if Series Instance UID says so, the first is taken.
    :raises CorpusError: if no header has a value there, or no series has others beside it.
    """
    together: dict[tuple[str, str], dict[str, Example]] = defaultdict(dict)
    for at, row in enumerate(rows):
        if study := row.values.get(column, "").strip():
            series = row.values.get(SERIES, "").strip() or str(at)
            together[study, row.values.get("Modality", "")].setdefault(series, row)
    if not together:
        raise CorpusError(
            f"no header has a value in {column}; name the column that says which series are of "
            "one study with --study"
        )
    found = _among_each_other([list(study.values()) for study in together.values()])
    if not found:
        raise CorpusError(f"no series has another of its modality in one study (column {column})")
    return found


def _among_each_other(studies: Iterable[Sequence[Example]]) -> list[Example]:
    found = []
    for study_rows in studies:
        said = [_sibling(row.values) for row in study_rows]
        for at, row in enumerate(study_rows):
            found.append(_with(row, [*said[:at], *said[at + 1 :]]))
    return [row for row in found if row.siblings]


def with_siblings_of_index(rows: Sequence[Example], path: Path) -> list[Example]:
    """Examples of the index, each with the other series of one study; those without are left out.

    :param path: ``idc_index.parquet``.
    :raises CorpusError: if the file has not the columns.
    """
    heard: dict[_Key, Sibling] = {}
    found = []
    for row, others in zip(rows, others_in_index(rows, path), strict=True):
        for values in others:
            if _key(values) not in heard:
                heard[_key(values)] = _sibling(values)
        found.append(_with(row, [heard[_key(values)] for values in others]))
    return [row for row in found if row.siblings]


def others_in_index(rows: Sequence[Example], path: Path) -> list[list[dict[str, str]]]:
    """Headers of the other series of one study and of the same modality, for each example.

    Of the studies that hold a header one is taken by a digest of its identifier, so by chance but
    always the same.

    :param path: ``idc_index.parquet``.
    :raises CorpusError: if the file has not the columns.
    """
    wanted = {(row.group, *_key(row.values)) for row in rows}
    groups = {row.group for row in rows}
    table = [
        (row["collection_id"], _key(row), row["StudyInstanceUID"])
        for row in read_series(path, ("StudyInstanceUID", *_TOLD_APART))
        if row["collection_id"] in groups
    ]
    chosen: dict[_Key, tuple[int, str]] = {}
    for group, key, study in table:
        if (group, *key) in wanted:
            at = (crc32(study.encode()), study)
            chosen[group, *key] = min(chosen.get((group, *key), at), at)
    needed = {(study, key[1]) for key, (_, study) in chosen.items()}
    held: dict[tuple[str, str], set[_Key]] = defaultdict(set)
    for _, key, study in table:
        if (study, key[0]) in needed:
            held[study, key[0]].add(key)
    found = []
    for row in rows:
        own = _key(row.values)
        _, study = chosen.get((row.group, *own), (0, ""))
        others = sorted(held.get((study, own[0]), set()) - {own})
        found.append([_values(key) for key in others])
    return found


def _values(key: _Key) -> dict[str, str]:
    return {name: value for name, value in zip(_TOLD_APART, key, strict=True) if value}


def _key(values: Mapping[str, Any]) -> _Key:
    return tuple(str(values.get(name) or "") for name in _TOLD_APART)


def _sibling(values: Mapping[str, str]) -> Sibling:
    header = Header.of({key: value for key, value in values.items() if value})
    return sibling_of(header, evidence(header))


def _with(row: Example, siblings: Iterable[Sibling]) -> Example:
    return replace(row, siblings=tuple(one for one in dict.fromkeys(siblings) if one.speaks))


def study_epoch(
    taken: Sequence[Lesson], size: int, rng: random.Random, habits: Habits
) -> list[Shown[InStudy]]:
    """Draw ``size`` headers in their studies, both altered as other sites might send them."""
    drawn = rng.choices(taken, weights=[one.weight for one in taken], k=size)
    return [Shown(_in_study(one.example, rng, habits), one.target) for one in drawn]


def _in_study(example: Example, rng: random.Random, habits: Habits) -> InStudy:
    values = taught(example.values, rng, habits)
    slots = seen(values, rng, habits)
    count = min(len(example.siblings), rng.choice(_HEARD))
    siblings = rng.sample(example.siblings, count)
    # Who leaves a tag out of one series leaves it out of all.
    silent = {"tag"} if "BodyPartExamined" not in values else set()
    silent |= set() if any(tag in values for tag in _STUDIES_SAY) else {"study"}
    unread = rng.random() < _UNREAD
    return InStudy(slots, [_altered(one, silent, rng, unread=unread) for one in siblings])


def _altered(one: Sibling, silent: set[str], rng: random.Random, *, unread: bool) -> Sibling:
    name = misspelt(one.name, rng) if one.name and rng.random() < _MISSPELT else one.name
    readings = () if unread else tuple(r for r in one.readings if _source(r) not in silent)
    return Sibling(name, readings)


def _source(reading: str) -> str:
    return reading.split(":")[1].removesuffix("?")
