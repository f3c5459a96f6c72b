# SPDX-License-Identifier: Apache-2.0
"""The seal by which a site knows its own work again, so that nothing is de-identified twice.

A seal is a keyed digest of the whole instance, written as a second value of De-identification
Method (0012,0063). Who hasn't the key can't make one, and one that is copied to another instance,
or stays on one that was changed, doesn't hold. It is bound to options and policy: what was sealed
under other ones is de-identified again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR

from deid.elements import Element, Encoding
from deid.errors import DeidentificationError
from deid.key import DeidentificationKey
from deid.parsing import DEEPEST, MalformedError, RawDataSet, RawElement, parsed
from deid.report import Action, ElementRecord
from deid.stages import Instance
from deid.writing import encoded_header

SEAL = b"Sidelight seal 1 "
_METHOD = 0x00120063
_DIGEST_BYTES = 16
# Of 16 bytes in base 64, without its padding.
_LETTERS = 22
_RULE = "sealed by this key before"


@dataclass(frozen=True)
class _Content:
    """What a seal covers: the encoded header without the seal, and the digest of the pixel data."""

    header: bytes
    pixels: bytes


class Seals:
    """Makes seals and knows them.

    Parameters
    ----------
    key:
        The site's secret.
    settings:
        All that decides what a de-identified instance looks like, as one text.
    """

    def __init__(self, key: DeidentificationKey, settings: str) -> None:
        self._key = hmac.digest(key.derive("seal"), settings.encode(), "sha256")

    def put(self, instance: Instance) -> None:
        """Seal a finished instance."""
        method = instance.elements[_METHOD]
        header = encoded_header(instance.elements, instance.encoding)
        raw, _ = parsed(header, 0, (instance.encoding.implicit, instance.encoding.little_endian))
        content = _Content(_canonical(raw, instance.encoding), _digest(instance.pixels))
        sealed = bytes(method.value).rstrip(b" ") + b"\\" + self._seal(content)
        instance.elements[_METHOD] = Element(_METHOD, "LO", sealed)

    def admit(self, instance: Instance) -> bool:
        """Fill the instance with its original, if that bears a seal that holds.

        Nothing but what the seal covers gets in: preamble, file meta information and what stands
        behind the pixel data stay outside. Of a header alone the seal says that it is the header of
        a sealed instance.
        """
        original = instance.original
        method, mark, seal = bytes(_value(original.header.get(_METHOD))).rpartition(b"\\" + SEAL)
        seal = seal.rstrip(b" \0")
        if not mark or len(seal) != 2 * _LETTERS:
            return False
        unsealed = RawDataSet(original.header)
        unsealed[_METHOD] = RawElement("LO", method + b" " * (len(method) & 1), False, True)
        claimed = seal[:_LETTERS]
        pixels = _digest(original.pixels) if original.has_pixels else _bytes(claimed)
        try:
            content = _Content(_canonical(unsealed, instance.encoding), pixels)
        except (MalformedError, DeidentificationError):
            return False  # what this package wrote can be read
        if not hmac.compare_digest(self._seal(content), SEAL + seal):
            return False
        instance.elements = {e.tag: e for e in _elements(original.header, instance.encoding)}
        instance.pixels = list(original.pixels)
        instance.records = [
            ElementRecord(f"{tag:08X}", _RULE, Action.KEPT) for tag in instance.elements
        ]
        return True

    def _seal(self, content: _Content) -> bytes:
        header = hashlib.sha256(content.header).digest()
        mac = hmac.digest(self._key, header + content.pixels, "sha256")[:_DIGEST_BYTES]
        return SEAL + _text(content.pixels) + _text(mac)


def _digest(pixels: Sequence[Element]) -> bytes:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for element in pixels:
        even = len(element.value) + (len(element.value) & 1)
        digest.update(f"{element.tag:08X} {element.encapsulated:d} {even} ".encode())
        digest.update(element.value)
        digest.update(bytes(even - len(element.value)))
    return digest.digest()


def _canonical(header: RawDataSet, encoding: Encoding) -> bytes:
    """The header as this package writes it, however its sequences came."""
    return b"".join(encoding.encode(_elements(header, encoding)))


def _elements(header: RawDataSet, encoding: Encoding, depth: int = 0) -> list[Element]:
    if depth > DEEPEST:
        raise MalformedError("sequences are nested too deep")
    found = []
    for tag in sorted(header):
        if tag & 0xFFFF == 0:
            continue  # a group length (PS3.5 section 7.2) says nothing and is written by nobody
        element = header[tag]
        if _is_sequence(tag, element):
            items = encoding.items(_elements(item, encoding, depth + 1) for item in element.items)
            found.append(Element(tag, "SQ", items))
        else:
            found.append(Element(tag, element.vr or "UN", element.value, element.encapsulated))
    return found


def _is_sequence(tag: int, element: RawElement) -> bool:
    if element.vr is not None:
        return element.vr == "SQ" or element.has_items
    try:
        return element.has_items or dictionary_VR(tag) == "SQ"
    except KeyError:
        return False


def _value(element: RawElement | None) -> bytes | memoryview:
    return b"" if element is None else element.value


def _text(digest: bytes) -> bytes:
    return base64.urlsafe_b64encode(digest).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + b"==")
    except ValueError:
        return b""
