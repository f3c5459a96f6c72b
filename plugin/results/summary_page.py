# SPDX-License-Identifier: AGPL-3.0-or-later
"""One page of A4 that tells a result in words, a table and pictures.

It names no patient: whose it is stands in the DICOM header around it, and a page that is printed or
mailed without that gives nothing away. The same result makes the same bytes.
"""

from __future__ import annotations

from io import BytesIO
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image, KeepInFrame, Paragraph, Spacer, Table

from plugin.results import lettering
from plugin.results.picture import OUTCOMES, draw
from plugin.results.report import percent
from plugin.results.scan_result import DISCLAIMER, ImageResult, ScanResult, software_version

MOST_PICTURES = 4
_MARGIN = 45.0
_FOOTER = 60.0
_JPEG_QUALITY = 88


def summary_page(result: ScanResult) -> bytes:
    """The page as PDF."""
    lettering.register()
    buffer = BytesIO()
    page = Canvas(buffer, pagesize=A4, invariant=True)
    page.setTitle(f"Sidelight: {lettering.readable(result.title)}")
    page.setAuthor("Sidelight")
    width, height = A4[0] - 2 * _MARGIN, A4[1] - 2 * _MARGIN
    # Shrinks what would not fit, so that there is always one page and nothing is cut.
    _put(page, _body(result, width), _MARGIN + _FOOTER, width, height - _FOOTER)
    footer = [_paragraph(f"{result.disclaimer} Made by Sidelight {software_version()}.", 8)]
    _put(page, footer, _MARGIN, width, _FOOTER)
    page.showPage()
    page.save()
    return buffer.getvalue()


def _put(
    page: Canvas, flowables: list[Flowable], bottom: float, width: float, height: float
) -> None:
    kept = KeepInFrame(width, height, flowables, mode="shrink")
    _, taken = kept.wrapOn(page, width, height)
    kept.drawOn(page, _MARGIN, bottom + height - taken)


def _body(result: ScanResult, width: float) -> list[Flowable]:
    digest = f", weights and card {result.analysis.digest[:16]}" if result.analysis.digest else ""
    body: list[Flowable] = [
        _paragraph(DISCLAIMER, 16, lettering.BOLD, colors.HexColor("#a04000")),
        Spacer(1, 6),
        _paragraph(result.title + digest, 10),
        Spacer(1, 8),
        _paragraph(OUTCOMES[result.outcome], 13, lettering.BOLD),
    ]
    if result.analysis.reason:
        body.append(_paragraph(result.analysis.reason, 10))
    count = len(result.images)
    body += [_paragraph(f"{count} image{'s' if count > 1 else ''} analysed.", 10), Spacer(1, 8)]
    if result.classes:
        body += [_table(result, width), Spacer(1, 12)]
    images = result.key_images[:MOST_PICTURES]
    body.append(_pictures(result, images, width))
    return body


def _table(result: ScanResult, width: float) -> Table:
    rows = [["Finding", "Probability", "Present from", "Judgement", "Regions"]]
    for finding, analysed in sorted(result.classes, key=lambda pair: -pair[1].probability):
        regions = [
            region
            for image in result.images
            for region in image.regions
            if region.finding.key == finding.key
        ]
        rows.append(
            [
                lettering.readable(finding.name),
                f"{percent(analysed.probability):.1f} %",
                f"{percent(finding.threshold):.1f} %",
                "present" if analysed.present else "absent",
                str(len(regions)),
            ]
        )
    table = Table(rows, [width * part for part in (0.4, 0.16, 0.16, 0.16, 0.12)])
    table.setStyle(
        [
            ("FONT", (0, 0), (-1, -1), lettering.REGULAR, 9),
            ("FONT", (0, 0), (-1, 0), lettering.BOLD, 9),
            ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
            ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.lightgrey),
            ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ]
    )
    return table


def _pictures(result: ScanResult, images: list[ImageResult], width: float) -> Table:
    across = 1 if len(images) == 1 else 2
    room = width / across - 8
    cells = [[_picture(result, image, room), _caption(image)] for image in images]
    rows = [cells[start : start + across] for start in range(0, len(cells), across)]
    rows[-1] += [[]] * (across - len(rows[-1]))
    table = Table(rows, [width / across] * across)
    table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)])
    return table


def _picture(result: ScanResult, image: ImageResult, room: float) -> Image:
    drawn = draw(result, image)
    drawn.thumbnail((1000, 1000))
    buffer = BytesIO()
    drawn.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    buffer.seek(0)
    scale = min(room / drawn.width, 420 / drawn.height)
    return Image(buffer, drawn.width * scale, drawn.height * scale)


def _caption(image: ImageResult) -> Paragraph:
    source = image.source
    frame = f", frame {source.frame_number}" if source.multiframe else ""
    return _paragraph(f"Image {source.instance_number}{frame}", 8)


def _paragraph(
    text: str, size: float, face: str = lettering.REGULAR, colour: colors.Color = colors.black
) -> Paragraph:
    style = ParagraphStyle(
        "text", fontName=face, fontSize=size, leading=size * 1.35, textColor=colour
    )
    return Paragraph(escape(lettering.readable(text)), style)
