# SPDX-License-Identifier: Apache-2.0
"""The service's own check that nothing identified reaches it.

The zone that sends is responsible; this is the second lock. Patient Identity Removed (0012,0062)
must be ``YES`` (PS3.3 C.7.1.1) in every header and every instance.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from inference.serving.errors import ServiceError

_TAG = "00120062"
_TAG_NUMBER = 0x0012_0062
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_PREAMBLE = 128


def _refusal() -> ServiceError:
    return ServiceError(
        422,
        "not-deidentified",
        "Patient Identity Removed (0012,0062) is not YES; de-identify before sending",
    )


def _not_dicom() -> ServiceError:
    return ServiceError(422, "not-dicom", "a part is no DICOM file; send PS3.10 files")


def require_deidentified_header(header: Mapping[str, Any]) -> None:
    """Refuse a DICOM JSON header of an identified patient.

    :raises ServiceError: ``not-deidentified``.
    """
    element = header.get(_TAG)
    if not isinstance(element, Mapping) or element.get("Value") != ["YES"]:
        raise _refusal()


def require_deidentified_instance(instance: bytes, most: int) -> None:
    """Refuse an instance of an identified patient; its pixels are not read.

    :param instance: a DICOM file (PS3.10).
    :param most: bytes that a deflated data set may have when inflated.
    :raises ServiceError: ``not-deidentified``, ``not-dicom``, or ``too-large``.
    """
    from pydicom.filereader import read_partial  # noqa: PLC0415 - the service starts without it

    _require_small_when_inflated(instance, most)
    try:
        dataset = read_partial(
            BytesIO(instance),
            stop_when=lambda tag, _vr, _length: tag > _TAG_NUMBER,
            specific_tags=[_TAG_NUMBER],
        )
        removed = dataset.get("PatientIdentityRemoved")
    except Exception as error:
        raise _not_dicom() from error
    if removed != "YES":
        raise _refusal()


def _require_small_when_inflated(instance: bytes, most: int) -> None:
    """Keep a small deflated file from filling the memory."""
    start = _PREAMBLE + len(b"DICM")
    length_element = instance[start : start + 12]
    if instance[_PREAMBLE:start] != b"DICM":
        raise _not_dicom()
    if _DEFLATED not in instance[start : start + 4096]:
        return
    if length_element[:6] != b"\x02\x00\x00\x00UL":
        raise _not_dicom()
    content = start + 12 + int.from_bytes(length_element[8:12], "little")
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = len(inflate.decompress(memoryview(instance)[content:], most + 1))
    except zlib.error as error:
        raise _not_dicom() from error
    if inflated > most:
        raise ServiceError(413, "too-large", f"a data set inflates to more than {most} bytes")
