# SPDX-License-Identifier: Apache-2.0
"""Original values inside the file, for the holders of a private key (PS3.15 section E.1.1).

The Encrypted Attributes Sequence (0400,0500) has one item: the transfer syntax of its content, and
a CMS enveloped-data (RFC 5652) of a data set whose Modified Attributes Sequence (0400,0550) has the
original values. AES-256 in CBC mode; the content key is wrapped by RSA for each recipient.

Encryption draws a new key each time: two files made of one original differ in these bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pydicom
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import pkcs7
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import ExplicitVRLittleEndian

from deid.elements import Element, Encoding
from deid.errors import EncryptedAttributesError
from deid.report import Action, ElementRecord
from deid.stages import Instance

ENCRYPTED, SYNTAX, CONTENT, MODIFIED = 0x04000500, 0x04000510, 0x04000520, 0x04000550
_RULE = "PS3.15 E.1.1, encrypted"
_UNCHANGED = frozenset((Action.KEPT, Action.ADDED, Action.ITEMS))
_LEAST_BITS = 2048
_PLAIN = Encoding(implicit=False, little_endian=True)


class EncryptedAttributesStage:
    """Adds the original values of what was changed or removed, encrypted for some recipients.

    Sequences, private elements and pixels are left out.

    Parameters
    ----------
    certificates:
        X.509 certificates with RSA keys, as PEM.

    Raises
    ------
    EncryptedAttributesError
        A certificate can't be used.
    """

    def __init__(self, certificates: Sequence[bytes]) -> None:
        self._recipients = [_certificate(pem) for pem in certificates]

    def apply(self, instance: Instance) -> None:
        """Put the sequence into the instance."""
        originals = list(_originals(instance))
        if not originals:
            return
        content = b"".join(
            bytes(chunk)
            for chunk in _PLAIN.encode([Element(MODIFIED, "SQ", _PLAIN.items([originals]))])
        )
        builder = (
            pkcs7.PKCS7EnvelopeBuilder()
            .set_data(content)
            .set_content_encryption_algorithm(algorithms.AES256)
        )
        for recipient in self._recipients:
            builder = builder.add_recipient(recipient)
        sealed = builder.encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
        item = [
            Element(SYNTAX, "UI", ExplicitVRLittleEndian.encode("ascii")),
            Element(CONTENT, "OB", sealed),
        ]
        sequence = Element(ENCRYPTED, "SQ", instance.encoding.items([item]))
        instance.elements[ENCRYPTED] = sequence
        instance.records.append(ElementRecord(f"{ENCRYPTED:08X}", _RULE, Action.ADDED))


def _originals(instance: Instance) -> list[Element]:
    """Changed or removed elements of the top level, as explicit little endian."""
    header = instance.original.header
    little = instance.encoding.little_endian
    found = []
    changed = {r.path for r in instance.records if r.action not in _UNCHANGED and len(r.path) == 8}
    for path in sorted(changed):
        tag = int(path, 16)
        element = header.get(tag)
        if element is None or tag >> 16 & 1 or element.encapsulated:
            continue
        vr = element.vr or _dictionary_vr(tag)
        # Numbers in another byte order would be other numbers.
        if vr in ("SQ", "UN", "") or not (little or vr in _TEXTS) or not element.value:
            continue
        found.append(Element(tag, vr, bytes(element.value)))
    character_set = header.get(0x00080005)
    if character_set is not None and 0x00080005 not in {one.tag for one in found}:
        found.insert(0, Element(0x00080005, "CS", bytes(character_set.value)))
    return sorted(found)


_TEXTS = frozenset(
    "AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split()  # noqa: SIM905 - VRs as words
)


def _dictionary_vr(tag: int) -> str:
    try:
        return str(dictionary_VR(tag)).split(" or ", maxsplit=1)[0]
    except KeyError:
        return ""


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        found = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise EncryptedAttributesError("a recipient is no X.509 certificate in PEM") from error
    key = found.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise EncryptedAttributesError(
            f"a recipient's certificate needs an RSA key of {_LEAST_BITS} bits or more"
        )
    return found


def _unpadded(sealed: bytes) -> bytes:
    """The DER structure alone: a value field of odd length has one byte more."""
    if len(sealed) < 2 or not sealed[1] & 0x80:
        return sealed
    size = sealed[1] & 0x7F
    return sealed[: 2 + size + int.from_bytes(sealed[2 : 2 + size], "big")]


def original_attributes(
    file: Path, certificate: bytes, key: bytes, password: bytes | None = None
) -> Dataset:
    """The original values that a de-identified file holds for a recipient.

    Parameters
    ----------
    file:
        De-identified DICOM file.
    certificate, key:
        Of the recipient, as PEM.
    password:
        Of the key.

    Raises
    ------
    EncryptedAttributesError
        There are none, or they are for somebody else.
    """
    try:
        item = pydicom.dcmread(file, stop_before_pixels=True)[ENCRYPTED].value[0]
        sealed, syntax = bytes(item[CONTENT].value), str(item[SYNTAX].value)
    except (KeyError, IndexError, OSError, pydicom.errors.InvalidDicomError) as error:
        raise EncryptedAttributesError("the file holds no encrypted attributes") from error
    try:
        private = serialization.load_pem_private_key(key, password)
        if not isinstance(private, RSAPrivateKey):
            raise EncryptedAttributesError("the key must be an RSA key")
        content = pkcs7.pkcs7_decrypt_der(
            _unpadded(sealed),
            _certificate(certificate),
            private,
            [],
        )
    except (ValueError, TypeError) as error:
        raise EncryptedAttributesError(
            "this key does not open them: another recipient's, or a wrong password"
        ) from error
    if syntax != ExplicitVRLittleEndian:
        raise EncryptedAttributesError("they are encoded in a transfer syntax not known here")
    read = read_dataset(BytesIO(content), is_implicit_VR=False, is_little_endian=True)
    return Dataset(read[MODIFIED].value[0])
