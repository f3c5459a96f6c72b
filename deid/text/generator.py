# SPDX-License-Identifier: Apache-2.0
"""Makes texts with names and places at known positions, for training the token classifier.

Reports, letters and header fields are put together by chance from sentences of this module and from
the word lists. Names that ``lexicon.is_held_out`` never occur.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from deid.text.lexicon import english_words, is_held_out, names, place_words, table

_SLOT = re.compile(r"\{(\w+)\}")


class Made(NamedTuple):
    """A text and where its names and places are: start, end, ``name`` or ``place``."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


_FRAMES = (
    "{label}: {person}\n{label2}: {number}\nDOB: {date}\n{body}\nElectronically signed by {doctor}, MD",
    "RE: {person}\n\nDear Dr. {family},\n\nThank you for referring {mr} {family}, {age}-year-old, to us. {body}\n\nSincerely,\n{doctor}",
    "EXAM: {exam}\nHISTORY: {history}\nCOMPARISON: {date}\nTECHNIQUE: {sentence}\nFINDINGS: {body}\nIMPRESSION: {sentence} {sentence}\nDictated by: {doctor}",
    "{person} was seen in clinic on {date}. {body} Findings were discussed with Dr. {family} at 14:20.",
    "{family}, {given}: {sentence} {body}",
    "{body} {given} {family} will return to {place}. {sentence}",
    "{exam} {family} {given}",
    "{lperson} {lexam}",
    "{lexam} {lperson} {lsentence}",
    "{exam} per {doctor}; tech {given}",
    "Pt {given} {family} from {place}, {lsentence}",
    "{body}",
    "{body}\n{body}",
    "{exam}",
    "{lexam}",
    "{heading}: {body}",
    "{heading}\n{words}",
    "{Eponym} {clinical} {clinical}. {body}",
    "{clinical} {Eponym} {clinical}, {clinical}",
    "{lwords} {lperson} {lwords}",
    "{uwords} {uperson}",
    "{lwords}",
    "{uwords}",
    "{uforeign}",
    "{heading} {person} {heading}",
    "{words} {family}. {words}.",
    "{words}. {given} {words}.",
    "{words} {given} {family} {words}",
    "{words} {place}.",
    "{words}",
    "{words}. {words}.",
    "{foreign}",
    "{foreign}\n{foreign}",
    "{foreign} {person} {foreign}",
    "{title} {person}, {foreign}",
    "Patient: {person}. {foreign}. {title} {family}",
    "Called {mr} {family}'s {relative} {given} at home in {place}. {body}",
    "Transferred from {place} {inst}. {body} The patient, {given}, denies pain.",
    "Discussed with {doctor} and {doctor}. {body}",
    "{given} {letter}. {family} presented with {history}. {body}",
    "{family} {exam} {date} {place}",
    "cc: {doctor}; {doctor}\n{body}",
    "{eponym} {body}",
    "{body} {eponym}",
    "{mr} {family} reports {history}. {eponym}",
    "{given} lives in {place} with her {relative} {given}. {body}",
    "tech: {lgiven}, {lsentence}",
    "spoke to {lgiven} {lfamily} re {lexam}",
    "{uperson} {uexam}",
    "{ubody} {uperson} {ubody}",
    "{ubody}",
    "Study for {given} {family} ({age} y) – {exam}. Read by {family}.",
    "{doctor} asked for {lexam}. {sentence} Reviewed with {family} and {family}.",
)
_EXAMS = (
    "CT Chest without contrast|MRI Brain w/wo|XR Knee 3 Views Left|US Abdomen Complete|CTA Head and Neck|"
    "PET/CT Skull Base to Thigh|Mammogram Bilateral Screening|MR Lumbar Spine|CT Abdomen and Pelvis with IV "
    "contrast|Chest 2 Views|Echo Transthoracic|DEXA Hip|Fluoro Guided Injection|NM Bone Scan|T2 FLAIR Axial|"
    "DWI ADC Map|Thorax Routine 5.0 B31f|SAG T1 SE|Localizer|Topogram 0.6 T20s|MPR Coronal|Obstetric Ultrasound"
).split("|")
_HISTORY = (
    "shortness of breath|right lower quadrant pain|fall from standing height|known breast cancer|persistent "
    "cough|fever and chills|headache, rule out bleed|follow-up nodule|back pain radiating to the left leg|"
    "abnormal liver enzymes|trauma|weight loss|hematuria|chest pain|knee swelling|seizure|stroke symptoms"
).split("|")
_PLACES_OF = (
    "right lower lobe|left kidney|pancreatic head|L4-L5 level|right hepatic lobe|frontal lobe|medial meniscus|"
    "left breast at 10 o'clock|mediastinum|distal radius|sigmoid colon|gallbladder|thyroid gland|aortic arch|"
    "bilateral lung bases|posterior fossa|left ventricle|urinary bladder|spleen|cervical spine|rotator cuff"
).split("|")
_FINDINGS = (
    "mass|nodule|cyst|fracture|effusion|consolidation|hemorrhage|stenosis|calcification|thickening|tear|edema|"
    "enlargement|lesion|opacity|stone|aneurysm|dilatation|hematoma|enhancement|atelectasis|infarct|abscess"
).split("|")
_QUALITIES = (
    "small|large|mild|moderate|severe|stable|new|unchanged|focal|diffuse|subtle|well-defined|irregular|benign|"
    "suspicious|chronic|acute|lobulated|hypodense|hyperintense|nonspecific|tiny|complex|simple|calcified"
).split("|")
_SENTENCES = (
    "There is a {quality} {finding} in the {site}.|No evidence of {finding} in the {site}.|The {site} is "
    "unremarkable.|{Quality} {finding} of the {site} measuring {mm} x {mm} mm.|Interval increase in {finding} "
    "within the {site}.|Correlate clinically.|Recommend follow-up in {months} months.|Heart size is normal.|"
    "No pleural effusion or pneumothorax.|Limited study due to motion.|The {site} shows {quality} {finding}, "
    "previously {mm} mm.|Degenerative changes are {quality}.|Findings suggest {quality} {finding}.|Images were "
    "obtained before and after administration of {mm} mL Omnipaque.|The visualized {site} appears {quality}.|"
    "Compared to the prior study, the {finding} is {quality}.|{Quality} appearance of the {site}.|Lungs are "
    "clear.|BI-RADS category {months}.|Impression: {quality} {finding}.|White matter is preserved.|Liver and "
    "spleen are within normal limits.|Patient tolerated the procedure well.|Osseous structures are intact."
).split("|")
_EPONYMS = (
    "{Eponym}'s disease is suspected.|History of {Eponym} syndrome.|A {Eponym} cyst is seen.|{Eponym} sign is "
    "negative.|Known {Eponym}'s.|Evaluate for {Eponym} disease.|{Eponym} fracture of the wrist.|{Eponym} nodes "
    "are noted at L2.|Staged by {Eponym} criteria.|{Eponym}-{Eponym} syndrome."
).split("|")
_RELATIVES = ("wife", "husband", "mother", "daughter", "son", "brother", "father", "sister")
_INSTITUTIONS = ("Hospital", "Medical Center", "Clinic", "General Hospital", "Regional Hospital")
_TITLES = (
    "Herr|Frau|Monsieur|Madame|Señor|Señora|Signor|Dott.|Dr.|Prof.|Mme|Sra.|Meneer|Pani".split("|")
)


