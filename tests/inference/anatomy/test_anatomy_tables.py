# SPDX-License-Identifier: Apache-2.0
import itertools

import pydicom.sr._concepts_dict as concepts
import pytest
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._snomed_dict import mapping
from pydicom.sr.codedict import codes

from inference.anatomy.calibration import Calibration, shipped_calibration
from inference.anatomy.lexicon import LANGUAGES, Lexicon, lexicon
from inference.anatomy.regions import (
    REGIONS,
    AnatomyTableError,
    body_part,
    body_part_of_code,
    body_parts,
    format_regions,
    parse_letters,
    parse_regions,
    read_table,
    region_code,
    term_of,
)

SNOMED = {value for listed in concepts.concepts["SCT"].values() for value in listed}
CID_4 = {
    getattr(codes.cid4, keyword).value
    for keyword in itertools.chain.from_iterable(cid_concepts[4].values())
}


@pytest.mark.parametrize("region", REGIONS)
def test_every_region_has_a_code_of_cid_4(region):
    assert region_code(region).scheme == "SCT"
    assert region_code(region).value in CID_4


@pytest.mark.parametrize("row", list(read_table("body_parts.csv")), ids=lambda row: row["term"])
def test_every_body_part_has_a_code_that_snomed_knows(row):
    assert row["code"] in SNOMED | set(mapping["SCT"])
    assert row["meaning"]
    if row["srt"]:
        assert mapping["SRT"][row["srt"]] == row["code"]


def test_defined_terms_are_valid_code_strings():
    assert all(len(row["term"]) <= 16 for row in read_table("body_parts.csv"))
    assert all(row["term"].isalnum() for row in read_table("body_parts.csv"))


@pytest.mark.parametrize(
    ("spelling", "term"),
    [
        ("CHEST", "CHEST"),
        ("L SPINE", "LSPINE"),
        ("Head_Neck", "HEADNECK"),
        ("ABDOMEN/PELVIS", "ABDOMENPELVIS"),
        ("NECKCHESTABDPEL", "NECKCHESTABDPELV"),
        ("lumbo-sacral spi", "LSSPINE"),
        ("WHOLE BODY", "WHOLEBODY"),
    ],
)
def test_body_part_examined_is_understood_however_it_is_spelt(spelling, term):
    assert body_part(spelling).term == term


@pytest.mark.parametrize(
    ("scheme", "code", "term"),
    [
        ("SCT", "816094009", "CHEST"),
        ("SCT", "51185008", "CHEST"),
        ("SRT", "T-D3000", "CHEST"),
        ("SNM3", "T-D1100", "HEAD"),
        ("99SDM", "T-D4000", "ABDOMEN"),
    ],
)
def test_codes_of_older_editions_are_understood(scheme, code, term):
    assert body_part_of_code(scheme, code).term == term


def test_a_code_of_another_scheme_is_not_taken_for_snomed():
    assert body_part_of_code("99LOCAL", "816094009") is None


@pytest.mark.parametrize(
    ("letters", "term"),
    [
        ("CAP", "CHESTABDPELVIS"),
        ("CA", "CHESTABDOMEN"),
        ("AP", "ABDOMENPELVIS"),
        ("NCAP", "NECKCHESTABDPELV"),
        ("HN", "HEADNECK"),
        ("PL", "PELVISLOWEXTREMT"),
        ("W", "WHOLEBODY"),
        ("HL", None),
    ],
)
def test_a_set_of_regions_has_the_defined_term_of_exactly_that_set(letters, term):
    assert term_of(parse_letters(letters)) == term
    if term:
        assert body_parts()[term].regions == parse_letters(letters)


def test_names_are_written_with_hyphens_and_read_back():
    assert format_regions({"lower limb", "whole body"}) == "whole-body lower-limb"
    assert parse_regions(format_regions(REGIONS)) == frozenset(REGIONS)


def test_an_unknown_region_is_named_in_the_error():
    with pytest.raises(AnatomyTableError, match="torso"):
        parse_regions("chest torso")


def test_the_shipped_lexicon_is_valid_and_speaks_nine_languages():
    assert len(LANGUAGES) == 9
    assert lexicon().read("thorax", "CT").named == {"chest"}


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ([{"kind": "regon", "regions": ["chest"], "en": ["chest"]}], "entry 1"),
        ([{"kind": "region", "regions": ["thorax"], "en": ["chest"]}], "no region"),
        ([{"kind": "region", "regions": ["chest"], "xx": ["chest"]}], "xx"),
        ([{"kind": "region", "regions": ["chest"], "term": "KNEE", "en": ["chest"]}], "KNEE"),
        ([{"kind": "region", "regions": ["chest"], "en": [" "]}], "no phrase"),
        (
            [
                {"kind": "region", "regions": ["chest"], "en": ["tap"]},
                {"kind": "region", "regions": ["head"], "fr": ["tap"]},
            ],
            "different regions",
        ),
    ],
)
def test_a_faulty_lexicon_is_refused_with_the_fault_named(entries, fault):
    with pytest.raises(AnatomyTableError, match=fault):
        Lexicon({"entry": entries})


def test_one_phrase_may_mean_two_regions_on_two_modalities():
    words = Lexicon(
        {
            "entry": [
                {"kind": "region", "regions": ["chest"], "modalities": ["CT"], "en": ["x"]},
                {"kind": "region", "regions": ["head"], "modalities": ["MR"], "en": ["x"]},
            ]
        }
    )
    assert words.read("x", "CT").named == {"chest"}
    assert words.read("x", "MR").named == {"head"}


def test_confidence_is_drawn_towards_its_prior_where_little_was_seen():
    tally = {"right": 1, "seen": 1, "prior": 0.5}
    table = {"patterns": {"tag alone": tally}, "attributes": {"BodyPartExamined": tally}}
    assert Calibration.of(table).confidence("tag alone") == pytest.approx(11 / 21)
    table["patterns"]["tag alone"] = {"right": 1000, "seen": 1000, "prior": 0.5}
    assert Calibration.of(table).confidence("tag alone") > 0.98


@pytest.mark.parametrize(
    "tally", [{"right": 2, "seen": 1, "prior": 0.5}, {"right": 0, "seen": 1, "prior": 2}, {}, 3]
)
def test_an_impossible_calibration_is_refused(tally):
    with pytest.raises(AnatomyTableError, match="calibration"):
        Calibration.of({"patterns": {"tag alone": tally}, "attributes": {}})


def test_agreement_makes_surer_than_dispute_and_the_series_surer_than_the_tag():
    shipped = shipped_calibration()
    for source in ("series", "study", "protocol", "tag"):
        assert shipped.confidence(f"{source} confirmed") > shipped.confidence(f"{source} disputed")
    assert shipped.confidence("series alone") > shipped.confidence("tag alone")
    assert shipped.confidence("nothing alone") == 0.0


def test_every_code_of_the_anatomic_regions_of_the_standard_that_is_a_place_is_known():
    # PS3.16 CID 4, as pydicom carries it; the others are in any part of the body.
    from pydicom.sr._concepts_dict import concepts

    anywhere = {
        "59820001", "118375008", "34340008", "131183008",  # in vessels, graft, veins, in a joint
        "91830000",  # body conduit
        # Of chest or abdomen, or of several regions, which the meaning says in words.
        "128551005", "5076001", "35532006", "110861005", "110517009",
    }  # fmt: skip
    known = [
        code
        for meanings in concepts["SCT"].values()
        for code, (_, groups) in meanings.items()
        if 4 in groups and code not in anywhere
    ]
    assert len(known) > 300
    assert [code for code in known if body_part_of_code("SCT", code) is None] == []
