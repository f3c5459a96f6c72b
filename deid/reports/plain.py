# SPDX-License-Identifier: Apache-2.0
"""Reports that leave as plain text: plain text itself, RTF, HTML and Office documents (DOCX).

Of their files nothing leaves but the words that are read here, cleaned: no style, picture, comment,
field, revision or property does.
"""

from __future__ import annotations

import io
import re
import zipfile
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree.ElementTree import Element

from striprtf.striprtf import rtf_to_text

from deid.reports.errors import ReportError
from deid.reports.linking import References
from deid.reports.report import Cleaning
from deid.reports.xml_tree import local, parsed
from deid.text import KnownTerms

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PARTS = re.compile(r"word/(?:header\d*|document|footnotes|endnotes|footer\d*)\.xml")
_PART_ORDER = ("header", "document", "footnotes", "endnotes", "footer")
_LARGEST = 50_000_000
"""Bytes of a part of an Office document, unpacked."""
_BLOCKS = frozenset(
    str.split(
        "p div br tr li ul ol table h1 h2 h3 h4 h5 h6 hr section article header footer blockquote "
        "pre dl dt dd caption title thead tbody"
    )
)
_CELLS = frozenset({"td", "th"})
_UNSEEN = frozenset({"script", "style", "template"})
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_SPACES = re.compile(r"[ \t\r\n\u00a0]+")


class PlainReport:
    """One text.

    Parameters
    ----------
    text:
        What it says.
    """

    suffix = "txt"

    def __init__(self, text: str) -> None:
        self._text = text.replace("\0", " ").replace("\r\n", "\n").replace("\r", "\n")

    @property
    def known_terms(self) -> KnownTerms:
        """None: it has no typed fields."""
        return KnownTerms()

    @property
    def references(self) -> References:
        """None: it has no typed fields."""
        return References()

    @property
    def mentioned(self) -> frozenset[str]:
        """Its words, and neighbours run together."""
        return words_of(self._text)

    def texts(self) -> dict[str, str]:
        """The text."""
        return {"": self._text}

    def cleaned(self, cleaning: Cleaning) -> bytes:
        """The cleaned text in UTF-8."""
        return cleaning.text("").encode()


def words_of(text: str) -> frozenset[str]:
    """Words that may be a number or a UID, and neighbours run together: ``A 00815``."""
    words = [word.strip(".,;:()[]\"'") for word in text.split()]
    return frozenset(words) | {one + other for one, other in pairwise(words)}


def text_of_rtf(content: bytes) -> str:
    """The words of a document in RTF.

    Raises
    ------
    ReportError
        If it can't be read.
    """
    try:
        text = rtf_to_text(content.decode("latin-1"), errors="replace")  # type: ignore[no-untyped-call]
        return _tidy(str(text))
    except (ValueError, LookupError, IndexError, RecursionError) as error:
        raise ReportError(f"the RTF can't be read ({type(error).__name__})") from None


def text_of_html(content: str) -> str:
    """The words of an HTML page, one line a block; cells of a row side by side."""
    reader = _HtmlText()
    reader.feed(content)
    reader.close()
    return _tidy("".join(reader.parts))


class _HtmlText(HTMLParser):
    """Gathers the words that a browser would show; tags with a prefix (XHTML) count as theirs."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """Begin a line or a cell."""
        tag = tag.rpartition(":")[2]
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self.parts.append("\n")
        elif tag in _CELLS:
            self.parts.append(" \t")

    def handle_endtag(self, tag: str) -> None:
        """End a line."""
        tag = tag.rpartition(":")[2]
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Words, as a browser spaces them."""
        if not self._unseen:
            self.parts.append(_SPACES.sub(" ", data))


def text_of_docx(content: bytes) -> str:
    """The words of an Office document: headings of its pages, its body, notes, and their ends.

    Deleted words of its revisions and its comments are no words of the document.

    Raises
    ------
    ReportError
        If it is none, is encrypted, or a part has more than 50 MB.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [entry for entry in archive.infolist() if _PARTS.fullmatch(entry.filename)]
            if not any(entry.filename == "word/document.xml" for entry in names):
                raise ReportError("the ZIP archive is no Office text document (DOCX)")
            if any(entry.file_size > _LARGEST or entry.flag_bits & 1 for entry in names):
                raise ReportError("the Office document is encrypted or too large")
            parts = [parsed(archive.read(entry)) for entry in sorted(names, key=_order)]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise ReportError(f"the Office document can't be read ({type(error).__name__})") from None
    return _tidy("\n".join(_paragraphs(part) for part in parts))


def _order(entry: zipfile.ZipInfo) -> tuple[int, str]:
    name = entry.filename.removeprefix("word/").removesuffix(".xml")
    return _PART_ORDER.index(name.rstrip("0123456789")), name


def _paragraphs(element: Element) -> str:
    """Words of a part, a paragraph or a row of a table a line."""
    name, inside = local(element, _WORD), "".join(_paragraphs(child) for child in element)
    if name == "t":
        return element.text or ""
    if name in ("tab", "ptab", "br", "cr"):
        return " " if name.endswith("tab") else "\n"
    if name == "noBreakHyphen":
        return "-"
    if name == "tc":
        return inside.strip("\n").replace("\n", " ") + " \t"
    return inside + "\n" if name in ("p", "tr") else inside


def _tidy(text: str) -> str:
    lines = [" ".join(line.split(" ")).strip() for line in text.split("\n")]
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n")
