# SPDX-License-Identifier: Apache-2.0
"""Headers to learn from: the public corpus, and a site's own table.

The public corpus is the index of the NCI Imaging Data Commons (package ``idc-index-data``): header
texts of a million series, without pixels. Series under a non-commercial licence are left out, since
the weights are free. The index has few heads and hardly a spine, and its headers are those of
trials. Two tables beside it teach the shipped weights, too: MR headers that sidecar files of
OpenNeuro keep (``sidecars.csv``), and made-up headers of imaginary departments, as scanners and
technologists write them (``written_headers.csv``, ``written_departments.csv``). Labels of the index
are of two kinds. *Protocol* labels hold for collections that image one anatomy by their published
protocol (``protocols.csv``); *silver* labels are what the lexicon reads.
Collections are in training or in test as a whole, related ones together, because headers of one
collection repeat themselves: a random split of rows measures memory.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

from inference.anatomy.calibration import read_labels
from inference.anatomy.header import TEXTS, Header
from inference.anatomy.header_table import HeaderTableError, keyword_of, numbered_rows_of
from inference.anatomy.learned.siblings import Sibling
from inference.anatomy.regions import AnatomyTableError, Regions, parse_letters
from inference.anatomy.training.table_columns import (
    ASIDE,
    COLLECTION,
    LABEL,
    PATIENT,
    SITE,
    SOURCE,
    WEIGHT,
    own_name,
    tells_patients_apart,
    weight_of,
    with_own_columns,
)
from inference.header_source import LabelSource

Part = Literal["train", "test"]
_COLUMNS = (
    "Modality",
    "StudyDescription",
    "SeriesDescription",
    "BodyPartExamined",
    "SOPClassUID",
    "Manufacturer",
    "ManufacturerModelName",
)
_WRITTEN = {"written_headers.csv": 1.0, "written_departments.csv": 0.3}
"""How much a header counts: the second table is six times as long, and with full weight the breasts
of collections that were held out became other anatomies (0.938 of them right instead of 0.989)."""
_DISTINGUISHING = _COLUMNS[:4]
_IMAGES = frozenset(("CT", "MR", "MG", "CR", "PT", "DX", "US", "NM", "XA", "RF"))
_NON_COMMERCIAL = "NC"
_STUDY = "StudyInstanceUID"
_MOST_NAMED = 40


class CorpusError(ValueError):
    """The corpus cannot be read or is not what was expected; the message says what to do."""


class Protocol(NamedTuple):
    """What a collection images by its published protocol."""

    family: str
    modalities: frozenset[str]
    regions: Regions
    part: Part


@dataclass(frozen=True, slots=True)
class Example:
    """One distinct header of a collection or site.

    ``group`` is what it is held out with; empty where a table does not say. ``weight`` is how much
    the label counts in training, 0 to 1. ``right`` holds the answers that count as right; it is
    empty where only the lexicon labels it.
    """

    group: str
    values: Mapping[str, str]
    right: frozenset[Regions]
    weight: float = 1.0
    source: LabelSource = "site"
    """Who gave the label."""
    study: str = ""
    """What the row belongs to where its group alone can't be split: a patient or study, if said."""
    siblings: tuple[Sibling, ...] = ()
    """The other series of its study and modality, where they are known."""
    public: bool = False
    """Of the public corpus or the tables of this package: the label says what a whole collection
    is for, and what the lexicon reads may say more of this series. A site's label is of this one.
    """

    @property
    def is_truth(self) -> bool:
        """Whether a label, if there is one, tells right from wrong: a tag model's own does not."""
        return self.source != "tags"

    @property
    def header(self) -> Header:
        """The header as recognizers take it."""
        return Header.of(self.values)


