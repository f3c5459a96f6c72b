# SPDX-License-Identifier: Apache-2.0
"""Training a family: from examples to a weights file that says what it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from inference.anatomy.learned.families import (
    AnatomyModelError,
    Array,
    FamilyName,
    read_weights,
    write_weights,
)
from inference.anatomy.learned.pooling import Pooling
from inference.anatomy.learned.study import SIBLINGS
from inference.anatomy.lexicon import lexicon_digest
from inference.anatomy.training.augmentation import ACQUISITION, SPARING, VARIED, Habits
from inference.anatomy.training.batches import Lesson, lessons
from inference.anatomy.training.corpus import CorpusError, Example, groups_of
from inference.anatomy.training.forests import fit_forest
from inference.anatomy.training.general import general_headers

Report = Callable[[str], None]
GENERAL: Final = "general_headers"
"""Key in the head of a weights file: how many headers of this package taught too."""
_ENOUGH = 0.5
_NETWORKS = ("embedding-bag", "ngram-linear", "lstm")


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained, and how long."""

    family: FamilyName = "embedding-bag"
    epochs: int = 14
    shown: int = 24_000
    seed: int = 1
    pooling: Pooling = field(default_factory=Pooling)
    start: Path | None = None
    """Weights to go on from: a shipped model becomes a site's."""
    habits: Habits = VARIED
    """How headers are altered for an embedding bag, linear n-grams or an LSTM."""
    named: bool = True
    """Whether the weights may say which collections, sites or scanners taught them."""
    general: bool = False
    """Whether the headers of this package teach beside a site's."""


SHIPPED_COURSES: Final = tuple(
    (
        Training(epochs=12, shown=48_000, seed=seed, habits=SPARING),
        Training(epochs=4, shown=24_000, seed=100 + seed, habits=VARIED),
    )
    for seed in (1, 2, 3)
)
"""How the members of the shipped weights came to be, from nothing; joined, and on one thread, the
same file comes out."""


def train_course(
    rows: Sequence[Example], course: Sequence[Training], out: Path, report: Report
) -> None:
    """Train one after the other, each going on from the weights of the one before.

    :raises CorpusError: if no example has a label.
    """
    first, *others = course
    train(rows, first, out, report)
    for training in others:
        train(rows, replace(training, start=out), out, report)


def train(rows: Sequence[Example], training: Training, out: Path, report: Report) -> None:
    """Train on examples and write the weights to ``out``.

    :raises CorpusError: if no example has a label.
    :raises inference.anatomy.learned.families.AnatomyModelError: if ``start`` is not an
        embedding bag of headers.
    """
    taken = lessons(rows)
    if not taken:
        raise CorpusError("no header of the corpus has a label that can be taught")
    report(f"{len(taken)} distinct headers of {len(groups_of(rows))} collections or sites")
    beside = general_headers(rows) if training.general else []
    if beside:
        report(f"beside them {len(beside)} headers of this package, with the same weight together")
        taken = lessons([*rows, *beside])
    if _say_how_they_were_acquired(rows):
        report("orientation, acquisition settings and patient size are learned, too")
        training = replace(training, habits=training.habits._replace(acquisition=True))
    arrays = _fit(taken, training, report)
    described = described_as(rows, training)
    write_weights(out, arrays, described | ({GENERAL: len(beside)} if beside else {}))


def _fit(taken: Sequence[Lesson], training: Training, report: Report) -> dict[str, Array]:
    if training.family not in _NETWORKS:
        if training.start is not None:
            raise AnatomyModelError("only an embedding bag can go on from a shipped one")
        return fit_forest(
            training.family, taken, training.shown, report, training.seed, training.habits
        )
    from inference.anatomy.training.networks import Plan, fit_network  # noqa: PLC0415 - torch

    start = None if training.start is None else _start(training.start, training.family)
    plan = Plan(
        epochs=training.epochs, shown=training.shown, seed=training.seed, habits=training.habits
    )
    return fit_network(training.family, taken, plan, report, start)


def _start(path: Path, family: FamilyName) -> dict[str, Array]:
    arrays, described = read_weights(path)
    if described.get("family") != "embedding-bag" or family != "embedding-bag":
        raise AnatomyModelError("only an embedding bag can go on from a shipped one")
    if described.get(SIBLINGS):
        raise AnatomyModelError(
            f"{path.name} is a model of studies; start from one of headers, metadata.safetensors"
        )
    return arrays


def _say_how_they_were_acquired(rows: Sequence[Example]) -> bool:
    """Whether enough headers have such attributes to learn what they are worth."""
    having = sum(bool(ACQUISITION & row.values.keys()) for row in rows)
    return having >= _ENOUGH * len(rows)


def described_as(rows: Sequence[Example], training: Training) -> dict[str, Any]:
    """What the head of a weights file says of how they came to be; patients are never listed."""
    patients = any(row.group and row.group == row.study for row in rows)
    groups = groups_of(rows) if training.named and not patients else []
    return {
        "family": training.family,
        "lexicon": lexicon_digest(),
        "pooling": training.pooling._asdict(),
        "groups": groups if len(groups) < 300 else [],
        "headers": len(rows),
        "seed": training.seed,
        # Absent and not false: older weights, and those of the public corpus, say nothing of it.
        **({"acquisition": True} if training.habits.acquisition else {}),
    }
