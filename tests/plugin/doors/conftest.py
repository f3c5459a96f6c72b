# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stored reports of every outcome, and the results that are read from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from inference.contract import (
    AnalysisAnswer,
    ClassProbability,
    CodedConcept,
    FindingClass,
    ImageAnalysis,
    ModelDescription,
    Outcome,
    ProbabilityMap,
    ScanCategory,
)
from plugin.doors.outbox import Outbox, Patience
from plugin.doors.report_reader import read_report
from plugin.doors.result import Result
from plugin.results import ResultOptions, build
from tests.plugin.results.samples import blob, dx_header, letterbox

SEVERITIES = {"pneumothorax": 3, "pulmonary-nodule": 2, "lung-cancer": 2, "cardiomegaly": 1}
REASON = "structure unlike the training images"

MODEL = ModelDescription(
    name="chest-phantom",
    version="1.0",
    title="Chest phantom",
    disclaimer="Trained on phantoms, not for clinical use.",
    digest="ab" * 32,
    works_on="instance",
    categories=(ScanCategory(modalities=("DX", "CR"), regions=("chest",)),),
    classes=tuple(
        FindingClass(
            key=key,
            name=name,
            code=CodedConcept(value=code, scheme="SCT", meaning=meaning),
            threshold=threshold,
            patch_threshold=0.5,
            severity=SEVERITIES[key],
        )
        for key, name, code, meaning, threshold in (
            ("pneumothorax", "Pneumothorax", "36118008", "Pneumothorax", 0.45),
            ("lung-cancer", "Lung cancer", "93880001", "Primary malignant neoplasm of lung", 0.6),
            ("pulmonary-nodule", "Lung nodule", "427359005", "Pulmonary nodule", 0.5),
            ("cardiomegaly", "Cardiomegaly", "8186001", "Cardiomegaly", 0.5782),
        )
    ),
    levels=(64,),
)
PROBABILITIES = {
    "pneumothorax": 0.913042,
    "lung-cancer": 0.25,
    "pulmonary-nodule": 0.700001,
    "cardiomegaly": 0.0341,
}


def analysis(outcome: Outcome) -> AnalysisAnswer:
    judged = outcome in (Outcome.FINDINGS, Outcome.NO_FINDINGS)
    return AnalysisAnswer(
        model=MODEL.name,
        version=MODEL.version,
        digest=MODEL.digest,
        outcome=outcome,
        reason="" if judged else REASON,
    )


def image(rows: int, columns: int, *, present: bool) -> ImageAnalysis:
    """Two nodules and a pneumothorax, or nothing."""
    nodules = np.maximum(blob(25, 27, 4, 0.95), blob(40, 36, 3, 0.8))
    maps = {"pulmonary-nodule": nodules, "pneumothorax": blob(12, 30, 5, 0.9)}
    return ImageAnalysis(
        sop_instance_uid="1.2.3",
        rows=rows,
        columns=columns,
        extent=letterbox(rows, columns),
        classes=tuple(
            ClassProbability(
                key=one.key,
                probability=PROBABILITIES[one.key] if present else PROBABILITIES[one.key] / 10,
                present=present and PROBABILITIES[one.key] >= one.threshold,
                maps={64: ProbabilityMap.of(maps.get(one.key, blob(5, 5, 1, 0.01)))},
            )
            for one in MODEL.classes
        ),
    )


def make_report(outcome: Outcome = Outcome.FINDINGS, header: Dataset | None = None) -> bytes:
    """The file of a structured report, as the workers store it."""
    source = header or dx_header()
    judged = outcome in (Outcome.FINDINGS, Outcome.NO_FINDINGS)
    about = None
    if judged:
        about = image(source.Rows, source.Columns, present=outcome is Outcome.FINDINGS)
    options = ResultOptions(configuration_digest="cd" * 32)
    objects = build(source, MODEL, analysis(outcome), about, options)
    return next(one.to_bytes() for one in objects if one.kind == "SR")


@pytest.fixture
def report() -> Callable[..., bytes]:
    """Makes the file of a report."""
    return make_report


@pytest.fixture
def result() -> Callable[..., Result]:
    """Reads the result of a report of that outcome."""

    def read(outcome: Outcome = Outcome.FINDINGS, header: Dataset | None = None) -> Result:
        return read_report(make_report(outcome, header), SEVERITIES)

    return read


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """An outbox that does not wait."""
    return Outbox(tmp_path / "outbox.sqlite", Patience(maximum_refusals=3, backoff_seconds=0.0))
