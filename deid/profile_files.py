# SPDX-License-Identifier: Apache-2.0
"""Profiles as TOML files: options of the standard, and what the site decides."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.valuerep import STANDARD_VR

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
from deid.profile_values import ProfileFileError, Section

__all__ = ["ProfileFile", "ProfileFileError", "load"]

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
_PRIVATE = frozenset({"creator", "group", "element", "vr", "keep"})
_OUTLIER = frozenset({"attribute", "lowest", "highest", "beyond"})


class ProfileFile(NamedTuple):
    """A profile as a site writes it."""

    options: frozenset[Option]
    policy: Policy


def load(name: str) -> ProfileFile:
    """Read a profile: ``basic``, ``research``, or the path of a TOML file.

    Raises
    ------
    ProfileFileError
        If there is none, it has what no profile has, or a value of another kind.
    OptionConflictError
        If its values contradict each other.
    """
    shipped = files("deid") / "profiles" / f"{name}.toml"
    source = shipped if shipped.is_file() else Path(name)
    try:
        read = tomllib.loads(source.read_text("utf-8"))
    except OSError:
        raise ProfileFileError(
            "no such profile: say basic, research, or the path of a TOML file"
        ) from None
    except UnicodeError:
        raise ProfileFileError("the profile is no text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        # Its words are those of the grammar and a place; nothing is quoted but a character.
        raise ProfileFileError(f"the profile is not TOML: {error}") from None
    return _made(Section(read, "a profile", _KNOWN))


def _made(read: Section) -> ProfileFile:
    return ProfileFile(
        checked(read.options("options")),
        Policy(
            allow_burned_in_annotation=read.flag("allow_burned_in_annotation", False),
            date_shift_days=read.days("date_shift_days", Policy.date_shift_days),
            record_digests=read.flag("record_digests", False),
            private_elements=tuple(map(_site_rule, read.tables("private"))),
            encrypt_for=tuple(map(_certificate, read.texts("encrypt_for"))),
            free_text=read.choice("free_text", FreeText.LISTED),
            pixel_text=read.choice("pixel_text", PixelText.MASK),
            **{name: read.choice(name, usual) for name, usual in _DOCUMENTS.items()},
            models=read.choice("models", Models.EMPTY),
            scanned_pages=read.choice("scanned_pages", ScannedPages.MASK),
            pixel_search=read.choice("pixel_search", PixelSearch.QUICK),
            pixel_terms=read.flag("pixel_terms", False),
            pixel_marks=read.choice("pixel_marks", PixelMarks.FILL),
            recompression=read.choice("recompression", Recompression.RLE),
            faces=read.choice("faces", Faces.LEAVE),
            kept_regions=read.balls("kept_regions"),
            outliers=tuple(map(_outlier_rule, read.tables("outlier"))),
            vocabulary=_vocabulary(read.text("vocabulary", "")),
        ),
    )


def _site_rule(line: dict[str, Any]) -> SiteRule:
    read = Section(line, "[[private]]", _PRIVATE)
    group, vr = read.hexadecimal("group", 0x0009, 0xFFFF), read.text("vr")
    if not group & 1:
        raise ProfileFileError("wrong form: group in [[private]] must be odd")
    if vr not in STANDARD_VR:
        raise ProfileFileError("wrong form: vr in [[private]] must be a VR of PS3.5")
    element = read.hexadecimal("element", 0x00, 0xFF)
    attribute = PrivateAttribute(read.text("creator").strip(), group, element)
    return SiteRule(attribute, vr, read.flag("keep", True))


def _certificate(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError:
        raise ProfileFileError("a certificate of encrypt_for can't be read") from None


def _vocabulary(name: str) -> str:
    if name and not Path(name).is_file():
        raise ProfileFileError("the vocabulary of the profile is not there")
    return name


def _outlier_rule(line: dict[str, Any]) -> OutlierRule:
    read = Section(line, "[[outlier]]", _OUTLIER)
    beyond = read.choice("beyond", Beyond.CAP)
    lowest, highest = read.number("lowest"), read.number("highest")
    return OutlierRule.of(read.text("attribute"), lowest, highest, beyond)
