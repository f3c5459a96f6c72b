# SPDX-License-Identifier: AGPL-3.0-or-later
"""Table E.1-1 against the output: 655 attributes, the Basic Profile and each option alone.

What is expected is worked out here from the published table and highdicom's Types, not by ``deid``.
"""

from __future__ import annotations

import csv
import json
import struct
from importlib.resources import files
from pathlib import Path

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from deid import DeidentificationKey, Deidentifier, Option
from tests.deid.made_scans import ct, file_of
from tests.deid.test_deid_table import is_planted, planted

_TABLES = (
    Path(__file__).parents[2] / "shared" / "data" / "ps315_e1-1.csv",
    Path(__file__).parents[1] / "deid" / "data" / "ps315_e1-1.csv",
)
_COLUMNS = {
    Option.CLEAN_DESCRIPTORS: "cleanDescOpt",
    Option.CLEAN_GRAPHICS: "cleanGraphOpt",
    Option.CLEAN_STRUCTURED_CONTENT: "cleanStructContOpt",
    Option.DEVICE: "rtnDevIdOpt",
    Option.INSTITUTION: "rtnInstIdOpt",
    Option.FULL_DATES: "rtnLongFullDatesOpt",
    Option.MODIFIED_DATES: "rtnLongModifDatesOpt",
    Option.PATIENT_CHARACTERISTICS: "rtnPatCharsOpt",
    Option.RETAIN_UIDS: "rtnUIDsOpt",
    Option.SAFE_PRIVATE: "",
}
_KEY = DeidentificationKey(bytes(range(32)))
_REPEATING = {"(50XX,XXXX)": 0x50000022, "(60XX,4000)": 0x60004000, "(60XX,3000)": 0x60003000}
# Dates of a template's or context group's edition, and an offset from UTC: none of the patient's.
_TIMELESS = {0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07, 0x00080201}
_STRENGTH = ("3", "2C", "2", "1C", "1")


def _types() -> dict[int, str]:
    """The strictest Type of each attribute at the top level of a CT Image."""
    folder = files("highdicom") / "_standard"
    iods = json.loads((folder / "iod_module_map.json").read_text("utf-8"))
    modules = json.loads((folder / "module_attribute_map.json").read_text("utf-8"))
    types: dict[int, str] = {}
    for module in iods["ct-image"]:
        for attribute in modules.get(module["key"], ()):
            tag, kind = tag_for_keyword(attribute["keyword"]), attribute["type"]
            if tag is None or attribute["path"] or kind not in _STRENGTH:
                continue
            types[tag] = max(types.get(tag, "3"), kind, key=_STRENGTH.index)
    return types


def _rows() -> list[tuple[int, str, dict[str, str]]]:
    table = next(path for path in _TABLES if path.exists())
    rows = []
    with table.open(encoding="utf-8") as text:
        for line in csv.DictReader(text):
            tag = _REPEATING.get(line["tag"])
            if tag is None:
                tag = int(line["tag"].strip("()").replace(",", ""), 16)
            rows.append((tag, _vr(tag, line["name"]), line))
    return rows


def _vr(tag: int, name: str) -> str:
    if tag == 0x50000022:
        return "LO"
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "SQ" if name.endswith("Sequence") else "LO"


def _source(rows: list[tuple[int, str, dict[str, str]]]) -> bytes:
    """One CT with every attribute; a command, which no library writes, as bytes."""
    dataset, raw = ct(), b""
    for tag, vr, _ in rows:
        if tag >> 16 == 0x0002:
            continue  # Every file has it: Media Storage SOP Instance UID.
        if tag >> 16 == 0x0000:
            raw += struct.pack("<HHI", 0, tag, 6) + b"QZTXXW"
        else:
            dataset[tag] = planted(tag, vr)
    content = file_of(dataset)
    start = 144 + int.from_bytes(content[140:144], "little")
    return content[:start] + raw + content[start:]


def _is_right(action: str, kind: str, element: DataElement | None, vr: str, tag: int) -> bool:
    """Whether an action (K, C, or one of the Basic Profile) was carried out."""
    same = element is not None and is_planted(element, vr)
    if action == "K":
        # Of a retained sequence the items are treated one by one: names in it go.
        return same or (vr == "SQ" and element is not None) or vr == "OB or OW"
    if action == "C":
        return not same or tag in _TIMELESS or (vr == "TM" and same)
    if same:
        return False
    choices = action.split("/")
    if len(choices) > 1:
        choices = [_resolved(choices, kind)]
    empty = element is None or element.is_empty
    wanted = {
        "X": element is None,
        "Z": element is not None,
        "D": element is not None and not empty,
        "U": element is not None and not empty,
        "U*": not same,
    }
    return wanted[choices[0]]


def _resolved(choices: list[str], kind: str) -> str:
    by_type = {"3": "XZDU", "2": "ZDU", "2C": "ZDU", "1": "DU", "1C": "DU"}[kind]
    for letter in by_type:
        for choice in choices:
            if choice[0] == letter:
                return choice
    return choices[-1]


def measure(quick: bool) -> tuple[dict[str, float | None], dict[str, object]]:  # noqa: ARG001
    """Cases in which the output is not what the table says."""
    rows, types = _rows(), _types()
    content = _source(rows)
    wrong: list[str] = []
    cases = 0
    for option in (None, *_COLUMNS):
        output: Dataset = Deidentifier(_KEY, [option] if option else []).deidentify(content).dataset
        for tag, vr, line in rows:
            cases += 1
            action = (_COLUMNS.get(option, "") and line[_COLUMNS[option]]) if option else ""
            action = action or line["basic_2026c"]
            if tag >> 16 == 0x0000:
                action = (
                    "X"  # PS3.10 section 7.2: a file has no commands, whatever an option keeps.
                )
            holder = output.file_meta if tag >> 16 == 0x0002 else output
            if not _is_right(action, types.get(tag, "3"), holder.get(tag), vr, tag):
                wrong.append(f"{tag:08X} {action} {option.name if option else 'basic'}")
    return {"rules_wrong": float(len(wrong))}, {"cases": cases, "wrong": wrong[:40]}
