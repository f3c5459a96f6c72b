# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files with the header that they had before it was made standard at arrival."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from secrets import token_hex

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import data_element_generator, read_partial

from deid.seals import SEAL
from plugin.results.discretion import values_unquoted
from plugin.results.header import items, text
from plugin.results.private import is_own_object
from plugin.standardization.incoming import as_it_came, is_ours

_UNDEFINED = 0xFFFFFFFF
"""Length of a value that ends with a delimiter (PS3.5 section 7.1.1)."""


class Outcome(StrEnum):
    """What became of one file."""

    RESTORED = "written with the header as it came"
    UNCHANGED = "left: Sidelight did not change it at arrival"
    OWN = "left: a result or a copy that Sidelight made"
    CHANGED_SINCE = "left: another system has changed its header since"
    SEALED = "left: de-identified at arrival, and the seal holds for the header as it is"
    NO_DICOM = "left: no DICOM file"
    UNREADABLE = "left: can't be read or written again"
    THERE = "left: the file to be written is there already"


def restored(file: bytes) -> tuple[Outcome, bytes]:
    """A file with its header as it came; UIDs, pixel data and transfer syntax stay.

    What other systems put on record before stays on record.

    Args:
        file: PS3.10.

    Returns:
        what became of it, and the file to be written; empty where none is.
    """
    with values_unquoted():
        try:
            dataset = pydicom.dcmread(io.BytesIO(file))
            if _is_cut_off(file, dataset):
                return Outcome.UNREADABLE, b""
            outcome = _left(dataset)
            return (outcome, b"") if outcome else (Outcome.RESTORED, _written(dataset))
        except InvalidDicomError:
            return Outcome.NO_DICOM, b""
        except Exception:  # noqa: BLE001 - pydicom raises whatever a broken file provokes
            return Outcome.UNREADABLE, b""


def restore_all(source: Path, target: Path) -> Counter[Outcome]:
    """Restore what lies in a folder, into another, under the same names.

    Args:
        source: a PS3.10 file, or a folder of them at any depth.
        target: folder; made where it is not there. Nothing in it is written over.

    Raises:
        OSError: what is to be read or written can't be.
    """
    counts: Counter[Outcome] = Counter()
    for file, name in list(_files(source)):
        outcome, content = restored(file.read_bytes())
        if outcome is Outcome.RESTORED:
            outcome = _new_file(target / name, content)
        counts[outcome] += 1
    return counts


def _files(source: Path) -> Iterator[tuple[Path, Path]]:
    if source.is_file():
        yield source, Path(source.name)
        return
    for file in sorted(source.rglob("*")):
        if file.is_file():
            yield file, file.relative_to(source)


def _new_file(path: Path, content: bytes) -> Outcome:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return Outcome.THERE
    # Written aside first: half a file under this name would count as there already later.
    aside = path.with_name(f".{token_hex(8)}.part")
    try:
        with aside.open("xb") as stream:
            stream.write(content)
        _named(aside, path)
    except FileExistsError:
        return Outcome.THERE
    finally:
        aside.unlink(missing_ok=True)
    return Outcome.RESTORED


def _named(aside: Path, path: Path) -> None:
    """Give a file its name, unless another has it.

    Raises:
        FileExistsError: another has it.
    """
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links: there a name that is given meanwhile would be taken over.
        if path.exists():
            raise FileExistsError(path.name) from None
        aside.rename(path)


def _is_cut_off(file: bytes, dataset: FileDataset) -> bool:
    """Whether the file ends within an element; pydicom passes over that.

    It takes the last value for a shorter one, leaves out an element whose header is not whole, and
    all of them where a value that should end with a delimiter has none.

    Raises:
        EOFError: it ends within such a value.
    """
    if not len(dataset):
        return True
    if dataset.file_meta.TransferSyntaxUID.is_deflated:
        return False  # zlib itself refuses it where it is cut
    stream, short = io.BytesIO(file), False
    read_partial(stream, stop_when=lambda *_: True)
    end = stream.tell()
    for element in data_element_generator(stream, *dataset.original_encoding):
        end, short = stream.tell(), _is_short(element)
    return short or end < len(file)


def _is_short(element: object) -> bool:
    if not isinstance(element, RawDataElement) or element.length == _UNDEFINED:
        return False
    return len(element.value or b"") < element.length


def _left(dataset: Dataset) -> Outcome | None:
    if is_own_object(dataset):
        return Outcome.OWN
    record = [is_ours(item) for item in items(dataset, "OriginalAttributesSequence")]
    if True not in record:
        return Outcome.UNCHANGED
    if SEAL.decode("ascii") in text(dataset, "DeidentificationMethod"):
        return Outcome.SEALED  # it would be de-identified a second time, and be another patient's
    # Whoever changed it later built on our values: theirs would be lost without a record.
    return None if all(record[record.index(True) :]) else Outcome.CHANGED_SINCE


def _written(dataset: FileDataset) -> bytes:
    others = [one for one in items(dataset, "OriginalAttributesSequence") if not is_ours(one)]
    header = as_it_came(dataset)
    if not isinstance(header, FileDataset):
        raise TypeError("a file is restored to a file")
    if others:
        header.OriginalAttributesSequence = others
    buffer = io.BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
