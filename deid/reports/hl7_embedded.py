# SPDX-License-Identifier: Apache-2.0
"""Documents in HL7 messages: encapsulated data (ED, HL7 2.5.1 chapter 2A.24) in OBX-5.

Some send it under another type, so base64 is known by its looks too.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence

from deid.reports.errors import ReportError
from deid.reports.report import Cleaning, Report

Opener = Callable[[bytes], Report]
_BASE64 = re.compile(r"[A-Za-z0-9+/]{64,}={0,2}")
_TYPES = {"pdf": ("Application", "PDF"), "txt": ("TEXT", "plain")}


def looks_encoded(components: Sequence[str]) -> bool:
    """Whether a component is base64, line breaks in it or not."""
    return any(_BASE64.fullmatch("".join(one.split())) for one in components if len(one) > 64)


def opened(components: Sequence[str], opener: Opener) -> Report | None:
    """The document of encapsulated data; None where it can't be read, so that nothing leaves.

    Parameters
    ----------
    components:
        Of the field, escapes resolved.
    opener:
        Opens the bytes of a document.
    """
    data = _data(components)
    if not data:
        return None
    try:
        return opener(data)
    except ReportError:
        return None


def cleaned(report: Report, cleaning: Cleaning) -> list[str]:
    """The components of what may leave: nothing where the document can't be made."""
    try:
        content = report.cleaned(cleaning)
    except ReportError:
        return []
    kind, subtype = _TYPES[report.suffix]
    return ["", kind, subtype, "Base64", base64.b64encode(content).decode("ascii")]


def _data(components: Sequence[str]) -> bytes:
    encoding = components[3].strip().upper() if len(components) > 4 else ""
    content = max(components, key=len, default="")
    if encoding == "HEX":
        packed = re.sub(r"\s", "", content)
        return bytes.fromhex(packed) if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", packed) else b""
    if encoding == "A":
        return components[4].encode()
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def documents(field: list[list[str]]) -> list[list[str]]:
    """The repetitions of a field as documents: data that is cut into lines by ``~`` is one."""
    found: list[list[str]] = []
    for components in field:
        if len(components) > 1 or not found:
            found.append(list(components))
        else:
            found[-1][-1] += components[0]
    return found
