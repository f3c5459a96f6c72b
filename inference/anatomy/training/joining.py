# SPDX-License-Identifier: Apache-2.0
"""Several embedding bags as one, whose scores are the means of theirs.

Averaging networks that differ only in chance (Lakshminarayanan et al., NeurIPS 2017) steadies what
one seed moves by many points. The vectors of all members stand side by side, each member's part of
the hidden layer sees its own vectors alone, and the last layer takes the mean: one file, one
family, nothing else to load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from inference.anatomy.learned.families import Array, read_weights, write_weights
from inference.anatomy.learned.study import SIBLINGS
from inference.anatomy.training.batches import lessons
from inference.anatomy.training.corpus import CorpusError, Example, groups_of
from inference.anatomy.training.fitting import Report, Training, described_as, train_course

_HALF = np.float16
STUDY_EPOCHS: Final = 10
STUDY_SHOWN: Final = 24_000
STUDY_SEEDS: Final = (1, 2)
"""How long the shipped model of studies was trained, and how many members it has."""


def train_joined(
    rows: Sequence[Example], courses: Sequence[Sequence[Training]], out: Path, report: Report
) -> None:
    """Train a member by each course, and write what they are together.

    :raises inference.anatomy.training.corpus.CorpusError: if no example has a label.
    :raises ValueError: if a course trains anything but an embedding bag.
    """
    if any(training.family != "embedding-bag" for course in courses for training in course):
        raise ValueError("only embedding bags can be joined")
    members, seeds = [], []
    described: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        for number, course in enumerate(courses, start=1):
            report(f"member {number} of {len(courses)}")
            path = Path(folder) / f"{number}.safetensors"
            train_course(rows, course, path, report)
            arrays, described = read_weights(path)
            members.append(arrays)
            seeds.append(described.pop("seed"))
    write_weights(out, join(members), {**described, "seeds": seeds})


def train_study(
    rows: Sequence[Example],
    out: Path,
    report: Report,
    epochs: int = STUDY_EPOCHS,
    shown: int = STUDY_SHOWN,
) -> None:
    """Train the model of a series among its siblings, and write the weights to ``out``.

    :param rows: with their siblings, see :mod:`inference.anatomy.training.studies`.
    :raises CorpusError: if no example has a label.
    """
    from inference.anatomy.training.networks import Plan, fit_network  # noqa: PLC0415 - torch

    taken = lessons(rows)
    if not taken:
        raise CorpusError("no header of the corpus has a label that can be taught")
    report(f"{len(taken)} headers in their studies, of {len(groups_of(rows))} collections or sites")
    members = []
    for seed in STUDY_SEEDS:
        training = Training(epochs=epochs, shown=shown, seed=seed)
        plan = Plan(epochs, shown, seed=seed, habits=training.habits, in_study=True)
        members.append(fit_network(training.family, taken, plan, report))
    described = described_as(rows, training) | {"seeds": list(STUDY_SEEDS), SIBLINGS: True}
    write_weights(out, join(members), described)


def join(members: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Arrays of one embedding bag that scores as the mean of ``members``.

    ``vectors`` become (buckets, sum of widths), ``inner`` (slots x sum of widths, sum of hidden
    units); all in half precision.

    :raises ValueError: if there is no member, or one is no embedding bag.
    """
    if not members or not all("inner" in member for member in members):
        raise ValueError("only embedding bags can be joined")
    share = np.float32(1 / len(members))
    return {
        "vectors": np.concatenate([member["vectors"] for member in members], axis=1),
        "inner": _inner(members),
        "inner_bias": np.concatenate([member["inner_bias"] for member in members]),
        "outer": np.concatenate([_single(member["outer"]) * share for member in members]).astype(
            _HALF
        ),
        "bias": _mean([member["bias"] for member in members]),
        "sets": _mean([member["sets"] for member in members]),
    }


def _inner(members: Sequence[Mapping[str, Array]]) -> Array:
    """The members' hidden layers as blocks: (slots x sum of widths, sum of hidden units)."""
    widths = [member["vectors"].shape[1] for member in members]
    hidden = [member["inner"].shape[1] for member in members]
    slots = members[0]["inner"].shape[0] // widths[0]
    whole = np.zeros((slots, sum(widths), sum(hidden)), _HALF)
    column = unit = 0
    for member, width, units in zip(members, widths, hidden, strict=True):
        block = member["inner"].reshape(slots, width, units)
        whole[:, column : column + width, unit : unit + units] = block
        column, unit = column + width, unit + units
    return whole.reshape(slots * sum(widths), sum(hidden))


def _single(array: Array) -> Array:
    return array.astype(np.float32)


def _mean(arrays: Sequence[Array]) -> Array:
    mean: Array = np.mean([_single(array) for array in arrays], axis=0).astype(_HALF)
    return mean
