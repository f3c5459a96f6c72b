# SPDX-License-Identifier: AGPL-3.0-or-later
"""Codes and words by which headers name a species: people, animals, and nothing at all.

Codes are those of PS3.16 CID 7454, Animal Taxonomic Rank Value, in SNOMED CT and as SNOMED RT had
them. Words are compared as ``words_of`` leaves them.
"""

from __future__ import annotations

import re
import unicodedata

# What NFKD does not take apart.
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "_": " "})
_IN_PARENTHESES = re.compile(r"\([^()]*\)")
_WORD = re.compile(r"\w+")
_NOT_HUMAN = re.compile(r"\b(?:non|no|nicht|niet|nao) ?(?:human|humain|uman|mensch|mensel)\w*")


def words_of(text: str) -> str:
    """Lower-case words between single blanks, without accents, punctuation and ``(...)``."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(one for one in parts if not unicodedata.combining(one)).translate(_LETTERS)
    words = _WORD.findall(_IN_PARENTHESES.sub(" ", plain)) or _WORD.findall(plain)
    return _NOT_HUMAN.sub("nonhuman", " ".join(words))


def _words(listed: str) -> frozenset[str]:
    return frozenset(words_of(one) for one in listed.split(","))


SNOMED = frozenset(("SCT", "SRT", "SNM3"))
SNOMED_CODE = re.compile(r"\d{6,18}|L-[0-9A-F]{5}")
"""A code of SNOMED CT, or of the living organisms of SNOMED RT."""

HUMAN_CODES = frozenset(
    (
        "337915000", "L-85B00", "L-85003", "C0086418",
        "278412004", "125676002", "116154003",  # human being, person, patient
        "248152002", "248153007",  # female, male
        "133936004", "67822003", "133931009", "133933007",  # adult, child, infant, newborn
    )
)  # fmt: skip
"""Homo sapiens, in UMLS too, and what else of SNOMED CT stands for a person. Value alone: devices
write their own names of the scheme."""

ANIMAL_CODES = frozenset(
    (
        "107007004", "125076001", "125097000", "125099002", "34618005", "35354009", "36571002",
        "36855005", "371564000", "371565004", "388168008", "388249000", "388254009", "388393002",
        "388445009", "388490000", "388626009", "406733009", "447482001", "447612001", "448169003",
        "448771007", "449310008", "78678003",
        "L-000A9", "L-000F9", "L-001DE", "L-00376", "L-86B02", "L-877FB", "L-877FC", "L-87830",
        "L-87831", "L-87A02", "L-88121", "L-88124", "L-881FC", "L-88423", "L-8A102", "L-8B100",
        "L-8B1FB", "L-8B941", "L-8B9F9", "L-8BA18", "L-8C306", "L-8C336", "L-8C3FB", "L-8C3FD",
    )
)  # fmt: skip

HUMAN = _words(
    "homo, sapiens, homosapiens, human, humans, mensch, menschen, menschlich, humain, humaine,"
    "humains, humaines, humano, humana, humanos, humanas, umano, umana, umani, menselijk, ludzki,"
    "människa, menneske, ihminen, człowiek, člověk, человек, человеческий, людина, άνθρωπος, ember,"
    "insan, ヒト, 人, 人間, 人类, 人類, 사람, 인간, إنسان"
)
"""Beside these no name of an animal counts."""

UNSAID = _words(
    "man, men, woman, male, female, patient, person, adult, child, infant, baby, newborn, mens,"
    "mann, frau, kind, erwachsener, homme, femme, adulte, enfant, hombre, mujer, persona, adulto,"
    "niño, homem, mulher, uomo, donna, vrouw, volwassene, pacjent, mężczyzna, kobieta, пациент,"
    "мужчина, женщина, anon, anonymous, anonymized, anonymised, anonymisiert, anonymisé,"
    "deidentified, identified, redacted, removed, deleted, cleaned, cleared, blank, empty, dummy,"
    "masked, x, xx, xxx, xxxx, null, none, nil, na, n a, unknown, unbekannt, inconnu, desconocido,"
    "unspecified, not specified, undefined, not applicable, other, local code, local, test"
)
"""Words for anybody, and what stands where nobody said anything: they tell no species."""

ANIMALS = _words(
    # Whole groups, and their scientific names
    "nonhuman, primate, primates, canine, canines, feline, felines, equine, bovine, murine,"
    "leporine, lapine, porcine, swine, ovine, caprine, avian, simian, rodent, rodents, reptile,"
    "canis, felis, equus, bos taurus, bos indicus, bovinae, mus musculus, mus genus, genus mus,"
    "genus canis, rattus, oryctolagus, ovis aries, ovis, capra hircus, capra aegagrus, sus scrofa,"
    "cavia, mustela, macaca, papio, callithrix, pan troglodytes, chlorocebus, gallus gallus,"
    "danio rerio, xenopus, peromyscus, sigmodon, mesocricetus,"
    # English
    "dog, dogs, cat, cats, horse, horses, pony, donkey, cattle, cow, cows, mouse, mice, rat,"
    "rats, rabbit, rabbits, pig, pigs, piglet, minipig, sheep, lamb, goat, goats, monkey, monkeys,"
    "macaque, macaques, baboon, baboons, marmoset, marmosets, chimpanzee, gorilla, orangutan,"
    "lemur, bird, birds, chicken, parrot, hamster, gerbil, guinea pig, ferret, zebrafish, llama,"
    "alpaca, camel, tortoise, turtle, snake,"
    # German
    "Hund, Hunde, Hündin, Katze, Katzen, Kater, Pferd, Pferde, Rind, Rinder, Kuh, Maus, Mäuse,"
    "Ratte, Ratten, Kaninchen, Schwein, Schweine, Schaf, Schafe, Ziege, Ziegen, Affe, Affen,"
    "Vogel, Vögel, Frettchen, Meerschweinchen,"
    # French
    "chien, chiens, chienne, chat, chats, chatte, cheval, chevaux, bovin, bovins, vache, souris,"
    "lapin, lapins, porc, porcs, cochon, mouton, moutons, chèvre, singe, singes, oiseau, oiseaux,"
    "canin, féline, félin, équin, murin, ovin, caprin, porcin, furet, macaques,"
    # Spanish, Italian and Portuguese
    "perro, perros, perra, gato, gatos, gata, caballo, yegua, vaca, ratón, ratones, rata, ratas,"
    "conejo, conejos, cerdo, cerdos, oveja, cabra, mono rhesus, simio, pájaro, canino, canina,"
    "felino, felina, equino, equina, bovino, bovina, murino, ovino, caprino, porcino, hurón,"
    "cane, cani, gatto, gatti, cavallo, cavalli, mucca, topo, topi, ratto, ratti, coniglio,"
    "conigli, maiale, maiali, suino, pecora, pecore, capra, scimmia, scimmie, uccello, uccelli,"
    "cão, cachorro, cadela, cavalo, rato, ratos, camundongo, coelho, porco, suíno, ovelha,"
    "macaco, pássaro,"
    # Dutch
    "hond, honden, kat, katten, paard, paarden, koe, rundvee, muis, muizen, konijn, konijnen,"
    "varken, varkens, schaap, schapen, geit, geiten, aap, apen,"
    # Polish
    "pies, psy, kot, koty, koń, konie, krowa, bydło, mysz, myszy, szczur, szczury, królik, świnia,"
    "owca, koza, małpa, ptak,"
    # Russian
    "собака, собаки, кошка, кот, лошадь, корова, мышь, мыши, крыса, крысы, кролик, свинья, овца,"
    "коза, обезьяна, птица"
)
