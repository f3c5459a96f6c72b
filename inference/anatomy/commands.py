# SPDX-License-Identifier: Apache-2.0
"""``sidelight anatomy``: recognize the anatomy of headers, and measure how well that goes.

Names of regions are separated by spaces; two-word names have a hyphen: ``upper-limb``.
"""

from __future__ import annotations

import contextlib
import csv
import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
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
from inference.anatomy.header import Header
from inference.anatomy.header_table import SERIES, STUDY, HeaderTableError, rows_of
from inference.anatomy.learned import AnatomyModelError, MetadataModel, shipped_model
from inference.anatomy.learned.recognizer import shipped_weights
from inference.anatomy.learned.study import StudyModel
from inference.anatomy.recognizer import Recognizer, TagRecognizer
from inference.anatomy.regions import AnatomyTableError, format_regions
from inference.anatomy.serving.bundle import METADATA
from inference.contract import AnatomyAnswer

app = typer.Typer(help="Recognize the anatomy of scans from their headers.", no_args_is_help=True)

_AT_ONCE = 2_000
_TABLES = (".csv", ".tsv", ".tab", ".txt")
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
StudyModelOption = Annotated[
    Path | None,
    typer.Option(
        "--study-model", help="Weights of a model of studies; the shipped ones if left out."
    ),
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


EncodingOption = Annotated[
    str | None,
    typer.Option(help="Of the tables, e.g. cp1250; UTF-8 or found out if left out."),
]


class _Named(NamedTuple):
    source: str
    header: Header
    study: str | None = None
    """Study Instance UID, where it is said: series of a study lean on each other."""
    series: str | None = None
    """Series Instance UID, where it is said: images of a series don't."""


@app.command()
def predict(  # noqa: PLR0913, PLR0917 - a command's options are its arguments
    headers: Annotated[
        list[Path],
        typer.Argument(help="CSV with DICOM keywords as columns, or DICOM files and folders."),
    ],
    out: OutOption = None,
    calibration: CalibrationOption = None,
    model: ModelOption = None,
    models: ModelsOption = None,
    study_model: StudyModelOption = None,
    tables_only: TablesOption = False,
    encoding: EncodingOption = None,
) -> None:
    """Write one row per header: regions, confidence, term, view, laterality, and votes as JSON.

    Series that say nothing of an anatomy lean on their study, where Study Instance UID says which
    that is; rows of one study have to follow each other.
    """
    if tables_only and study_model:
        raise typer.BadParameter("goes with a model of headers", param_hint="--study-model")
    if models is not None and not (calibration or model or study_model or tables_only):
        recognizer = _promoted(models)
    else:
        recognizer = _recognizer(calibration, model, tables_only, study_model)
    batches = _batches(_all_headers(headers, encoding))
    # Before the answers are opened: what can't be read leaves those of another day as they are.
    first = next(batches, [])
    _require_headers(headers, first)
    _require_another_file(headers, out)
    with _writing(out) as stream:
        writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        for some in chain([first], batches):
            for named, answer in zip(some, _answers(recognizer, some), strict=True):
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


def _recognizer(
    calibration: Path | None,
    model: Path | None,
    tables_only: bool,
    study_model: Path | None = None,
) -> Recognizer:
    try:
        measured = Calibration.load(calibration) if calibration else None
    except (AnatomyTableError, OSError, ValueError) as error:
        raise typer.BadParameter(f"{calibration}: {error}") from None
    if tables_only:
        return TagRecognizer(measured)
    try:
        if model is None and measured is None and study_model is None:
            return shipped_model()
        study = StudyModel.load(study_model) if study_model else None
    except (AnatomyModelError, OSError) as error:
        raise typer.BadParameter(f"{study_model or 'the shipped model'}: {error}") from None
    try:
        return MetadataModel.load(model or shipped_weights(), measured, study)
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
    """Headers in pieces, so that a large table needs little memory; no study is cut in two."""
    some: list[_Named] = []
    for named in headers:
        if len(some) >= _AT_ONCE and (named.study is None or named.study != some[-1].study):
            yield some
            some = []
        some.append(named)
    if some:
        yield some


def _answers(recognizer: Recognizer, some: Sequence[_Named]) -> list[AnatomyAnswer]:
    headers = [named.header for named in some]
    if isinstance(recognizer, MetadataModel):
        return recognizer.recognize_studies(
            headers, [named.study for named in some], [named.series for named in some]
        )
    return [recognizer.recognize(header) for header in headers]


@contextlib.contextmanager
def _writing(out: Path | None) -> Iterator[IO[str]]:
    if out is None:
        yield sys.stdout
        return
    whole = out.resolve()
    # Answers are whole or those of another day, never half. A pipe takes them as they come.
    straight = whole.exists() and not whole.is_file()
    partial = whole if straight else whole.with_name(f"{whole.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        if not straight:
            partial.replace(whole)
    except OSError as error:
        raise typer.BadParameter(f"{out}: {error.strerror}", param_hint="--out") from None
    finally:
        if not straight:
            with contextlib.suppress(OSError):  # there is none where it can't be written
                partial.unlink()


def _require_headers(paths: Sequence[Path], first: Sequence[_Named]) -> None:
    """A table may be empty; files of which none is DICOM are a mistake of the command."""
    if not first and not any(path.suffix.lower() in _TABLES for path in paths):
        raise typer.BadParameter(
            f"no DICOM file is among them; the name of a table ends in {', '.join(_TABLES)}"
        )


def _require_another_file(paths: Sequence[Path], out: Path | None) -> None:
    """Answers in place of the headers would be the end of the headers."""
    if out is not None and out.is_file() and any(out.samefile(path) for path in paths):
        raise typer.BadParameter(
            f"{out} holds the headers; name another file for the answers", param_hint="--out"
        )


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


def _all_headers(paths: Iterable[Path], encoding: str | None) -> Iterator[_Named]:
    for path in paths:
        if path.suffix.lower() in _TABLES:
            for number, row in enumerate(_rows(path, encoding), start=1):
                study, series = ((row.get(name) or "").strip() or None for name in (STUDY, SERIES))
                yield _Named(str(number), Header.of(row), study, series)
        elif path.exists():
            # Files of one study lie anywhere; headers are small.
            found = list(_dicom_headers(path))
            first = {named.study: at for at, named in reversed(list(enumerate(found)))}
            yield from sorted(found, key=lambda named: first[named.study])
        else:
            raise typer.BadParameter(f"{path} does not exist")


def _rows(path: Path, encoding: str | None = None) -> Iterator[dict[str, str]]:
    try:
        yield from rows_of(path, encoding, lambda line: typer.echo(line, err=True))
    except HeaderTableError as error:
        raise typer.BadParameter(str(error)) from None


def _dicom_headers(path: Path) -> Iterator[_Named]:
    import pydicom  # noqa: PLC0415 - tables need no DICOM library, and it takes its time
    from pydicom.errors import InvalidDicomError  # noqa: PLC0415

    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they quote values of the header
                dataset = pydicom.dcmread(file, stop_before_pixels=True)
                study, series = (
                    str(dataset.get(name) or "").strip() or None for name in (STUDY, SERIES)
                )
                header = Header.of(dataset)
            yield _Named(str(file), header, study, series)
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
