# SPDX-License-Identifier: Apache-2.0
"""``sidelight anatomy``: recognize the anatomy of headers, and measure how well that goes.

Names of regions are separated by spaces; two-word names have a hyphen: ``upper-limb``.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Annotated, Any, NamedTuple

import typer

from inference.anatomy.calibration import (
    Calibration,
    LabelledHeader,
    format_table,
    measure,
    read_labels,
)
from inference.anatomy.header import TEXTS, Header
from inference.anatomy.learned import AnatomyModelError, MetadataModel, shipped_model
from inference.anatomy.learned.recognizer import shipped_weights
from inference.anatomy.recognizer import Recognizer, TagRecognizer
from inference.anatomy.regions import AnatomyTableError, format_regions
from inference.anatomy.serving.bundle import METADATA
from inference.contract import AnatomyAnswer

app = typer.Typer(help="Recognize the anatomy of scans from their headers.", no_args_is_help=True)

_AT_ONCE = 2_000
_COLUMNS = (
    "source",
    "regions",
    "confidence",
    "body_part_examined",
    "view",
    "laterality",
    "votes",
)

CalibrationOption = Annotated[
    Path | None,
    typer.Option("--calibration", help="Calibration table; the shipped one if left out."),
]
ModelOption = Annotated[
    Path | None,
    typer.Option("--model", help="Weights of a model; the promoted or shipped ones if left out."),
]
ModelsOption = Annotated[
    Path | None,
    typer.Option(
        "--models",
        envvar="SIDELIGHT_MODELS",
        help="Folder of models; the promoted version answers, as in the plugin.",
    ),
]
TablesOption = Annotated[
    bool, typer.Option("--tables-only", help="Lexicon and tables, without the learned model.")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="Write here; standard output else.")]
LabelsOption = Annotated[str, typer.Option("--labels", help="Column with the right regions.")]


class _Named(NamedTuple):
    source: str
    header: Header


@app.command()
def predict(
    headers: Annotated[
        list[Path],
        typer.Argument(help="CSV with DICOM keywords as columns, or DICOM files and folders."),
    ],
    out: OutOption = None,
    calibration: CalibrationOption = None,
    model: ModelOption = None,
    models: ModelsOption = None,
    tables_only: TablesOption = False,
) -> None:
    """Write one row per header: regions, confidence, term, view, laterality, and votes as JSON."""
    if models is not None and not (calibration or model or tables_only):
        recognizer = _promoted(models)
    else:
        recognizer = _recognizer(calibration, model, tables_only)
    with _writing(out) as stream:
        writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        for some in _batches(_all_headers(headers)):
            answers = _answers(recognizer, [named.header for named in some])
            for named, answer in zip(some, answers, strict=True):
                writer.writerow(_row(named.source, answer))


@app.command()
def evaluate(
    labelled: Annotated[Path, typer.Argument(help="CSV with DICOM keywords and labels.")],
    labels: LabelsOption = "regions",
    calibration: CalibrationOption = None,
    model: ModelOption = None,
    tables_only: TablesOption = False,
) -> None:
    """Print how often the answers are exactly right, and how well the confidence fits, as JSON.

    A label is letters (``CAP``) or names (``chest abdomen``); ``/`` separates answers that are
    equally right, ``?`` is undecidable and left out.
    """
    recognizer = _recognizer(calibration, model, tables_only)
    scored = [
        (answer.confidence, frozenset(answer.regions) in header.right)
        for header in _labelled(labelled, labels)
        if header.right
        for answer in [recognizer.recognize(header.header)]
    ]
    if not scored:
        raise typer.BadParameter(f"column {labels!r} labels no header")
    figures = {
        "headers": len(scored),
        "exact": sum(right for _, right in scored) / len(scored),
        "mean_confidence": sum(confidence for confidence, _ in scored) / len(scored),
        "expected_calibration_error": _calibration_error(scored),
    }
    typer.echo(json.dumps({key: round(value, 4) for key, value in figures.items()}))


@app.command()
def calibrate(
    labelled: Annotated[Path, typer.Argument(help="CSV with DICOM keywords and labels.")],
    labels: LabelsOption = "regions",
    out: OutOption = None,
) -> None:
    """Measure on labelled headers how often answers are right, for ``--calibration``."""
    table = measure(_labelled(labelled, labels))
    with _writing(out) as stream:
        stream.write(format_table(table))


def _recognizer(calibration: Path | None, model: Path | None, tables_only: bool) -> Recognizer:
    try:
        measured = Calibration.load(calibration) if calibration else None
    except (AnatomyTableError, OSError, ValueError) as error:
        raise typer.BadParameter(f"{calibration}: {error}") from None
    if tables_only:
        return TagRecognizer(measured)
    try:
        if model is None and measured is None:
            return shipped_model()
        return MetadataModel.load(model or shipped_weights(), measured)
    except (AnatomyModelError, OSError) as error:
        raise typer.BadParameter(f"{model or 'the shipped model'}: {error}") from None


def _promoted(models: Path) -> Recognizer:
    """What a person promoted, else the shipped model; says which, and why not another."""
    from inference.anatomy.serving.served import ServedAnatomy  # noqa: PLC0415 - bundles

    if not models.is_dir():
        raise typer.BadParameter(f"{models} is no folder", param_hint="--models")
    served = ServedAnatomy([models])
    standing = served.standing
    for reason in standing.fallbacks.values():
        typer.echo(reason, err=True)
    typer.echo(f"answered by {METADATA} {standing.versions[METADATA]}", err=True)
    return served.recognizer


def _batches(headers: Iterable[_Named]) -> Iterator[list[_Named]]:
    """Headers in pieces, so that a large table needs little memory."""
    source = iter(headers)
    while some := list(itertools.islice(source, _AT_ONCE)):
        yield some


def _answers(recognizer: Recognizer, headers: list[Header]) -> list[AnatomyAnswer]:
    if isinstance(recognizer, MetadataModel):
        return recognizer.recognize_all(headers)
    return [recognizer.recognize(header) for header in headers]


@contextlib.contextmanager
def _writing(out: Path | None) -> Iterator[IO[str]]:
    if out is None:
        yield sys.stdout
        return
    with out.open("w", encoding="utf-8", newline="") as stream:
        yield stream


def _row(source: str, answer: AnatomyAnswer) -> dict[str, Any]:
    votes = [
        {
            "attribute": vote.attribute,
            "regions": format_regions(vote.regions),
            "weight": round(vote.weight, 3),
        }
        for vote in answer.votes
    ]
    return {
        "source": source,
        "regions": format_regions(answer.regions),
        "confidence": f"{answer.confidence:.4f}",
        "body_part_examined": answer.body_part_examined or "",
        "view": answer.view or "",
        "laterality": answer.laterality or "",
        "votes": json.dumps(votes),
    }


def _all_headers(paths: Iterable[Path]) -> Iterator[_Named]:
    for path in paths:
        if path.suffix.lower() == ".csv":
            for number, row in enumerate(_rows(path), start=1):
                yield _Named(str(number), Header.of(row))
        elif path.exists():
            yield from _dicom_headers(path)
        else:
            raise typer.BadParameter(f"{path} does not exist")


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if not set(reader.fieldnames or ()) & set(TEXTS):
                raise typer.BadParameter(f"{path} has no DICOM keyword as a column")
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise typer.BadParameter(f"{path}: {type(error).__name__}") from None


def _dicom_headers(path: Path) -> Iterator[_Named]:
    import pydicom  # noqa: PLC0415 - tables need no DICOM library, and it takes its time
    from pydicom.errors import InvalidDicomError  # noqa: PLC0415

    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        try:
            dataset = pydicom.dcmread(file, stop_before_pixels=True)
            yield _Named(str(file), Header.of(dataset))
        except (InvalidDicomError, OSError, ValueError, EOFError, AttributeError) as error:
            typer.echo(f"{file}: not read as DICOM ({type(error).__name__})", err=True)


def _labelled(path: Path, labels: str) -> Iterator[LabelledHeader]:
    for number, row in enumerate(_rows(path), start=2):
        if labels not in row:
            raise typer.BadParameter(f"{path} has no column {labels!r}")
        try:
            right = read_labels(row.pop(labels) or "")
        except AnatomyTableError as error:
            raise typer.BadParameter(f"{path}, line {number}: {error}") from None
        yield LabelledHeader(Header.of(row), right)


def _calibration_error(scored: list[tuple[float, bool]], bins: int = 10) -> float:
    """Expected calibration error over bins of equal width (Guo et al., ICML 2017)."""
    groups: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in scored:
        groups.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, right))
    gaps = (
        abs(sum(confidence for confidence, _ in group) - sum(right for _, right in group))
        for group in groups.values()
    )
    return sum(gaps) / len(scored)
