# SPDX-License-Identifier: Apache-2.0
"""View and laterality of an image, from coded attributes first and from words where they are sure.

View Position: PS3.3 C.8.7.2 (CR), C.8.11.5 (DX), C.8.11.7 with PS3.16 CID 4014 (MG). Laterality:
PS3.3 C.7.3.1 and C.8.11.1. ``None`` means not said, or not said clearly.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from inference.anatomy.header import MODIFIERS, Header
from inference.anatomy.regions import Regions
from inference.anatomy.words import fold

Side = Literal["L", "R", "B", "U"]
_OTHER = "other"
_SNOMED = ("SCT", "SRT", "SNM3", "99SDM")
_WORD = re.compile(r"[^\W\d_]+")
_PAIRED: Regions = frozenset(("breast", "upper limb", "lower limb"))
_TEXTS_OF_ONE_IMAGE = (
    "SeriesDescription",
    "AcquisitionDeviceProcessingDescription",
    "ProtocolName",
)


class _Views(NamedTuple):
    words: Mapping[str, Mapping[tuple[str, ...], str]]
    """By modality: folded words and the view that they mean."""
    codes: Mapping[str, str]
    sides: Mapping[str, Side]
    side_codes: Mapping[str, Side]


@cache
def _views() -> _Views:
    path = files("inference.anatomy") / "data" / "views.toml"
    table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    words: dict[str, Mapping[tuple[str, ...], str]] = {}
    for group in (table["projection"], table["mammography"]):
        meant = {
            tuple(_WORD.findall(fold(spelling))): view
            for view, spellings in group["words"].items()
            for spelling in spellings
        }
        words |= dict.fromkeys(group["modalities"], meant)
    codes = {code: view for view, listed in table["codes"].items() for code in listed}
    sides = {fold(word): side for side, listed in table["sides"].items() for word in listed}
    side_codes = {code: side for side, listed in table["side_codes"].items() for code in listed}
    return _Views(words, codes, sides, side_codes)


def view_of(header: Header) -> str | None:
    """View Position of a projection image, as a defined term.

    ``LATERAL`` alone gives ``None``, for it does not say which side faced the detector; so does a
    description that names two views, which speaks of the study and not of this image.
    """
    for code in header.codes.get("ViewCodeSequence", ()):
        if view := _views().codes.get(code.value.upper()):
            return view
    meant = _views().words.get(header.modality)
    if meant is None:
        return None
    for keyword in ("ViewPosition", *_TEXTS_OF_ONE_IMAGE, "StudyDescription"):
        named = _named_views(header.text(keyword), meant)
        if named:
            (view,) = named if len(named) == 1 else (_OTHER,)
            return None if view == _OTHER else view
    return None


def _named_views(text: str, meant: Mapping[tuple[str, ...], str]) -> set[str]:
    words = _WORD.findall(fold(text))
    named: set[str] = set()
    at = 0
    while at < len(words):
        for length in (4, 3, 2, 1):
            view = meant.get(tuple(words[at : at + length]))
            if view:
                named.add(view)
                at += length
                break
        else:
            at += 1
    return named


def laterality_of(header: Header, regions: Regions) -> Side | None:
    """Side of a paired body part.

    A modifier of the coded region comes after the attributes. Words of the descriptions count only
    where a limb or the breast is all that is shown: on a chest radiograph "left" may be a marker or
    a position.
    """
    for keyword in ("ImageLaterality", "FrameLaterality", "Laterality"):
        match header.text(keyword).upper():
            case "L" | "R" | "B" | "U" as side:
                return side
    if MODIFIERS in header.codes and (coded := _coded_side(header)):
        return coded
    if regions and regions <= _PAIRED:
        for keyword in (*_TEXTS_OF_ONE_IMAGE, "StudyDescription"):
            named = _named_side(_WORD.findall(fold(header.text(keyword))))
            if named is not None:
                return named
    return None


def _coded_side(header: Header) -> Side | None:
    """Side by the modifiers of region and structure; both where one is left and another right."""
    known = _views().side_codes
    coded = [one.value.upper() for one in header.codes[MODIFIERS] if one.scheme.upper() in _SNOMED]
    sides = {side for value in coded if (side := known.get(value))}
    return sides.pop() if len(sides) == 1 else "B" if sides else None


def _named_side(words: Iterable[str]) -> Side | None:
    sides = {side for word in words if (side := _views().sides.get(word))}
    if "B" in sides:
        return "B"
    return sides.pop() if len(sides) == 1 else None


def warm_up() -> None:
    """Read the table now."""
    _views()
