# SPDX-License-Identifier: AGPL-3.0-or-later
"""From an analysis to its DICOM objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from inference.contract import AnalysisAnswer, ImageAnalysis, ModelDescription
from plugin.results.discretion import values_unquoted
from plugin.results.heat_map_state import build_heat_map_state
from plugin.results.key_objects import build_key_objects
from plugin.results.objects import Kind, Rendering, ResultObject, ResultOptions
from plugin.results.parametric_map import build_parametric_maps, needs_frame_of_reference
from plugin.results.presentation import build_presentations
from plugin.results.report import build_report
from plugin.results.scan_result import AnalysedImage, ScanResult, scan_result
from plugin.results.segmentation import build_segmentations
from plugin.results.source import read_source
from plugin.results.text_report import build_text_report


def build(
    source: Dataset,
    model: ModelDescription | None,
    analysis: AnalysisAnswer,
    image: ImageAnalysis | None,
    options: ResultOptions,
) -> list[ResultObject]:
    """Make the objects that tell the result of a scan that is one image; see ``build_scan``."""
    return build_scan([AnalysedImage(source, image)], model, analysis, options)


def build_scan(
    images: Sequence[AnalysedImage],
    model: ModelDescription | None,
    analysis: AnalysisAnswer,
    options: ResultOptions,
    rendering: Rendering | None = None,
) -> list[ResultObject]:
    """Make the objects that tell one scan's result.

    An SR always; SEG (unless switched off) and presentation states when there are regions; the
    additional kinds of ``options`` that ``not_possible`` doesn't name.

    Args:
        images: at least one, in the scan's order: the original's header, without need for pixel
            data, and the part of the answer about this image (this frame of it), which is needed
            when the analysis ended with a judgement. The header may lack what the standard
            demands, save for what names it (SOP Class, SOP Instance, Series, Study UID) and,
            for a judgement, its size (Rows, Columns).
        model: None where the analysis ended before a model was reached.
        analysis: the answer; its outcome and reason are told in words and codes.
        options: how to write.
        rendering: draws originals, for the kinds SC and PDF; what it raises goes through.

    Raises:
        ResultBuildError: headers, answer and model can't be made into a result.
    """
    # pydicom's warnings about odd values quote them.
    with values_unquoted():
        result = scan_result(images, model, analysis, options, rendering)
        left_out = _not_possible(result.images[0].header, options)
        wanted: set[Kind] = set(options.additional)
        return list(_objects(result, wanted - left_out.keys()))


def not_possible(header: Dataset, options: ResultOptions) -> dict[Kind, str]:
    """Which of the configured kinds can't be made of this original, and why.

    Needs the header only: to be asked before any work is done.
    """
    with values_unquoted():
        return _not_possible(header, options)


def _not_possible(header: Dataset, options: ResultOptions) -> dict[Kind, str]:
    source = read_source(header, sized=False)
    if not source.has_size:
        return dict.fromkeys(options.additional, "the original has no usable Rows and Columns")
    if "PM" not in options.additional:
        return {}
    reason = needs_frame_of_reference(source)
    return {"PM": reason} if reason else {}


def _objects(result: ScanResult, additional: set[Kind]) -> Iterator[ResultObject]:
    if not result.lead.source.has_size:
        # Refused or failed for that very reason, most likely; still no outcome is silence.
        yield build_text_report(result)
        return
    yield build_report(result)
    if result.located:
        yield from _of_regions(result, additional)
    if "PM" in additional and result.classes:
        yield from build_parametric_maps(result)
    if "SC" in additional:
        yield from _captures(result)
    if "KO" in additional and result.lead.suspicion[0]:
        yield build_key_objects(result)
    if "PDF" in additional:
        yield _pdf(result)


def _captures(result: ScanResult) -> list[ResultObject]:
    # Here, as below: ReportLab is for who asks for pages, and its typeface for who asks for words.
    from plugin.results.secondary_capture import build_captures  # noqa: PLC0415

    return build_captures(result)


def _pdf(result: ScanResult) -> ResultObject:
    from plugin.results.encapsulated_pdf import build_pdf  # noqa: PLC0415

    return build_pdf(result)


def _of_regions(result: ScanResult, additional: set[Kind]) -> Iterator[ResultObject]:
    if result.options.segmentation != "NONE":
        yield from build_segmentations(result, "SEG", result.options.segmentation)
    if "SEG-LABELMAP" in additional:
        yield from build_segmentations(result, "SEG-LABELMAP", "LABELMAP")
    if additional & {"SEG-FRACTIONAL", "PR-HEATMAP"}:
        # The colours of a heat map are given to its fractions.
        fractions = build_segmentations(result, "SEG-FRACTIONAL", "FRACTIONAL")
        yield from fractions
        if "PR-HEATMAP" in additional:
            for one in fractions:
                yield build_heat_map_state(result, one)
    yield from build_presentations(result)
