# SPDX-License-Identifier: Apache-2.0
"""Keyed stand-ins for identifiers: equal on every machine that holds the key, and only there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from deid.key import DeidentificationKey

# Registered UIDs have short arcs; an instance UID made below DICOM's root by mistake has not.
_REGISTERED = re.compile(r"1\.2\.840\.10008(?:\.\d{1,4}){1,9}", re.ASCII)
_SEPARATOR = b"\x1f"


class PatientIdentity(NamedTuple):
    """Who a patient is: the same number of two issuers is two patients."""

    issuer: str
    number: str


class Pseudonyms:
    """Maps identifiers to stand-ins by HMAC-SHA256 with one sub-key per domain.

    Parameters
    ----------
    key:
        The site's secret.
    date_shift_days:
        First and last day of the range of a patient's date shift.
    """

    def __init__(self, key: DeidentificationKey, date_shift_days: tuple[int, int]) -> None:
        self._uid_key = key.derive("uid")
        self._date_key = key.derive("date shift")
        self._identifier_key = key.derive("identifier")
        self._digest_key = key.derive("digest")
        self._patient_key = key.derive("patient")
        self._face_key = key.derive("face")
        self._first, self._last = date_shift_days

    def uid(self, original: str) -> str:
        """The stand-in of a UID: ``2.25.`` and a UUIDv8 (RFC 9562) of the keyed hash.

        A UID that DICOM registers (SOP classes, transfer syntaxes, …) stays as it is.
        """
        return _mapped_uid(self._uid_key, original.strip(" \0"))

    def identifier(self, domain: str, original: str) -> str:
        """The stand-in of an identifier: 16 letters and digits that carry 80 bits."""
        return _letters(self._identifier_key, domain, _normal(original))

    def patient(self, identity: PatientIdentity) -> str:
        """The stand-in of a patient: 16 letters and digits that carry 80 bits."""
        return _letters(self._patient_key, _normal(identity.issuer), _normal(identity.number))

    def digest(self, identity: PatientIdentity, tag: int, value: bytes | memoryview) -> str:
        """Keyed digest of a patient's value of an attribute, for reports: 16 hexadecimal digits.

        Equal values of other patients or attributes have other digests. Had they the same, a kept
        value would tell what a removed one was, and counting would tell sexes and birth years.
        """
        patient = _joined(_normal(identity.issuer), _normal(identity.number))
        key = _digest(self._digest_key, patient)
        place = tag.to_bytes(4, "big")
        return hashlib.blake2b(value, digest_size=8, key=key, person=place).hexdigest()

    def date_shift(self, identity: PatientIdentity) -> int:
        """The days by which all dates of a patient move: never 0, equal in all studies."""
        message = _joined(_normal(identity.issuer), _normal(identity.number))
        number = int.from_bytes(_digest(self._date_key, message)[:8], "big")
        has_zero = self._first <= 0 <= self._last
        days = self._first + number % (self._last - self._first + 1 - has_zero)
        return days + 1 if has_zero and days >= 0 else days

    def face_seeds(self, identity: PatientIdentity, series: str) -> tuple[bytes, bytes]:
        """32 bytes each, of a patient's new face and of its texture in one series.

        One face per patient: were it another in each series, what they have in common could be
        averaged out of many.
        """
        patient = _joined(_normal(identity.issuer), _normal(identity.number))
        form = hmac.digest(self._face_key, patient, "sha256")
        return form, hmac.digest(form, _joined(_normal(series)), "sha256")


@lru_cache(maxsize=4096)
def _mapped_uid(key: bytes, text: str) -> str:
    """As ``Pseudonyms.uid``; instances of a series share most of their UIDs."""
    if not text or is_registered(text):
        return text
    digest = bytearray(hmac.digest(key, text.encode(), "sha256")[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return f"2.25.{int.from_bytes(digest, 'big')}"


@lru_cache(maxsize=1024)
def _digest(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def is_registered(uid: str) -> bool:
    """Whether DICOM itself registers the UID, so that it names nobody."""
    return _REGISTERED.fullmatch(uid) is not None


@lru_cache(maxsize=4096)
def _letters(key: bytes, *parts: str) -> str:
    return base64.b32encode(hmac.digest(key, _joined(*parts), "sha256")[:10]).decode()


def _joined(*parts: str) -> bytes:
    return _SEPARATOR.join(part.encode("utf-8", "surrogateescape") for part in parts)


def _normal(text: str) -> str:
    """Two spellings of one identifier that differ in encoding only are one."""
    stripped = text.strip(" \0")
    return stripped if stripped.isascii() else unicodedata.normalize("NFC", stripped)
