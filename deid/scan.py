# SPDX-License-Identifier: Apache-2.0
"""The only thing that may leave the PHI zone, and the only way to make one."""

from __future__ import annotations

import io
import json
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Never
from weakref import WeakKeyDictionary

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from deid.elements import Element, Encoding
from deid.errors import ForgedScanError, PixelDataNotReadError
from deid.report import DeidentificationReport

IMPLEMENTATION_CLASS_UID = "2.25.112617312733172519706427117063214217297"
IMPLEMENTATION_VERSION_NAME = "SIDELIGHT_DEID_1"

_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_SEAL = object()


@dataclass(frozen=True)
class Outgoing:
    """What a scan is made of; every element has been through all stages."""

    elements: dict[int, Element]
    pixels: tuple[Element, ...]
    encoding: Encoding
    transfer_syntax: str
    report: DeidentificationReport
    has_pixels: bool
    _cache: dict[str, Any] = field(default_factory=dict)

    def text(self, tag: int) -> str:
        """A short text of the header, ``""`` where there is none."""
        element = self.elements.get(tag)
        return "" if element is None else bytes(element.value).decode("latin-1").strip(" \0")

    @cached_property
    def header(self) -> bytes:
        """The encoded data set without pixel data."""
        ordered = [self.elements[tag] for tag in sorted(self.elements)]
        return b"".join(self.encoding.encode(ordered))

    @cached_property
    def file(self) -> bytes:
        """The Part 10 file."""
        chunks = [self.header, *self.encoding.encode(self.pixels)]
        if self.transfer_syntax == DeflatedExplicitVRLittleEndian:
            deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            chunks = [*map(deflate.compress, chunks), deflate.flush()]
            if sum(map(len, chunks)) & 1:
                chunks.append(b"\0")
        return b"".join([self.file_meta(self.transfer_syntax), *chunks])

    @cached_property
    def json(self) -> str:
        """DICOM JSON of the header without bulk data."""
        dataset = self.dataset()
        _drop_bulk(dataset)
        return json.dumps(dataset.to_json_dict(suppress_invalid_tags=True))

    def dataset(self) -> Dataset:
        """The header as a new pydicom data set."""
        plain = self.transfer_syntax
        if plain == DeflatedExplicitVRLittleEndian:
            plain = ExplicitVRLittleEndian
        dataset = pydicom.dcmread(io.BytesIO(self.file_meta(plain) + self.header))
        dataset.file_meta.TransferSyntaxUID = UID(self.transfer_syntax)
        return dataset

    def file_meta(self, transfer_syntax: str) -> bytes:
        """Preamble and file meta information (PS3.10 section 7.1), made anew."""
        meta = Encoding(implicit=False, little_endian=True)
        content = b"".join(
            meta.encode(
                [
                    Element(0x00020001, "OB", b"\0\1"),
                    Element(0x00020002, "UI", self.text(0x00080016).encode("ascii", "ignore")),
                    Element(0x00020003, "UI", self.text(0x00080018).encode("ascii", "ignore")),
                    Element(0x00020010, "UI", transfer_syntax.encode("ascii")),
                    Element(0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
                    Element(0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
                ]
            )
        )
        length = Element(0x00020000, "UL", len(content).to_bytes(4, "little"))
        return b"".join([bytes(128), b"DICM", *meta.encode([length]), content])


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
        outgoing = _contents(self)
        if not outgoing.has_pixels:
            raise PixelDataNotReadError(
                "this scan was made from a header alone: use Deidentifier.deidentify"
            )
        return outgoing.file

    @property
    def sop_class_uid(self) -> str:
        """SOP Class UID (0008,0016)."""
        return _contents(self).text(0x00080016)

    @property
    def sop_instance_uid(self) -> str:
        """The pseudonymous SOP Instance UID (0008,0018)."""
        return _contents(self).text(0x00080018)

    @property
    def series_instance_uid(self) -> str:
        """The pseudonymous Series Instance UID (0020,000E)."""
        return _contents(self).text(0x0020000E)

    @property
    def study_instance_uid(self) -> str:
        """The pseudonymous Study Instance UID (0020,000D)."""
        return _contents(self).text(0x0020000D)

    @property
    def modality(self) -> str:
        """Modality (0008,0060), ``""`` where the object has none."""
        return _contents(self).text(0x00080060)

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
