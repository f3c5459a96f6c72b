# SPDX-License-Identifier: Apache-2.0
"""The attribute types of PS3.3 as highdicom's wheel carries them, in the form that deid ships.

``python -m tests.deid.highdicom_tables`` writes the two files of ``deid/data`` anew after an update
of highdicom; a test compares them.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from importlib.resources import files
from io import StringIO
from pathlib import Path

from pydicom.datadict import tag_for_keyword

DATA = Path(__file__).parents[2] / "deid" / "data"
_STRENGTH = {"3": 0, "2C": 1, "2": 2, "1C": 3, "1": 4}


def _table(name: str) -> dict:
    return json.loads((files("highdicom") / "_standard" / name).read_text("utf-8"))


def attribute_types() -> str:
    """CSV of context (module, or sequence tag), type and tags; type 3 goes without saying."""
    strongest: dict[str, dict[int, str]] = defaultdict(dict)
    for module, attributes in _table("module_attribute_map.json").items():
        for attribute in attributes:
            kind, tag = attribute["type"], tag_for_keyword(attribute["keyword"])
            parent = attribute["path"] and tag_for_keyword(attribute["path"][-1])
            if tag is None or parent is None or kind not in _STRENGTH:
                continue
            types = strongest[f"{parent:08X}" if parent else module]
            if _STRENGTH[kind] >= _STRENGTH[types.get(tag, "3")]:
                types[tag] = kind
    rows = [
        (context, kind, " ".join(f"{tag:08X}" for tag in sorted(types) if types[tag] == kind))
        for context, types in sorted(strongest.items())
        for kind in ("1", "1C", "2", "2C")
        if kind in types.values()
    ]
    return _csv(("context", "type", "tags"), rows)


def sop_class_modules() -> str:
    """CSV of SOP Class UID, IOD and the IOD's modules."""
    modules = _table("iod_module_map.json")
    rows = [
        (uid, iod, " ".join(module["key"] for module in modules.get(iod, ())))
        for uid, iod in sorted(_table("sop_class_iod_map.json").items())
    ]
    return _csv(("sop_class", "iod", "modules"), rows)


def _csv(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    (DATA / "attribute_types.csv").write_text(attribute_types(), encoding="utf-8")
    (DATA / "sop_class_modules.csv").write_text(sop_class_modules(), encoding="utf-8")
