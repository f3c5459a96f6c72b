# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading what a model said from a file: all findings of a scan, or the matrix of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from inference.contract import (
    ClassProbability,
    CodedConcept,
    FindingClass,
    ImageAnalysis,
    MapExtent,
    ProbabilityMap,
)
from plugin.heatmaps.ordering import Pair, ordered
from plugin.states import Findings


class FindingsFileError(ValueError):
    """The file is neither findings nor a matrix of this image; says what it must be."""


def read_findings(path: Path, rows: int, columns: int) -> tuple[ImageAnalysis, list[Pair]]:
    """The answer about the image of that size, and its findings, the most probable first.

    Args:
        path: the findings of a scan (Orthanc's attachment 5403), or the answer of
            ``…/heatmaps/{finding}/matrix``.
        rows: of the stored image.
        columns: of the stored image.

    Raises:
        FindingsFileError: it is none of them, or about an image of another size.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "values" in content:
            return _of_matrix(content, rows, columns)
        findings = Findings.model_validate(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        kind = "findings" if isinstance(error, ValidationError) else type(error).__name__
        raise FindingsFileError(
            f"{path.name} is neither the findings of a scan nor a matrix ({kind})"
        ) from None
    classes = {item.key: item for item in findings.model.classes}
    for image in findings.analysis.images:
        if (image.rows, image.columns) == (rows, columns):
            pairs = [(classes[item.key], item) for item in image.classes if item.key in classes]
            return image, ordered(pairs, "probability")
    raise FindingsFileError(f"{path.name} is not about an image of {rows} x {columns} pixels")


def _of_matrix(
    content: dict[str, Any], rows: int, columns: int
) -> tuple[ImageAnalysis, list[Pair]]:
    cells = np.array(content["values"], np.float32)
    key, peak = str(content["finding"]), float(cells.max())
    finding = FindingClass(
        key=key,
        name=key,
        code=CodedConcept(value=key[:16], scheme="99SIDELIGHT", meaning=key),
        threshold=0.5,
        patch_threshold=0.5,
    )
    maps = {int(content["level"]): ProbabilityMap.of(cells)}
    item = ClassProbability(key=key, probability=peak, present=peak >= 0.5, maps=maps)
    image = ImageAnalysis(
        sop_instance_uid="0",
        rows=rows,
        columns=columns,
        extent=MapExtent.model_validate(content["extent"]),
        classes=(item,),
    )
    return image, [(finding, item)]
