# SPDX-License-Identifier: Apache-2.0
"""Tables of headers: one row per header, DICOM keywords as columns, however a site writes them.

Commas, semicolons and tabs separate; a byte order mark says the encoding, else it is UTF-8, and
Windows-1252 where it can't be, which is said. Columns may be named by keyword, by name in words or
by tag; others are left in the row and say nothing.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from inference.anatomy.header import CODES, NUMBERS, ORIENTATION, TEXTS

STUDY, SERIES = "StudyInstanceUID", "SeriesInstanceUID"
_SEPARATORS = ",;\t|"
_OTHERWISE = "cp1252"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # Before UTF-16, whose mark is the first half of this one.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LONGEST_CELL = 1 << 20
_PIECE = 1 << 20
_MOST_BLANK = 100
# What Excel writes before, and reads as, a table with another separator.
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?\s*', re.IGNORECASE)
_TAGS = {
    tag: keyword for table in (TEXTS, NUMBERS, ORIENTATION, CODES) for keyword, tag in table.items()
} | {"0020000D": STUDY, "0020000E": SERIES}
_KEYWORDS = {keyword.casefold(): keyword for keyword in _TAGS.values()}


class HeaderTableError(ValueError):
    """The file is no table of headers; the message says what is wrong, and in which line."""


def rows_of(
    path: Path, encoding: str | None = None, say: Callable[[str], None] = lambda _: None
) -> Iterator[dict[str, str]]:
    """Yield the rows of a table, each with keywords as keys; lines without a cell are no rows.

    As :func:`numbered_rows_of`, without the numbers.
    """
    return (row for _, row in numbered_rows_of(path, encoding, say))


def numbered_rows_of(
    path: Path, encoding: str | None = None, say: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a table, each with the number of the line in which it begins.

    Of two columns of one name the first that is not empty counts.

    :param encoding: of the file; found out where left out.
    :param say: is told where the encoding is a guess.
    :raises HeaderTableError: it can't be read, or no column is a DICOM keyword.
    """
    encoding = encoding or _encoding(path, say)
    before, separator = _start(path, encoding)
    csv.field_size_limit(_LONGEST_CELL)
    number = 0
    try:
        with path.open(encoding=encoding, newline="") as stream:
            for _ in range(before):
                stream.readline(_LONGEST_CELL)
            # Strict: a quotation mark that is not closed would swallow all rows after it.
            reader = csv.reader(stream, delimiter=separator, strict=True)
            columns = [keyword_of(name) for name in next(reader, [])]
            _require_keywords(path, columns)
            number = before + reader.line_num
            for cells in reader:
                first, number = number + 1, before + reader.line_num
                if cells:
                    yield first, _row(columns, cells)
    except csv.Error as error:
        raise HeaderTableError(
            f"{path}, row in line {number + 1}: {error}; look at its quotation marks"
        ) from None
    except (OSError, UnicodeError, LookupError) as error:
        raise HeaderTableError(f"{path} can't be read as {encoding}: {_why(error)}") from None


def _why(error: Exception) -> str:
    """Without the content: a UnicodeError would quote it."""
    if isinstance(error, UnicodeDecodeError):
        return f"{error.reason}; name its encoding, e.g. --encoding cp1250"
    if isinstance(error, UnicodeError):
        return "its bytes are of another encoding; name it, e.g. --encoding cp1250"
    return (error.strerror or "it can't be opened") if isinstance(error, OSError) else str(error)


def _row(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    row: dict[str, str] = {}
    for name, cell in zip(columns, cells, strict=False):
        if not row.get(name):
            row[name] = cell
    # As csv.DictReader has it: a row that is too short lacks its last cells.
    return row | dict.fromkeys(columns[len(cells) :], "") if len(cells) < len(columns) else row


def keyword_of(column: str) -> str:
    """The keyword that a column means: as it is, in words, in another case, or by tag."""
    squeezed = re.sub(r"[\W_]+", "", column).casefold()
    return _KEYWORDS.get(squeezed) or _TAGS.get(squeezed.upper()) or column.strip()


def _require_keywords(path: Path, columns: Sequence[str]) -> None:
    if set(columns) & set(_TAGS.values()):
        return
    from pydicom.datadict import tag_for_keyword  # noqa: PLC0415 - most tables need no dictionary

    if not any(tag_for_keyword(name) is not None for name in columns):
        raise HeaderTableError(
            f"{path} has no DICOM keyword as a column; the first line must name some, "
            "e.g. Modality,StudyDescription,SeriesDescription"
        )


def _start(path: Path, encoding: str) -> tuple[int, str]:
    """How many lines lie before that of the columns, and what separates them."""
    before, said = 0, ""
    try:
        with path.open(encoding=encoding, newline="") as stream:
            first = stream.readline(_LONGEST_CELL)
            while first and before < _MOST_BLANK:
                if line := _SEPARATOR_LINE.fullmatch(first):
                    said = line[1]
                elif first.strip():
                    break
                before += 1
                first = stream.readline(_LONGEST_CELL)
    except (OSError, UnicodeError, LookupError) as error:
        raise HeaderTableError(f"{path} can't be read as {encoding}: {_why(error)}") from None
    if "\0" in first:
        raise HeaderTableError(
            f"{path} is not in {encoding}: its first line has NUL characters; "
            "name its encoding, e.g. --encoding utf-16-le"
        )
    return before, said or _separator(first)


def _separator(first: str) -> str:
    """What makes most columns of the first line known ones; the comma where none does."""
    known = set(_TAGS.values())

    def columns(separator: str) -> int:
        return sum(keyword_of(name.strip('"\r\n ')) in known for name in first.split(separator))

    return max(_SEPARATORS, key=columns)


def _encoding(path: Path, say: Callable[[str], None]) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as stream:
            start = stream.read(_PIECE)
            for mark, encoding in _MARKS:
                if start.startswith(mark):
                    return encoding
            piece = start
            while piece:
                decoder.decode(piece)
                piece = stream.read(_PIECE)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        say(f"{path} is not UTF-8: read as {_OTHERWISE}; name another with --encoding")
        return _OTHERWISE
    except OSError as error:
        raise HeaderTableError(f"{path}: {error.strerror or 'it cannot be opened'}") from None
    return "utf-8"
