# SPDX-License-Identifier: Apache-2.0
"""The only thing that may leave the PHI zone, and the only way to make one."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Never
from weakref import WeakKeyDictionary

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID

from deid.errors import ForgedScanError, PixelDataNotReadError
from deid.report import DeidentificationReport

_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_SEAL = object()

TEXTS = (0x00080016, 0x00080018, 0x00080060, 0x0020000D, 0x0020000E)
"""SOP Class, SOP Instance, Modality, Study and Series: what a scan can be asked for."""


@dataclass(frozen=True)
class Outgoing:
    """What a scan holds; every element of it has been through all stages.

    Attributes
    ----------
    header:
        A Part 10 file of the header alone, never deflated.
    file:
        The Part 10 file; ``None`` where the pixel data was not read.
    texts:
        Short texts of the header by tag.
    transfer_syntax:
        UID of the transfer syntax of ``file``.
    report:
        What was done.
    """

    header: bytes
    file: bytes | None
    texts: Mapping[int, str]
    transfer_syntax: str
    report: DeidentificationReport

    @cached_property
    def json(self) -> str:
        """DICOM JSON of the header without bulk data."""
        dataset = self.dataset()
        _drop_bulk(dataset)
        return json.dumps(dataset.to_json_dict(suppress_invalid_tags=True))

    def dataset(self) -> Dataset:
        """The header as a new pydicom data set."""
        dataset = pydicom.dcmread(io.BytesIO(self.header))
        dataset.file_meta.TransferSyntaxUID = UID(self.transfer_syntax)
        return dataset


class DeidentifiedScan:
    """One de-identified instance: immutable, and made by a ``Deidentifier`` alone.

    What it holds is kept outside the object, so that an instance made by ``object.__new__``, by
    copying attributes or by unpickling holds nothing. It can't be subclassed or pickled; its copy
    is itself.
    """

    __slots__ = ("__weakref__",)

    def __init__(self, outgoing: Outgoing, seal: object) -> None:
        if seal is not _SEAL:
            raise ForgedScanError("only Deidentifier.deidentify makes a DeidentifiedScan")
        _CONTENTS[self] = outgoing

    def __init_subclass__(cls, **keywords: Any) -> Never:
        raise ForgedScanError("DeidentifiedScan can't be subclassed")

    @property
    def dataset(self) -> Dataset:
        """A new pydicom data set of the header, without pixel data; changing it changes no scan."""
        return _contents(self).dataset()

    def header_json(self) -> dict[str, Any]:
        """DICOM JSON (PS3.18 Annex F) of the header, without pixel data and bulk data."""
        header: dict[str, Any] = json.loads(_contents(self).json)
        return header

    def to_bytes(self) -> bytes:
        """The Part 10 file, pixel data included, in the transfer syntax it came in.

        Raises
        ------
        PixelDataNotReadError
            If the scan was made by ``deidentify_header``.
        """
        content = _contents(self).file
        if content is None:
            raise PixelDataNotReadError(
                "this scan was made from a header alone: use Deidentifier.deidentify"
            )
        return content

    @property
    def sop_class_uid(self) -> str:
        """SOP Class UID (0008,0016)."""
        return _contents(self).texts[0x00080016]

    @property
    def sop_instance_uid(self) -> str:
        """The pseudonymous SOP Instance UID (0008,0018)."""
        return _contents(self).texts[0x00080018]

    @property
    def series_instance_uid(self) -> str:
        """The pseudonymous Series Instance UID (0020,000E)."""
        return _contents(self).texts[0x0020000E]

    @property
    def study_instance_uid(self) -> str:
        """The pseudonymous Study Instance UID (0020,000D)."""
        return _contents(self).texts[0x0020000D]

    @property
    def modality(self) -> str:
        """Modality (0008,0060), ``""`` where the object has none."""
        return _contents(self).texts[0x00080060]

    @property
    def transfer_syntax_uid(self) -> str:
        """Transfer Syntax UID of ``to_bytes``."""
        return _contents(self).transfer_syntax

    @property
    def report(self) -> DeidentificationReport:
        """What was done to each element."""
        return _contents(self).report

    def __repr__(self) -> str:
        return f"<DeidentifiedScan {self.sop_instance_uid}>"

    def __copy__(self) -> DeidentifiedScan:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> DeidentifiedScan:
        return self

    def __reduce_ex__(self, protocol: object) -> Never:
        raise ForgedScanError("a DeidentifiedScan is sent with to_bytes, never pickled")


_CONTENTS: WeakKeyDictionary[DeidentifiedScan, Outgoing] = WeakKeyDictionary()


def _contents(scan: DeidentifiedScan) -> Outgoing:
    try:
        return _CONTENTS[scan]
    except (KeyError, TypeError):
        raise ForgedScanError("no Deidentifier made this DeidentifiedScan") from None


def sealed(outgoing: Outgoing) -> DeidentifiedScan:
    """Make the scan; ``deid.deidentifier`` alone may call this."""
    return DeidentifiedScan(outgoing, _SEAL)


def _drop_bulk(dataset: Dataset) -> None:
    for element in list(dataset.elements()):
        if element.VR in _BULK:
            del dataset[element.tag]
        elif element.VR == "SQ":
            for item in dataset[element.tag].value:
                _drop_bulk(item)
