# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lists of DICOM's words that tables are held against, where no DICOM library is loaded."""

from __future__ import annotations

import csv
from pathlib import Path

from pydicom.datadict import DicomDictionary

from inference.anatomy import regions
from plugin.configuration.dicom_terms import BODY_PARTS, KEYWORDS, body_part, dicom_keyword
from tests.plugin.test_what_is_loaded import DICOM, loaded_by

# File meta information, commands and DICOMDIR lie in no data set of an image; items are no values.
FIRST_GROUP, ITEMS = 0x0008, 0xFFFE


def test_the_keywords_are_those_of_the_dictionary_that_the_workers_read_headers_with() -> None:
    known = {
        entry[4]
        for tag, entry in DicomDictionary.items()
        if entry[4] and FIRST_GROUP <= tag >> 16 < ITEMS
    }
    assert KEYWORDS.read_text().split() == ["keyword", *sorted(known)]
    assert dicom_keyword("ProtocolName") == "ProtocolName"


def test_the_body_parts_are_those_that_anatomy_is_recognized_as() -> None:
    table = Path(regions.__file__).with_name("data") / "body_parts.csv"
    with table.open(encoding="utf-8", newline="") as stream:
        terms = sorted(row["term"] for row in csv.DictReader(stream))
    assert BODY_PARTS.read_text().split() == ["term", *terms]
    assert body_part("CSPINE") == "CSPINE"


def test_all_tables_are_checked_without_a_dicom_library() -> None:
    code = (
        "from plugin.configuration import Configuration; "
        "from plugin.configuration.tables import check_tables; check_tables(Configuration())"
    )
    found = loaded_by([code])
    assert "plugin.configuration.dicom_terms" in found
    assert not found & (DICOM | {"numpy"})
