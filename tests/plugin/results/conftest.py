# SPDX-License-Identifier: AGPL-3.0-or-later
"""A model, its answers, and the objects made of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pydicom.dataset import Dataset

from inference.contract import (
    AnalysisAnswer,
    CodedConcept,
    FindingClass,
    ImageAnalysis,
    ModelDescription,
    Outcome,
    ScanCategory,
)
from plugin.results import ResultObject, ResultOptions, build
from tests.plugin.results.samples import (
    DIGEST,
    FINDINGS,
    SOURCES,
    analysed,
    blob,
    dx_header,
    letterbox,
)


@pytest.fixture(scope="session")
def model() -> ModelDescription:
    return ModelDescription(
        name="chest-phantom",
        version="1.0",
        title="Chest phantom",
        disclaimer="Trained on phantoms, not for clinical use.",
        digest=DIGEST,
        works_on="instance",
        categories=(ScanCategory(modalities=("DX", "CR"), regions=("chest",)),),
        classes=tuple(
            FindingClass(
                key=key,
                name=name,
                code=CodedConcept(value=value, scheme="SCT", meaning=name),
                threshold=0.5,
                patch_threshold=0.5,
                colour=colour,
            )
            for key, name, value, colour in FINDINGS
        ),
        levels=(64,),
    )


@pytest.fixture(scope="session")
def answer() -> Callable[..., AnalysisAnswer]:
    def make(outcome: Outcome, reason: str = "", digest: str = DIGEST) -> AnalysisAnswer:
        return AnalysisAnswer(
            model="chest-phantom", version="1.0", digest=digest, outcome=outcome, reason=reason
        )

    return make


@pytest.fixture(scope="session")
def image() -> Callable[..., ImageAnalysis]:
    def make(rows: int, columns: int, *, present: bool = True, frame: int = 1) -> ImageAnalysis:
        two_nodules = np.maximum(blob(25, 27, 4, 0.95), blob(40, 36, 3, 0.8))
        classes = (
            analysed("pulmonary-nodule", two_nodules, present=present, probability=0.91),
            analysed("pleural-effusion", blob(45, 30, 6, 0.9), present=present, probability=0.7),
            analysed("pneumothorax", blob(10, 30, 6, 0.9), present=False, probability=0.03),
        )
        return ImageAnalysis(
            sop_instance_uid="1.2.3",
            frame_number=frame,
            rows=rows,
            columns=columns,
            extent=letterbox(rows, columns),
            classes=classes,
        )

    return make


@pytest.fixture(params=SOURCES)
def header(request: pytest.FixtureRequest) -> Dataset:
    """Each kind of original in turn."""
    return SOURCES[request.param]()


@pytest.fixture
def objects(model, answer, image) -> Callable[..., dict[str, ResultObject]]:
    """Build the objects of a source by kind; findings unless said otherwise."""

    def make(
        source: Dataset,
        outcome: Outcome = Outcome.FINDINGS,
        options: ResultOptions | None = None,
        analysis: ImageAnalysis | None = None,
        reason: str = "",
    ) -> dict[str, ResultObject]:
        judged = outcome in (Outcome.FINDINGS, Outcome.NO_FINDINGS)
        if analysis is None and judged:
            present = outcome is Outcome.FINDINGS
            analysis = image(source.Rows, source.Columns, present=present)
        built = build(source, model, answer(outcome, reason), analysis, options or ResultOptions())
        return {one.kind: one for one in built}

    return make


@pytest.fixture
def dx() -> Dataset:
    """The plainest original."""
    return dx_header()
