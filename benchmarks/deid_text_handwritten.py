# SPDX-License-Identifier: Apache-2.0
"""Sentences written by hand, apart from every generator: identifiers left, and harmless words kept.

``[[…]]`` marks an identifier, with a letter for its kind in the later sets (``[[n:…]]`` a name,
``d`` date, ``i`` number, ``p`` phone, ``a`` address, ``h`` institution, ``e`` e-mail, URL or
account, ``g`` age). Most sentences stand alone, with no header to look names up in, and names in
them are in the package's list or not as it comes. A time of day behind a date is no part of it, and
the last eleven sets, written by somebody who did not know the rules, leave years that stand alone,
beds and rooms unmarked. ``patient`` is the header's Patient Name of those that have one. Each
sentence is a text of its own. Each set was written before the rules of the time had seen it, and
what they made of it then is in ``deid_text_first_readings.json``: the honest figure for texts of a
new kind. The rules were mended on every set afterwards, by kinds of what was missed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks import report
from benchmarks.deid_text import Case, Text, count_cases
from deid.text import Kind, KnownTerms, Lexicon

SETS = (
    "handwritten", "unseen", "reports_by_hand",
    "departments", "letters", "whole_reports", "plain", "daily", "ordinary",
    "radiology_reports", "header_texts", "languages", "correspondence", "wards", "practices",
    "clinics", "offices", "letterheads", "worklists", "visits",
)  # fmt: skip
_MARKED = re.compile(r"\[\[(?:[ndipaheg]:)?(.+?)\]\]", re.DOTALL)


def cases(of: str) -> Iterator[Case]:
    """Every sentence of a set as a case of its own."""
    path = Path(__file__).with_name(f"deid_text_{of}.json")
    for row in json.loads(path.read_text(encoding="utf-8")):
        known = [(row["patient"], Kind.PATIENT_NAME)] if "patient" in row else []
        yield Case({"text": _unmarked(row["text"])}, KnownTerms.of(known))


def _unmarked(marked: str) -> Text:
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    length = at = 0
    for match in _MARKED.finditer(marked):
        parts += [marked[at : match.start()], match[1]]
        length += match.start() - at
        places.append((length, length + len(match[1])))
        length += len(match[1])
        at = match.end()
    return Text("".join(parts) + marked[at:], tuple(places))


def measure(of: str) -> tuple[dict[str, float], dict[str, object]]:
    """The two figures of free text, over one of the sets."""
    return count_cases(cases(of), Lexicon())


def first_readings() -> dict[str, object]:
    """What the rules made of each set when they first saw it."""
    path = Path(__file__).with_name("deid_text_first_readings.json")
    content: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return content


def main() -> None:
    """Measure and print."""
    report.arguments(__doc__ or "")
    figures: dict[str, float] = {}
    details: dict[str, object] = {}
    for of in SETS:
        measured, details[of] = measure(of)
        figures |= {f"{of}_{key}": value for key, value in measured.items()}
    details["first_reading"] = first_readings()
    report.finish(figures, details)


if __name__ == "__main__":
    main()
