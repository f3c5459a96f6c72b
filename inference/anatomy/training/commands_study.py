# SPDX-License-Identifier: Apache-2.0
"""``sidelight train anatomy-study``: the model of a series among the others of its study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inference.anatomy.commands import EncodingOption
from inference.anatomy.header_table import STUDY, keyword_of
from inference.anatomy.learned.families import AnatomyModelError
from inference.anatomy.training.commands import (
    FROM_COLLECTION,
    GroupOption,
    is_public,
    site_rows,
)
from inference.anatomy.training.corpus import (
    CorpusError,
    Example,
    examples,
    read_index,
    sidecar_headers,
    written_headers,
)
from inference.anatomy.training.joining import STUDY_EPOCHS, train_study
from inference.anatomy.training.studies import (
    in_their_studies,
    with_siblings,
    with_siblings_of_index,
)
from inference.anatomy.training.study_assessment import StudyFigures, assess_in_studies

_ROUNDING = 1e-9
"""Sums of the same shares in another order."""


def train_anatomy_study(  # noqa: PLR0913, PLR0917 - a command's options are its arguments
    corpus: Annotated[
        Path,
        typer.Argument(
            help="idc_index.parquet of the package idc-index-data, or a site's table of headers."
        ),
    ],
    out: Annotated[Path, typer.Option(help="file of weights to write")],
    epochs: Annotated[int, typer.Option(min=1)] = STUDY_EPOCHS,
    group: GroupOption = "",
    study: Annotated[
        str, typer.Option(help="column of a table: UID or pseudonym of the study")
    ] = STUDY,
    model: Annotated[
        Path | None, typer.Option(help="weights that read each header; default: the shipped")
    ] = None,
    encoding: EncodingOption = None,
) -> None:
    """Train the model of a series among the others of its study.

    With the public corpus, as the shipped weights were. With a site's table (DICOM keywords,
    regions, study) its headers and those of this package teach; groups are held out as a whole, and
    it ends with status 1 if the model is worse on them than the shipped one.
    """
    try:
        judged: list[Example] = []
        if is_public(corpus):
            rows = with_siblings_of_index(
                examples(read_index(corpus), "train", FROM_COLLECTION), corpus
            )
        else:
            taught, held_out = site_rows(corpus, group, encoding)
            rows = in_their_studies(taught, keyword_of(study))
            judged = in_their_studies(held_out, keyword_of(study))
        rows += with_siblings([*written_headers(), *sidecar_headers()])
        train_study(rows, out, typer.echo, epochs)
        found = assess_in_studies(judged, out, keyword_of(study), model) if judged else None
    except (CorpusError, AnatomyModelError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(f"weights written to {out}")
    if found is not None:
        _judge(found)


def _judge(found: StudyFigures) -> None:
    typer.echo(found.in_words)
    if found.among < found.shipped - _ROUNDING:
        typer.echo("not fit for use: worse than the shipped model of studies", err=True)
        raise typer.Exit(1)