@cache
def protocols() -> Mapping[str, Protocol]:
    """Protocol of every single-anatomy collection.

    :raises AnatomyTableError: if related collections are in different parts.
    """
    table = {
        row["collection_id"]: Protocol(
            row["family"],
            frozenset(row["modalities"].split()),
            parse_letters(row["regions"]),
            "test" if row["part"] == "test" else "train",
        )
        for row in _rows("protocols.csv")
    }
    parts: dict[str, set[Part]] = defaultdict(set)
    for protocol in table.values():
        parts[protocol.family].add(protocol.part)
    torn = sorted(family for family, of in parts.items() if len(of) > 1)
    if torn:
        raise AnatomyTableError(f"protocols.csv: {', '.join(torn)} is in both parts")
    return table


@cache
def withheld() -> frozenset[str]:
    """Collections that nothing is learned from: those that test, animals, phantoms."""
    tested = {name for name, protocol in protocols().items() if protocol.part == "test"}
    return frozenset(row["collection_id"] for row in _rows("withheld.csv")) | tested


@cache
def mixed() -> frozenset[str]:
    """Collections of several anatomies, whose headers test."""
    rows = _rows("withheld.csv")
    return frozenset(row["collection_id"] for row in rows if row["why"].startswith("mixed"))


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("inference.anatomy.training").joinpath(name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


def read_index(path: Path) -> dict[str, list[dict[str, str]]]:
    """Distinct image headers by collection, from ``idc_index.parquet``.

    :raises CorpusError: if the file has not the columns.
    """
    found: dict[str, dict[tuple[str, ...], dict[str, str]]] = defaultdict(dict)
    for row in read_series(path, _COLUMNS):
        values = {name: str(row[name]) for name in _COLUMNS if row[name]}
        key = tuple(values.get(name, "") for name in _DISTINGUISHING)
        found[row["collection_id"]].setdefault(key, values)
    return {name: [of[key] for key in sorted(of)] for name, of in sorted(found.items())}


def read_series(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Columns of every series of images that is not under a non-commercial licence.

    :param path: ``idc_index.parquet``.
    :raises CorpusError: if the file has not the columns.
    """
    import pyarrow.parquet  # noqa: PLC0415 - the train extra

    try:
        table = pyarrow.parquet.read_table(
            path, columns=list({"collection_id", "license_short_name", "Modality", *columns})
        )
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(f"no index of the Imaging Data Commons: {type(error).__name__}") from None
    for batch in table.to_batches(max_chunksize=50_000):
        for row in batch.to_pylist():
            free = _NON_COMMERCIAL not in (row["license_short_name"] or _NON_COMMERCIAL)
            if free and row["Modality"] in _IMAGES:
                yield row


def examples(
    index: Mapping[str, Sequence[dict[str, str]]], part: Part, most: int, seed: int = 0
) -> list[Example]:
    """Examples of one part, at most ``most`` per collection, drawn at random.

    The test part holds the protocol collections that were set aside, with all their labels; the
    training part holds everything that is not withheld.
    """
    drawn: list[Example] = []
    for name, rows in index.items():
        protocol = protocols().get(name)
        wanted = protocol is not None and protocol.part == "test"
        if wanted != (part == "test") or (part == "train" and name in withheld()):
            continue
        if protocol is not None and part == "test":
            usable = [row for row in rows if row["Modality"] in protocol.modalities]
        else:
            usable = list(rows)
        rng = random.Random(f"{seed} {name}")  # noqa: S311 - a reproducible sample
        chosen = usable if len(usable) <= most else rng.sample(usable, most)
        drawn += [_example(name, values, protocol) for values in chosen]
    return drawn


def _example(name: str, values: dict[str, str], protocol: Protocol | None) -> Example:
    labelled = protocol is not None and values["Modality"] in protocol.modalities
    right = frozenset((protocol.regions,)) if labelled and protocol else frozenset[Regions]()
    return Example(name, values, right, public=True)


def read_site_table(
    path: Path,
    group: str = "",
    encoding: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Example]:
    """Read a site's own headers: DICOM keywords as columns, ``regions`` as label.

    :param group: column that says which rows belong together (a scanner, a department, a
        collection); rows are split by it. Left out, it is ``site`` or ``collection_id``, and
        without those the patient or study decides. Rows without a value have no group.
    :param encoding: of the file; found out where left out.
    :param say: is told where the encoding is a guess, and which column is not what its name says.
    :raises CorpusError: for a table without keywords, labels or that column, or a label that is no
        region; the message names the line.
    """
    try:
        numbered = list(numbered_rows_of(path, encoding, say))
    except HeaderTableError as error:
        raise CorpusError(str(error)) from None
    if not numbered:
        raise CorpusError(f"{path} has no row below the line that names the columns")
    rows = with_own_columns([row for _, row in numbered], lambda text: say(f"{path}: {text}"))
    columns = rows[0].keys()
    if LABEL not in columns or not columns & TEXTS.keys():
        raise CorpusError(
            f"{path} needs DICOM keywords as columns, and {LABEL}; it has {_listed(columns)}"
        )
    by = _group_column(path, columns, group)
    return [
        _site_example(row, by, f"{path}, line {line}")
        for (line, _), row in zip(numbered, rows, strict=True)
    ]


def _group_column(path: Path, columns: Collection[str], group: str) -> str:
    """The column by which a table is grouped; empty where patients or studies have to do."""
    if not group:
        return next((name for name in (SITE, COLLECTION) if name in columns), "")
    for name in (group, keyword_of(group), own_name(group)):
        if name in columns:
            return name
    raise CorpusError(f"{path} has no column {group}; name another as group: {_listed(columns)}")


def _listed(columns: Iterable[str]) -> str:
    named = [name for name in columns if name]
    return ", ".join(named[:_MOST_NAMED]) + (", …" if len(named) > _MOST_NAMED else "")


def _site_example(row: dict[str, str], by: str, where: str) -> Example:
    try:
        right = read_labels(row.pop(LABEL))
    except AnatomyTableError as error:
        raise CorpusError(f"{where}: {error}") from None
    source = _source(row.pop(SOURCE, ""), where)
    weight = _weight(row.pop(WEIGHT, "") or "1", where)
    group = row.get(by, "").strip()
    patient = row.pop(PATIENT, "").strip() or row.get(_STUDY, "").strip()
    values = {key: value for key, value in row.items() if value and key not in ASIDE}
    if tells_patients_apart(by):
        patient = group  # as where no column is named: it is numbered, and named nowhere
    return Example(group if by else patient, values, right, weight, source, patient)


def _source(text: str, where: str) -> LabelSource:
    for known in get_args(LabelSource):
        if text in ("", known):
            return "site" if not text else cast("LabelSource", known)
    raise CorpusError(f"{where}: label_source is one of {', '.join(get_args(LabelSource))}")


def _weight(text: str, where: str) -> float:
    weight = weight_of(text)
    if weight is None:
        raise CorpusError(f"{where}: a weight is above 0 and at most 1")
    return weight


def sidecar_headers() -> list[Example]:
    """MR headers of BIDS data sets, as dcm2niix wrote them beside the images; a set is a group.

    Labels are what the set images by its description. Manufacturers are spelt as devices do, which
    dcm2niix shortens. Stations, dates, identifiers and names of persons were never taken over.
    """
    path = files("inference.anatomy.training").joinpath("sidecars.csv")
    return [replace(row, public=True) for row in read_site_table(Path(str(path)), COLLECTION)]


def written_headers() -> list[Example]:
    """Headers that were made up one by one for this training; an imaginary site is a group.

    A site has one manufacturer for most of what a modality images, so that a manufacturer does not
    stand for an anatomy. Nobody's images lie behind them.
    """
    return [_written(row, weight) for name, weight in _WRITTEN.items() for row in _rows(name)]


def _written(row: dict[str, str], weight: float) -> Example:
    right = frozenset((parse_letters(row.pop("regions")),))
    site = row.pop("site")
    values = {keyword: value for keyword, value in row.items() if value}
    return Example(f"written:{site}", values, right, weight, public=True)


def groups_of(rows: Iterable[Example]) -> list[str]:
    """Names of the groups that are known, sorted."""
    return sorted({row.group for row in rows} - {""})
