# SPDX-License-Identifier: Apache-2.0
"""Columns of a site's table that are no attributes: which they are, and which tell patients apart.

A table may have them in any case, as spreadsheets begin words with a capital; where the exact name
is there, too, that one is meant, and the other says nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

SITE, COLLECTION, PATIENT, LABEL = "site", "collection_id", "patient", "regions"
SOURCE, WEIGHT = "label_source", "weight"
ASIDE = frozenset(("station", "origin", "label_model", COLLECTION))
"""Columns that say nothing of the header."""
_OWN = ASIDE | {SITE, PATIENT, LABEL, SOURCE, WEIGHT}
_IDENTIFYING = frozenset(
    (
        "accession",
        "accessionno",
        "accessionnumber",
        "birthdate",
        "dateofbirth",
        "medicalrecordlocator",
        "medicalrecordnumber",
        "mrn",
        "seriesinstanceuid",
        "sopinstanceuid",
        "studyid",
        "studyinstanceuid",
        "studyuid",
        "subject",
        "subjectid",
        # The same by tag: Accession Number, Study ID, UIDs of study, series and object.
        "00080050",
        "00200010",
        "0020000d",
        "0020000e",
        "00080018",
    )
)
"""Columns, squeezed, that tell patients, studies or less apart, beside those of patients' names."""
_OF_A_PATIENT = re.compile("patient|^0010[0-9a-f]{4}$")
"""In words, in whatever language has the word, by keyword, or by a tag of the patient's group."""
_OF_SITES = frozenset(("issuerofpatientid", "00100021"))


def with_own_columns(
    rows: Sequence[Mapping[str, str]], say: Callable[[str], None]
) -> list[dict[str, str]]:
    """The rows of one table, with the columns of the table itself by their exact names.

    :param say: is told where a column has the name of one, and other values: a patient's weight is
        no weight of a row.
    """
    columns = rows[0].keys()
    meant: dict[str, str] = {}
    for column in columns:
        name = own_name(column)
        if name in columns or name in meant.values():
            continue
        if name == WEIGHT and not all(weight_of(row[column] or "1") for row in rows):
            say(f"{column} says nothing: weights of rows are above 0 and at most 1")
            continue
        meant[column] = name
    return [{meant.get(column, column): value for column, value in row.items()} for row in rows]


def own_name(column: str) -> str:
    """The exact name of a column of the table itself; other columns stay as they are."""
    name = column.strip().casefold()
    return name if name in _OWN else column


def weight_of(text: str) -> float | None:
    """How much a row counts, above 0 and at most 1; None where the text is no such number."""
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    return weight if 0.0 < weight <= 1.0 else None


def tells_patients_apart(column: str) -> bool:
    """Whether the values of a column name patients, studies or parts of them."""
    squeezed = re.sub(r"[\W_]+", "", column).casefold().removeprefix("0x")
    if squeezed in _OF_SITES:
        return False
    return squeezed in _IDENTIFYING or bool(_OF_A_PATIENT.search(squeezed))
