# SPDX-License-Identifier: Apache-2.0
"""Age and sex as a further input of the network, any of them unknown.

De-identification removes both under the Basic Profile and keeps them under Retain Patient
Characteristics (PS3.15 Table E.1-1): a model that takes them must do without them as well, so
training hides them now and then.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

WIDTH = 4
"""Numbers per person: age, whether it is known, sex, whether it is known."""

_OLDEST = 90.0
"""Years; ages above are one group, as de-identified headers have it."""
_MIDDLE, _SPREAD = 50.0, 25.0
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7.0, "M": 12.0, "Y": 1.0}
_SEXES = {"M": 1.0, "MALE": 1.0, "F": -1.0, "FEMALE": -1.0}


class Person(NamedTuple):
    """Age in years (nan: unknown), and 1 for male, -1 for female, 0 for another or unknown."""

    age: float = math.nan
    sex: float = 0.0


NOBODY = Person()
"""A person of whom nothing is known."""


def person_of(age: str, sex: str) -> Person:
    """A person from words: an Age String (PS3.5 section 6.2) or years, and M, F or in full."""
    return Person(_years(age.strip().upper()), _SEXES.get(sex.strip().upper(), 0.0))


def person_in(dataset: Dataset) -> Person:
    """What a header says (PatientAge, PatientSex)."""
    return person_of(str(dataset.get("PatientAge") or ""), str(dataset.get("PatientSex") or ""))


def encoded(persons: Iterable[Person]) -> NDArray[np.float32]:
    """``(N, 4)`` numbers around 0 for the network; all 0 where nothing is known."""
    rows = []
    for person in persons:
        known = math.isfinite(person.age)
        age = (min(person.age, _OLDEST) - _MIDDLE) / _SPREAD if known else 0.0
        rows.append((age, float(known), person.sex, float(person.sex != 0.0)))
    return np.array(rows, dtype=np.float32).reshape(-1, WIDTH)


def hidden(
    persons: NDArray[np.float32], share: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A copy in which age, and sex, of about ``share`` of the rows are unknown."""
    kept = rng.random((len(persons), 2)) >= share
    return np.asarray(persons * np.repeat(kept, 2, axis=1), dtype=np.float32)


def _years(text: str) -> float:
    unit = text[-1:] if text[-1:] in _PER_YEAR else ""
    try:
        years = float(text.removesuffix(unit)) / _PER_YEAR[unit or "Y"]
    except ValueError:
        return math.nan
    return years if 0.0 <= years < 150.0 else math.nan
