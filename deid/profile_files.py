# SPDX-License-Identifier: Apache-2.0
"""Profiles as TOML files: options of the standard, and what the site decides."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from deid.errors import DeidentificationError
from deid.options import Option, checked
from deid.outliers import Beyond, OutlierRule
from deid.policy import (
    Documents,
    Faces,
    FreeText,
    Models,
    PixelMarks,
    PixelSearch,
    PixelText,
    Policy,
    Recompression,
    ScannedPages,
)
from deid.private import PrivateAttribute, SiteRule

_DOCUMENTS = {
    "secondary_captures": Documents.MASK,
    "scanned_forms": Documents.REVIEW,
    "encapsulated_documents": Documents.MASK,
    "videos": Documents.REVIEW,
}
"""What a profile does that says nothing of them: a profile is for a site's whole traffic."""
_KNOWN = frozenset(
    {
        "options",
        "allow_burned_in_annotation",
        "date_shift_days",
        "record_digests",
        "encrypt_for",
        "free_text",
        "pixel_text",
        *_DOCUMENTS,
        "scanned_pages",
        "models",
        "pixel_search",
        "pixel_marks",
        "pixel_terms",
        "recompression",
        "faces",
        "kept_regions",
        "private",
        "outlier",
        "vocabulary",
    }
)


class ProfileFileError(DeidentificationError):
    """A profile can't be read; the message says where it is wrong."""


class ProfileFile(NamedTuple):
    """A profile as a site writes it."""

    options: frozenset[Option]
    policy: Policy


def load(name: str) -> ProfileFile:
    """Read a profile: ``basic``, ``research``, or the path of a TOML file.

    Raises
    ------
    ProfileFileError
        If there is none, or it has what no profile has.
    """
    shipped = files("deid") / "profiles" / f"{name}.toml"
    source = shipped if shipped.is_file() else Path(name)
    try:
        read = tomllib.loads(source.read_text("utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError):
        raise ProfileFileError("no such profile, or its file is not TOML") from None
    unknown = sorted(read.keys() - _KNOWN)
    if unknown:
        raise ProfileFileError(f"unknown in a profile: {', '.join(unknown)}")
    try:
        return _made(read)
    except DeidentificationError:
        raise
    except (KeyError, TypeError, ValueError):
        raise ProfileFileError("a value of the profile has the wrong form: see its table") from None


def _made(read: dict[str, Any]) -> ProfileFile:
    options = checked(Option[name.upper().replace("-", "_")] for name in read.get("options", ()))
    first, last = read.get("date_shift_days", Policy.date_shift_days)
    return ProfileFile(
        options,
        Policy(
            allow_burned_in_annotation=bool(read.get("allow_burned_in_annotation", False)),
            date_shift_days=(int(first), int(last)),
            record_digests=bool(read.get("record_digests", False)),
            private_elements=tuple(_site_rule(line) for line in read.get("private", ())),
            encrypt_for=tuple(_certificate(name) for name in read.get("encrypt_for", ())),
            free_text=FreeText(read.get("free_text", FreeText.LISTED)),
            pixel_text=PixelText(read.get("pixel_text", PixelText.LEAVE)),
            **{name: Documents(read.get(name, usual)) for name, usual in _DOCUMENTS.items()},
            models=Models(read.get("models", Models.EMPTY)),
            scanned_pages=ScannedPages(read.get("scanned_pages", ScannedPages.MASK)),
            pixel_search=PixelSearch(read.get("pixel_search", PixelSearch.QUICK)),
            pixel_terms=bool(read.get("pixel_terms", False)),
            pixel_marks=PixelMarks(read.get("pixel_marks", PixelMarks.FILL)),
            recompression=Recompression(read.get("recompression", Recompression.RLE)),
            faces=Faces(read.get("faces", Faces.LEAVE)),
            kept_regions=tuple(_ball(line) for line in read.get("kept_regions", ())),
            outliers=tuple(_outlier_rule(line) for line in read.get("outlier", ())),
            vocabulary=_vocabulary(read.get("vocabulary", "")),
        ),
    )


def _site_rule(line: dict[str, Any]) -> SiteRule:
    attribute = PrivateAttribute(line["creator"], int(line["group"], 16), int(line["element"], 16))
    return SiteRule(attribute, line["vr"], bool(line.get("keep", True)))


def _certificate(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError:
        raise ProfileFileError("a certificate of encrypt_for can't be read") from None


def _vocabulary(name: str) -> str:
    if name and not Path(name).is_file():
        raise ProfileFileError("the vocabulary of the profile is not there")
    return name


def _ball(line: list[float]) -> tuple[float, float, float, float]:
    x, y, z, radius = map(float, line)
    return x, y, z, radius


def _outlier_rule(line: dict[str, Any]) -> OutlierRule:
    lowest, highest = (
        None if line.get(name) is None else float(line[name]) for name in ("lowest", "highest")
    )
    return OutlierRule.of(line["attribute"], lowest, highest, Beyond(line.get("beyond", "cap")))