@cache
def _trained(part: str) -> tuple[str, ...]:
    return tuple(sorted(name for name in names(part) if not is_held_out(name) and len(name) > 1))


@cache
def _listed() -> dict[str, tuple[str, ...]]:
    foreign = [row for row in table("clinical_words") if row["topic"] in ("descriptor", "general")]
    by_language: dict[str, list[str]] = {}
    for row in foreign:
        by_language.setdefault(row["language"], []).extend(row["words"].split())
    clinical = [
        word
        for row in table("clinical_words")
        if row["topic"] in ("finding", "procedure", "drug", "anatomy", "abbreviation", "common")
        for word in row["words"].split()
    ]
    eponyms = [row["words"] for row in table("clinical_words") if row["topic"] == "eponym"]
    lists = {language: tuple(words) for language, words in by_language.items()}
    lists["clinical"] = tuple(clinical)
    lists["eponym"] = tuple(eponyms[0].split())
    lists["english"] = tuple(sorted(english_words()))
    lists["places"] = tuple(sorted(place_words()))
    return lists


class Generator:
    """Makes texts; the same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  # no secret hangs on it
        self._spans: list[tuple[int, int, str]] = []
        self._parts: list[str] = []
        self._length = 0

    def make(self) -> Made:
        """One text."""
        self._spans, self._parts, self._length = [], [], 0
        self._write(self._random.choice(_FRAMES), str)
        return Made("".join(self._parts), tuple(self._spans))

    def _put(self, text: str, label: str | None = None) -> None:
        if label and text:
            self._spans.append((self._length, self._length + len(text), label))
        self._parts.append(text)
        self._length += len(text)

    def _write(self, frame: str, case: Callable[[str], str]) -> None:
        at = 0
        for match in _SLOT.finditer(frame):
            self._put(case(frame[at : match.start()]))
            self._fill(match[1], case)
            at = match.end()
        self._put(case(frame[at:]))

    def _fill(self, slot: str, case: Callable[[str], str]) -> None:
        if slot[0] in "lu" and slot[1:] in (
            "person", "given", "family", "exam", "sentence", "body", "words", "foreign"
        ):  # fmt: skip
            case = str.lower if slot[0] == "l" else str.upper
            slot = slot[1:]
        if slot in ("given", "family"):
            self._name(slot, case)
        elif slot in _COMPOSED:
            self._write(self._random.choice(_COMPOSED[slot]), case)
        elif slot == "body":
            for _ in range(self._random.randint(1, 4)):
                self._write(self._random.choice(_SENTENCES) + " ", case)
        elif slot == "place":
            self._put(case(self._random.choice(_listed()["places"]).title()), "place")
        else:
            self._put(case(self._plain(slot)))

    def _name(self, part: str, case: Callable[[str], str]) -> None:
        chosen = self._random.choice(_trained(part)).title()
        if part == "family" and self._random.random() < 0.1:
            chosen += "-" + self._random.choice(_trained(part)).title()
        at = 0
        for match in re.finditer(r"[^\W\d_]+", chosen):
            self._put(chosen[at : match.start()])
            self._put(case(match.group()), "name")
            at = match.end()

    def _plain(self, slot: str) -> str:
        choose, lists = self._random.choice, _listed()
        made: dict[str, Callable[[], str]] = {
            "letter": lambda: choose("ABCDEFGHJKLMNPRSTW"),
            "label": lambda: choose(("Patient", "Patient Name", "Name", "PATIENT", "Pt")),
            "label2": lambda: choose(("MRN", "ID", "Accession", "Record")),
            "number": lambda: str(self._random.randint(10000, 99999999)),
            "date": lambda: (
                f"{self._random.randint(1, 12)}/{self._random.randint(1, 28)}/20{self._random.randint(10, 26)}"
            ),
            "age": lambda: str(self._random.randint(1, 89)),
            "mm": lambda: str(self._random.randint(2, 80)),
            "months": lambda: str(self._random.randint(1, 6)),
            "exam": lambda: choose(_EXAMS),
            "history": lambda: choose(_HISTORY),
            "quality": lambda: choose(_QUALITIES),
            "Quality": lambda: choose(_QUALITIES).capitalize(),
            "finding": lambda: choose((choose(_FINDINGS), choose(lists["clinical"]))),
            "site": lambda: choose(_PLACES_OF),
            "relative": lambda: choose(_RELATIVES),
            "inst": lambda: choose(_INSTITUTIONS),
            "title": lambda: choose(_TITLES),
            "mr": lambda: choose(("Mr.", "Mrs.", "Ms.", "Mr", "Ms", "Miss")),
            "Eponym": lambda: choose(lists["eponym"]).title(),
            "clinical": lambda: choose(lists["clinical"]),
            "heading": lambda: self._words("english").title(),
            "words": lambda: self._words("english"),
            "foreign": lambda: self._words(choose("de fr es it pt nl pl ru el tr".split())),
        }
        return made[slot]()

    def _words(self, language: str) -> str:
        lists, count = _listed(), self._random.randint(3, 10)
        words = [
            self._random.choice(lists[language if self._random.random() < 0.6 else "clinical"])
            if language == "english"
            else self._random.choice(lists[language])
            for _ in range(count)
        ]
        share = 0.5 if language == "de" else 0.1
        words = [word.title() if self._random.random() < share else word for word in words]
        return " ".join([words[0].capitalize(), *words[1:]])


_COMPOSED = {
    "person": (
        "{given} {family}", "{family}, {given}", "{given} {letter}. {family}", "{family}^{given}",
        "{given} {given} {family}", "{family} {given}", "{letter}. {family}", 
    ),
    "doctor": ("{given} {family}", "Dr. {family}", "Dr {given} {family}", "{letter}. {family}", "{family}"),
    "sentence": tuple(_SENTENCES),
    "eponym": tuple(_EPONYMS),
}  # fmt: skip
