# SPDX-License-Identifier: Apache-2.0
"""The graylist resolved by context: words of medicine that are names of people too.

``Parkinson`` is a name and ``Parkinson's disease`` is not; ``Short`` may be a name, ``short axis``
never is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from deid.text.cue_words import cues, is_little_word
from deid.vocabulary import folded

if TYPE_CHECKING:
    from deid.text.passage import Passage
    from deid.text.tokens import Token

_GRADE = re.compile(r" (?:\d{1,2}[A-Fa-f]?|[IV]{1,3}[ABab]?|[A-E])(?![\w/]|[.-]\d)")
_LONGEST_LIST = 16
_OF_STRUCTURES = (
    "foramen of", "ampulla of", "sphincter of", "pouch of", "ligament of", "circle of", "canal of",
    "duct of", "ducts of", "valve of", "valves of", "bundle of", "tubercle of", "islets of",
    "crypts of", "space of", "spaces of", "fissure of", "angle of", "triangle of", "sign of",
    "antrum of", "arcade of", "arc of", "fascia of", "gland of", "glands of", "line of", "loop of",
    "cave of", "cistern of", "vein of", "veins of", "artery of", "nerve of", "node of", "nodes of",
    "tetralogy of", "pentalogy of", "aneurysm of", "stump of", "band of", "foramina of", "hook of",
)  # fmt: skip
_ROW = 2
_COMPOUND = re.compile(r"-(?:[A-Z\d]{1,2}-)?([^\W\d_]{4,})")
_LONGEST_MODEL = 3
_JOINING = frozenset(str.split("and or und oder et ou y o e ed of en"))
_STRONG_HEADS = frozenset(
    str.split(
        "disease syndrome sign classification criteria score procedure phenomenon "
        "fracture lymphoma sarcoma malformation tumor tumour grade palsy thyroiditis "
        "krankheit maladie enfermedad catheter needle stent prosthesis sheath filter "
        "fingers lines method nodes cyst technique maneuver osteotomy fundoplication tube "
        "coil drain view views index scale staging ratio circulation injury wire wires "
        "deformity pin nail screw plate operation anomaly dystrophy dementia syndrom "
        "sindrome nodule lesion catheters stents signs fractures cysts nodes clips "
    )
)
_ALONE = frozenset(
    str.split(
        "parkinson alzheimer crohn hodgkin cushing huntington graves raynaud hashimoto "
        "sjogren paget barrett addison marfan ewing kaposi wegener wilms takayasu "
        "kawasaki "
    )
)
# Nobody is called so who would be written about without first name or title.
_NEVER_NAMES = frozenset(str.split("doppler hounsfield gleason birads pirads "))


@cache
def _phrases() -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(re.split(r"[\s-]", phrase)) for phrase in cues("gray phrase"))


@dataclass(frozen=True)
class Graylist:
    """Finds the words of a passage that are clinical in their phrase.

    Attributes
    ----------
    passage:
        The text and its words.
    """

    passage: Passage

    def words(self) -> frozenset[int]:
        """Indices of the words that are clinical in their phrase, whosoever has such a name."""
        found = self._in_phrases() | set(self._of_vendors()) | self._eponyms_in_a_row()
        for at, token in enumerate(self.passage.tokens):
            if token.fold == "french" and at and self.passage.tokens[at - 1].kind == "number":
                found.add(at)
            elif token.is_word and at not in found and self._is_eponym_here(at):
                found.add(at)
                for side in (self.passage.word_before(at), self.passage.word_after(at)):
                    if side is not None and self._is_joined(at, side):
                        found.add(side)
        return frozenset(found)

    def _in_phrases(self) -> set[int]:
        found: set[int] = set()
        words = [at for at, token in enumerate(self.passage.tokens) if token.is_word]
        for first in range(len(words)):
            for length in (2, 3):
                window = words[first : first + length]
                if len(window) == length and window[-1] - window[0] <= 2 * (length - 1):
                    folds = tuple(self.passage.tokens[at].fold for at in window)
                    if folds in _phrases() and not self._has_break(window[0], window[-1]):
                        found.update(window)
        return found

    def _has_break(self, first: int, last: int) -> bool:
        between = self.passage.tokens[first + 1 : last]
        if self.passage.tokens[first].fold == "st" and [token.text for token in between] == ["."]:
            return False
        return any(token.kind in ("line", "number") or token.text in ".,;:" for token in between)

    def _is_joined(self, at: int, side: int) -> bool:
        """Whether a hyphen alone joins another eponym to this one: ``Hill-Sachs``."""
        first, last = sorted((at, side))
        joint = self.passage.text[self.passage.tokens[first].end : self.passage.tokens[last].start]
        return joint == "-" and self._looks_like_eponym(side)

    def _looks_like_eponym(self, at: int) -> bool:
        token = self.passage.tokens[at]
        return token.text[:1].isupper() or self.passage.lexicon.is_eponym(token.fold)

    def _is_eponym_here(self, at: int) -> bool:
        token = self.passage.tokens[at]
        listed = self.passage.lexicon.is_eponym(token.fold)
        if not listed and not token.text[:1].isupper():
            return False
        if token.fold in _NEVER_NAMES or self._is_modal(at):
            return True
        head = self._head_after(at) or (self._head_of_list(at) if listed else None)
        if head is not None and (listed or head in _STRONG_HEADS):
            return not self._follows_title(at) and (listed or self._is_inside(at))
        if not listed:
            return self._of_structure(at)
        return (
            self._of_structure(at)
            or self._names_device(at)
            or self._leads_compound(at)
            or self._asks(at)
            or self._follows_phrase(at)
            or self._precedes_clinical(at)
            or self._precedes_grade(at)
        )

    def _is_inside(self, at: int) -> bool:
        """Whether no text begins with the word: ``KOWALSKI FRACTURE``, ``Kowalski fracture
        f/u``."""
        if not self.passage.starts_sentence(at):
            return True
        return at > 1 and self.passage.tokens[at - 1].text in ".(" and self.passage.is_cased

    def _of_structure(self, at: int) -> bool:
        """``foramen of Winslow``, be the name listed or not."""
        start = self.passage.tokens[at].start
        return self.passage.plain[max(0, start - 24) : start].rstrip().endswith(_OF_STRUCTURES)

    def _names_device(self, at: int) -> bool:
        """``IVC filter (Greenfield)``: in brackets behind what is called so."""
        token = self.passage.tokens[at]
        if self.passage.text[token.end : token.end + 1] not in (")", ","):
            return False
        before = self.passage.word_before(at, "(")
        if before is None or self.passage.text[token.start - 1] != "(":
            return False
        head = self.passage.tokens[before]
        return head.text.islower() and head.fold in cues("eponym head")

    def _leads_compound(self, at: int) -> bool:
        """``Scheuermann-Residuen``, ``Weber-C-Fraktur``: a hyphen joins a word that is no name."""
        match = _COMPOUND.match(self.passage.text, self.passage.tokens[at].end)
        if match is None or self._follows_title(at):
            return False
        fold, lexicon = folded(match[1]), self.passage.lexicon
        return lexicon.is_known(fold) and not lexicon.is_name(fold)

    def _asks(self, at: int) -> bool:
        """``Parkinson's`` on its own, ``Marfan?``."""
        token = self.passage.tokens[at]
        if token.possessive and token.fold in _ALONE:
            return True
        asked = self.passage.text[token.end : token.end + 1] == "?"
        return asked and not self._follows_title(at)

    def _is_modal(self, at: int) -> bool:
        """``May show``, ``Will need`` at the start of a sentence."""
        after = self.passage.word_after(at)
        if self.passage.tokens[at].fold not in ("may", "will") or after is None:
            return False
        verb = self.passage.tokens[after]
        third = verb.fold.endswith(("ed", "s")) or verb.fold in ("was", "is", "has")
        titled = self._follows_title(at)
        return self.passage.starts_sentence(at) and verb.text.islower() and not (third or titled)

    def _precedes_grade(self, at: int) -> bool:
        """``Bosniak 2F``, ``Modic II``."""
        following = self.passage.text[self.passage.tokens[at].end : self.passage.tokens[at].end + 5]
        grade = _GRADE.match(following)
        if grade is None or self._follows_title(at):
            return False
        return not (len(grade.group()) == 2 and self._is_initial_of(at + 1))

    def _is_initial_of(self, at: int) -> bool:
        """Whether a single letter is a middle initial: ``Garden C. Mayfield``, no grade."""
        following = self.passage.tokens[at + 1 : at + 3]
        if following and following[0].is_word and not following[0].text.islower():
            # "CARLOS A MENDOZA"
            fold, lexicon = following[0].fold, self.passage.lexicon
            return lexicon.is_name(fold) and not lexicon.is_known(fold)
        if len(following) < 2 or following[0].text != "." or not following[1].is_word:
            return False
        if not self.passage.tokens[at].is_word or self._looks_listed(following[1]):
            return False
        return following[1].is_capital and not self.passage.lexicon.is_known(following[1].fold)

    def _looks_listed(self, token: Token) -> bool:
        return self.passage.lexicon.is_eponym(token.fold)

    def _precedes_clinical(self, at: int) -> bool:
        """Whether a word of medicine in small letters follows: ``Simpson biplane``."""
        after = self.passage.word_after(at)
        if after is None or self._follows_title(at) or not self.passage.is_cased:
            return False
        token = self.passage.tokens[after]
        return (
            token.text.islower()
            and len(token.text) > 4
            and self.passage.lexicon.is_own(token.fold)
            and not token.fold.endswith(("ed", "es"))
        )

    def _head_after(self, at: int) -> str | None:
        """The head of an eponym one word on, or behind the second half of a double name."""
        after = self.passage.word_after(at, "-'’")
        if after is None:
            return None
        if self.passage.tokens[after].fold in cues("eponym head"):
            return self.passage.tokens[after].fold
        if after - at == 2 and self.passage.tokens[at + 1].text == "-":
            return self._head_after(after)
        return None

    def _head_of_list(self, at: int) -> str | None:
        """The head that several share: ``Lisfranc, Chopart and Stener lesions``, ``Hess 2``."""
        for index in range(at + 1, min(at + _LONGEST_LIST, len(self.passage.tokens))):
            token = self.passage.tokens[index]
            if token.is_word:
                if token.fold in cues("eponym head"):
                    return token.fold
                named = token.text[0].isupper() and self.passage.lexicon.is_eponym(token.fold)
                organ = token.text.islower() and self.passage.lexicon.is_own(token.fold)
                organ = organ and not is_little_word(token.fold)
                if not (named or organ or token.fold in _JOINING):
                    return None
            elif token.kind != "mark" or token.text not in ",/&-–":
                return None
        return None

    def _eponyms_in_a_row(self) -> set[int]:
        """Three side by side, or two that a hyphen joins: ``Kayser-Fleischer``, ``Nash-Moe``."""
        found: set[int] = set()
        run: list[int] = []
        hyphened = True
        for at, token in enumerate(self.passage.tokens):
            if self._may_be_in_a_row(at) and (run or not self._follows_title(at)):
                run.append(at)
            elif (
                token.text == "-"
                and self.passage.text[token.start - 1 : token.end + 1].strip() != "-"
            ):
                continue
            elif token.text in ",/" or token.fold in _JOINING:
                hyphened = False
                continue
            else:
                found.update(run if self._is_row(run, hyphened=hyphened) else ())
                run, hyphened = [], True
        return found | set(run if self._is_row(run, hyphened=hyphened) else ())

    def _is_row(self, run: list[int], *, hyphened: bool) -> bool:
        different = len({self.passage.tokens[at].fold for at in run})
        return different > _ROW or (different == _ROW and hyphened)

    def _may_be_in_a_row(self, at: int) -> bool:
        token = self.passage.tokens[at]
        capital = token.is_word and len(token.text) > 2 and token.text[0].isupper()
        return capital and self.passage.is_cased and self.passage.lexicon.is_eponym(token.fold)

    def _of_vendors(self) -> Iterator[int]:
        """Words with a capital behind a maker of devices: ``Siemens Avanto``."""
        for at, token in enumerate(self.passage.tokens):
            if token.fold not in cues("vendor") or not token.text[0].isupper():
                continue
            if not self.passage.is_cased or self._follows_title(at):
                continue
            after, models = self.passage.word_after(at, "-"), 0
            if after is not None and self._is_device(after):
                yield at
            if after is None or not self.passage.tokens[after].text[0].isupper():
                continue
            while after is not None and models < _LONGEST_MODEL:
                if not self.passage.tokens[after].text[0].isupper():
                    break
                yield after
                after, models = self.passage.word_after(after, "-"), models + 1
            yield at

    def _is_device(self, at: int) -> bool:
        """``Synthes volar plate``: what medicine has a word for, by a maker."""
        token = self.passage.tokens[at]
        headed = token.fold in cues("eponym head") or self.passage.lexicon.is_own(token.fold)
        return token.text.islower() and headed and not is_little_word(token.fold)

    def _follows_title(self, at: int) -> bool:
        before = self.passage.word_before(at, ".-")
        if (
            before is None
            or self.passage.text[self.passage.tokens[before].end : self.passage.tokens[at].start]
            == "-"
        ):
            return False
        token = self.passage.tokens[before]
        if token.fold in cues("title"):
            return True
        given = self.passage.lexicon.is_given(token.fold) and not self.passage.lexicon.is_known(
            token.fold
        )
        return given and token.is_capital

    def _follows_phrase(self, at: int) -> bool:
        before = self.passage.plain[
            max(0, self.passage.tokens[at].start - 24) : self.passage.tokens[at].start
        ].rstrip(" -(")
        return (
            before.endswith(_OF_STRUCTURES)
            or any(before.endswith(phrase) for phrase in cues("eponym before") if " " in phrase)
            or before.split(" ")[-1].strip("(")
            in (
                "morbus",
                "morbo",
                "biplane",
                "choroba",
                "синдром",
                "синдрома",
                "синдромом",
                "болезнь",
                "болезни",
                "болезнью",
                "reverse",
            )
        )
