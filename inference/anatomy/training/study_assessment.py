# SPDX-License-Identifier: Apache-2.0
"""What a model of studies is worth on series of groups that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from inference.anatomy.header_table import SERIES, STUDY
from inference.anatomy.learned.recognizer import MetadataModel, shipped_weights
from inference.anatomy.learned.study import StudyModel
from inference.anatomy.training.assessment import Outcome, exact_by_group
from inference.anatomy.training.corpus import CorpusError, Example, groups_of
from inference.contract import AnatomyAnswer


class StudyFigures(NamedTuple):
    """Shares of labelled series that are answered exactly right, each as the mean of groups."""

    headers: int
    groups: int
    leaning: int
    """Series that name nothing themselves, so that their study is heard."""
    alone: float
    among: float
    """In their studies, with the new model."""
    shipped: float
    """In their studies, with the model of this package."""

    @property
    def in_words(self) -> str:
        """All of them in one line."""
        return (
            f"exact alone {self.alone:.3f}, in its study {self.among:.3f} "
            f"(shipped model of studies: {self.shipped:.3f}), as the mean of {self.groups} "
            f"held-out groups with {self.headers} series, {self.leaning} of which lean on others"
        )


def assess_in_studies(
    rows: Sequence[Example], weights: Path, column: str = STUDY, headers: Path | None = None
) -> StudyFigures:
    """Answer held-out series alone and in their studies, and count.

    :param rows: with siblings, see :func:`inference.anatomy.training.studies.in_their_studies`.
    :param weights: of the model of studies.
    :param column: which says of which study a series is.
    :param headers: weights of the model that reads each header; the shipped ones if left out.
    :raises CorpusError: if none is labelled.
    :raises inference.anatomy.learned.families.AnatomyModelError: for weights of another kind.
    """
    labelled = sum(bool(row.right) for row in rows)
    if not labelled:
        raise CorpusError(
            "no held-out series that has others in its study is labelled: give more groups"
        )
    path = headers or shipped_weights()
    shipped = MetadataModel.load(path)
    new = MetadataModel.load(path, study=StudyModel.load(weights))
    read = [row.header for row in rows]
    studies = [row.values[column] for row in rows]
    series = [row.values.get(SERIES) for row in rows]
    answers = new.recognize_studies(read, studies, series)
    return StudyFigures(
        labelled,
        len(groups_of(row for row in rows if row.right)),
        sum(one.in_study for one, row in zip(answers, rows, strict=True) if row.right),
        _exact(rows, shipped.recognize_all(read)),
        _exact(rows, answers),
        _exact(rows, shipped.recognize_studies(read, studies, series)),
    )


def _exact(rows: Sequence[Example], answers: Sequence[AnatomyAnswer]) -> float:
    return exact_by_group(
        [
            Outcome(row, frozenset(answer.regions), answer.confidence)
            for row, answer in zip(rows, answers, strict=True)
            if row.right
        ]
    )
