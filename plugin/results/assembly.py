# SPDX-License-Identifier: AGPL-3.0-or-later
"""From an analysis to its DICOM objects."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inference.contract import AnalysisAnswer, ImageAnalysis, ModelDescription
from plugin.results.discretion import values_unquoted
from plugin.results.image_result import ImageResult, image_result
from plugin.results.objects import ResultObject, ResultOptions
from plugin.results.presentation import build_presentation
from plugin.results.report import build_report
from plugin.results.segmentation import build_segmentation


def build(
    source: Dataset,
    model: ModelDescription | None,
    analysis: AnalysisAnswer,
    image: ImageAnalysis | None,
    options: ResultOptions,
) -> list[ResultObject]:
    """Make the objects that tell one image's result.

    An SR always; a SEG (unless switched off) and a presentation state when there are regions.

    Args:
        source: the original's header; pixel data isn't needed. It may lack what the standard
            demands, save for what names it (SOP Class, SOP Instance, Series, Study UID) and its
            size (Rows, Columns).
        model: None where the analysis ended before a model was reached.
        analysis: the answer; its outcome and reason are told in words and codes.
        image: the part of the answer about this image (this frame of it); needed when the
            analysis ended with a judgement.
        options: how to write.

    Raises:
        ResultBuildError: source, answer, model and image can't be made into a result.
    """
    # pydicom's warnings about odd values quote them.
    with values_unquoted():
        return _objects(image_result(source, model, analysis, image, options))


def _objects(result: ImageResult) -> list[ResultObject]:
    objects = [build_report(result)]
    if result.located:
        if result.options.segmentation != "NONE":
            segmentation = build_segmentation(result, result.options.segmentation)
            objects += [segmentation] if segmentation is not None else []
        objects.append(build_presentation(result))
    return objects
