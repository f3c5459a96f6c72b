# SPDX-License-Identifier: AGPL-3.0-or-later
"""The report of an image that nothing can be placed on: words and codes, without coordinates.

TID 1500 needs a group with coordinates to open in OHIF, and an image without Rows and Columns has
none. OHIF 3.12 and 3.13 open a report of this title as readable text.
"""

from __future__ import annotations

from collections.abc import Iterator

from highdicom.sr import ContentItem

from plugin.results import codes, content
from plugin.results.envelope import new_object, seal
from plugin.results.objects import ResultObject
from plugin.results.report import outcome_items, report_head, write_document
from plugin.results.scan_result import ScanResult


def build_text_report(result: ScanResult) -> ResultObject:
    """The SR of a scan that has no usable size."""
    dataset = new_object(result, "SR", result.profile.sr_sop_class_uid, result.images[0])
    write_document(dataset, result)
    root = content.container(codes.TEXT_REPORT_TITLE, _items(result), root=True)
    for element in root:
        dataset[element.tag] = element
    return ResultObject("SR", seal(dataset, result))


def _items(result: ScanResult) -> Iterator[ContentItem]:
    yield from report_head(result)
    yield content.text(codes.COMMENT, result.disclaimer)
    yield from outcome_items(result)
    if result.analysis.reason:
        yield content.text(codes.COMMENT, result.analysis.reason)
    for image in result.images:
        yield content.image(image.source, codes.SOURCE_IMAGE, content.CONTAINS)
