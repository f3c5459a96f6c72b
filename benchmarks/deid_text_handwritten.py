# SPDX-License-Identifier: Apache-2.0
"""Sentences written by hand, apart from every generator: identifiers left, and harmless words kept.

``[[…]]`` marks an identifier. Most sentences stand alone, with no header to look names up in, and
names in them are in the package's list or not as it comes. ``patient`` is the header's Patient Name
of the few that have one. Each sentence is a text of its own. The rules were mended on both sets;
what the rules of the time made of a set not seen before is in the results, ``first_reading``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks import report
from benchmarks.deid_text import Case, Text, count_cases
from deid.text import Kind, KnownTerms, Lexicon

SETS = ("handwritten", "unseen", "reports_by_hand")
_MARKED = re.compile(r"\[\[(.+?)\]\]")


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


def main() -> None:
    """Measure and print."""
    report.arguments(__doc__ or "")
    figures: dict[str, float] = {}
    details: dict[str, object] = {}
    for of in SETS:
        measured, details[of] = measure(of)
        figures |= {f"{of}_{key}": value for key, value in measured.items()}
    report.finish(figures, details)


if __name__ == "__main__":
    main()
