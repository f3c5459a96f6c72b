# SPDX-License-Identifier: Apache-2.0
"""Free text: identifiers left in it, and harmless words kept.

Names are every tenth of the package's list, by their hash: training never saw them, and the
measurement takes them out of the list, so they count as unlisted. Sentences are others than those
of training. A name is left if one word of it, a number or date if one of its characters is left;
every other word and number of the texts is harmless.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from benchmarks import report
from benchmarks.deid_text_people import Person, person, slots_of
from benchmarks.deid_text_reports import HEADER_TEXTS, REPORTS
from deid.text import Kind, KnownTerms, Lexicon, TextDeidentifier
from deid.text.deidentifier import CleanText
from deid.text.lexicon import is_held_out

SEED = 20261101
_SLOT = re.compile(r"\{(\w+)\}")
_PIECE = re.compile(r"[^\W_]+")
_MOST_EXAMPLES = 250
# Marked only so that the sentence fits the patient.
_HARMLESS_SLOTS = frozenset({"He", "His", "Mr", "Mrs"})


class Text(NamedTuple):
    """A text and where its identifiers are."""

    content: str
    identifiers: tuple[tuple[int, int], ...]


class Case(NamedTuple):
    """The texts of one patient, and what the header says of them."""

    texts: dict[str, Text]
    known: KnownTerms


def filled(template: str, slots: dict[str, str]) -> Text:
    """Fill a template and note where its identifiers are."""
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    length = at = 0
    for match in _SLOT.finditer(template):
        before = template[at : match.start()]
        value = slots[match[1]]
        parts += [before, value]
        length += len(before)
        if match[1] not in _HARMLESS_SLOTS:
            places.append((length, length + len(value)))
        length += len(value)
        at = match.end()
    return Text("".join(parts) + template[at:], tuple(places))


def cases(seed: int, count: int) -> Iterator[Case]:
    """Patients with one report and two header texts each; a third of them have no header."""
    chance = random.Random(seed)  # noqa: S311
    for number in range(count):
        patient, referrer, other = person(chance), person(chance), person(chance)
        slots = slots_of(chance, patient, referrer, other)
        texts = {
            "report": filled(REPORTS[number % len(REPORTS)], slots),
            "comment": filled(chance.choice(HEADER_TEXTS), slots),
            "description": filled(chance.choice(HEADER_TEXTS), slots),
        }
        yield Case(texts, _known(patient, referrer, slots, with_header=number % 3 > 0))


def _known(
    patient: Person, referrer: Person, slots: dict[str, str], *, with_header: bool
) -> KnownTerms:
    names = [(f"{patient.family}^{patient.given}", Kind.PATIENT_NAME)]
    names += [
        (slots[key], Kind.PATIENT_NAME)
        for key in ("patient_ru", "patient_ja", "patient_zh", "patient_ko")
    ]
    if not with_header:
        # The reports alone: only the name in the header's Patient Name.
        return KnownTerms.of(names)
    return KnownTerms.of(
        [
            *names,
            (f"{referrer.family}^{referrer.given}", Kind.PHYSICIAN_NAME),
            (slots["mrn"], Kind.PATIENT_ID),
            (slots["accession"], Kind.ACCESSION_NUMBER),
        ]
    )


def measure(quick: bool) -> tuple[dict[str, float], dict[str, object]]:
    """The figures ``text_identifiers_left`` and ``text_clinical_kept``, and what they stand on."""
    return count_cases(cases(SEED, 190 if quick else 3800), Lexicon(without=is_held_out))


def count_cases(
    texts_of: Iterable[Case], lexicon: Lexicon
) -> tuple[dict[str, float], dict[str, object]]:
    """Clean the texts of every case and count identifiers left and harmless words lost."""
    left: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    identifiers = harmless = kept = 0
    for case in texts_of:
        deidentifier = TextDeidentifier(case.known, lexicon=lexicon)
        cleaned = deidentifier.clean_all({key: text.content for key, text in case.texts.items()})
        for key, text in case.texts.items():
            identifiers += len(text.identifiers)
            left.update(_left(text, cleaned[key]))
            gone = list(_lost(text, cleaned[key]))
            lost.update(gone)
            count = sum(1 for _ in _harmless(text))
            harmless += count
            kept += count - len(gone)
    figures = {
        "text_identifiers_left": float(sum(left.values())),
        "text_clinical_kept": round(kept / harmless, 5),
    }
    details: dict[str, object] = {
        "identifiers": identifiers,
        "harmless_words": harmless,
        "left": left.most_common(_MOST_EXAMPLES),
        "lost": lost.most_common(_MOST_EXAMPLES),
    }
    return figures, details


def _covered(cleaned: CleanText, start: int, end: int) -> bool:
    at = start
    for span in cleaned.spans:
        if span.start <= at < span.end:
            at = span.end
    return at >= end


def _left(text: Text, cleaned: CleanText) -> Iterator[str]:
    for start, end in text.identifiers:
        value = text.content[start:end]
        for piece in _PIECE.finditer(value):
            begin, stop = start + piece.start(), start + piece.end()
            if tells(piece.group()) and not _covered(cleaned, begin, stop):
                yield f"{piece.group()} in {text.content[max(0, start - 20) : end + 12]!r}"
                break


def tells(piece: str) -> bool:
    """Particles, titles, degrees and single letters identify nobody."""
    return len(piece) > 1 and piece.lower() not in (
        "ph", "phd", "frcr", "frcs", "frcp", "mrcp", "mbbs", "rn", "pa", "np", "rt", "do", "facr",
        "dr", "de", "van", "von", "der", "la", "el", "del", "of", "the", "md", "st", "mr", "mrs",
        "al", "miss", "ms", "prof", "professor", "sir", "herr", "frau", "mme", "mlle", "sr", "sra",
        "dra", "dott", "sig", "dhr", "mevr", "pan", "pani", "nurse", "sister",
    )  # fmt: skip


def _harmless(text: Text) -> Iterator[re.Match[str]]:
    for match in _PIECE.finditer(text.content):
        if not any(start < match.end() and match.start() < end for start, end in text.identifiers):
            yield match


def _lost(text: Text, cleaned: CleanText) -> Iterator[str]:
    for match in _harmless(text):
        for span in cleaned.spans:
            if span.start < match.end() and match.start() < span.end:
                if span.replacement is not None and span.kind is Kind.AGE:
                    continue
                around = text.content[max(0, match.start() - 15) : match.end() + 15]
                yield f"{match.group()} ({span.kind}, {span.detector}) in {around!r}"
                break


def main() -> None:
    """Measure and print."""
    options = report.arguments(__doc__ or "")
    figures, details = measure(options.quick)
    report.finish(figures, details)


if __name__ == "__main__":
    main()
