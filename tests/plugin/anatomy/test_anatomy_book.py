# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept about anatomy: history, a reviewer's word, the sum of a study."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference.contract import AnatomyAnswer, RegionName
from plugin.anatomy import (
    REGIONS_BY_TERM,
    AnatomyBook,
    AnatomyOverride,
    RecognizedAnatomy,
    UnreadableAnatomyError,
)
from plugin.anatomy.agreement import Agreement, Witness
from plugin.anatomy.records import MOST_EARLIER
from plugin.anatomy.regions import body_part_of, codes_of
from plugin.anatomy.shown_studies import shown_by
from plugin.states import Metadata


class Shelf:
    """Metadata in memory, with a count of writes."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str, Metadata], str] = {}
        self.series = ["s1", "s2"]
        self.writes = 0

    def metadata(self, level: str, identifier: str, name: Metadata) -> str | None:
        return self.values.get((level, identifier, name))

    def put_metadata(self, level: str, identifier: str, name: Metadata, value: str) -> None:
        self.writes += 1
        self.values[level, identifier, name] = value

    def delete_metadata(self, level: str, identifier: str, name: Metadata) -> None:
        self.values.pop((level, identifier, name), None)

    def metadata_of(self, resources: Any, level: str, names: Any) -> list[Any]:
        asked = self.series if list(resources) == ["study"] else resources
        held = {one: {n: self.values.get((level, one, n)) for n in names} for one in asked}
        return [({"ID": k}, {n: t for n, t in v.items() if t}) for k, v in held.items()]

    def study(self) -> dict[str, Any]:
        return json.loads(self.values["study", "study", Metadata.ANATOMY])


class InStudies:
    """The same shelf, whose series say which study they are of."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def metadata_of(self, resources: Any, level: str, names: Any) -> list[Any]:
        found = self._shelf.metadata_of(resources, level, names)
        return [({**one, "ParentStudy": "study"}, held) for one, held in found]


def said(*regions: RegionName, modality: str = "CT", confidence: float = 0.9) -> AnatomyAnswer:
    return AnatomyAnswer(
        modality=modality,
        regions=regions,
        codes=codes_of(regions),
        body_part_examined=None,
        confidence=confidence,
    )


def word(*regions: RegionName) -> AnatomyOverride:
    return AnatomyOverride(
        regions=regions or None, by="reader", reason="it is a neck", at="2026-01-01T00:00:00+00:00"
    )


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def book(shelf: Shelf) -> AnatomyBook:
    return AnatomyBook(shelf)


def test_the_same_answer_again_writes_nothing(shelf: Shelf, book: AnatomyBook) -> None:
    book.note("s1", "study", said("chest"))
    writes = shelf.writes
    book.note("s1", "study", said("chest"))
    assert (writes, shelf.writes) == (2, 2)  # series and study, once each


def test_other_regions_leave_the_earlier_ones_in_the_history(book: AnatomyBook) -> None:
    book.note("s1", "study", said("chest", confidence=0.6))
    book.note("s1", "study", said("chest", "abdomen"))
    known = book.recognized("s1")
    assert known is not None
    assert known.regions == ("chest", "abdomen")
    assert [(one.regions, one.confidence) for one in known.history] == [(("chest",), 0.6)]


def test_another_confidence_alone_is_no_history(book: AnatomyBook) -> None:
    book.note("s1", "study", said("chest", confidence=0.6))
    book.note("s1", "study", said("chest", confidence=0.7))
    known = book.recognized("s1")
    assert known is not None
    assert (known.confidence, known.history) == (0.7, ())


def test_the_history_has_an_end(book: AnatomyBook) -> None:
    for number in range(MOST_EARLIER + 5):
        book.note("s1", "study", said("chest" if number % 2 else "head"))
    known = book.recognized("s1")
    assert known is not None
    assert len(known.history) == MOST_EARLIER


def test_an_answer_that_an_earlier_release_kept_is_read(shelf: Shelf, book: AnatomyBook) -> None:
    text = said("chest").model_dump_json()
    shelf.values["series", "s1", Metadata.ANATOMY] = text
    assert book.recognized("s1") == RecognizedAnatomy(**dict(said("chest")))
    assert RecognizedAnatomy(**dict(said("chest"))).as_text() == text


def test_a_reviewer_wins_over_every_later_answer(book: AnatomyBook) -> None:
    book.note("s1", "study", said("chest"))
    book.override("s1", "study", word("neck"))
    book.note("s1", "study", said("abdomen"))
    known = book.series("s1")
    assert known is not None
    assert known.recognized.regions == ("abdomen",)
    assert known.effective.regions == ("neck",)
    assert known.effective.confidence == 1.0
    assert known.effective.votes[0].attribute == "reviewer"


def test_a_withdrawn_word_gives_way_and_stays_in_the_log(book: AnatomyBook) -> None:
    book.note("s1", "study", said("chest"))
    book.override("s1", "study", word("neck"))
    book.override("s1", "study", word())
    known = book.series("s1")
    assert known is not None
    assert known.effective.regions == ("chest",)
    assert [one.regions for one in known.log.overrides] == [("neck",), None]


def test_a_study_sums_up_what_its_series_count_as(shelf: Shelf, book: AnatomyBook) -> None:
    book.note("s1", "study", said("pelvis", "chest"))
    book.note("s2", "study", said("head", modality="MR"))
    assert shelf.study() == {
        "regions": ["head", "chest", "pelvis"],
        "by_modality": {"CT": ["chest", "pelvis"], "MR": ["head"]},
    }
    book.override("s2", "study", word("neck"))
    assert shelf.study()["by_modality"]["MR"] == ["neck"]


@pytest.mark.parametrize(
    ("guess", "flag"), [(0.48, "the tags are unsure"), (0.4, ""), (0.79, "the tags are unsure")]
)
def test_a_guess_says_nothing_of_a_study_of_which_another_series_is_surer(
    shelf: Shelf, book: AnatomyBook, guess: float, flag: str
) -> None:
    capture = said("whole body", modality="OT", confidence=guess)
    book.note("s1", "study", capture, Agreement(witnesses=(), rules=("unsure",), review=flag))
    assert shelf.study()["regions"] == ["whole body"]
    book.note("s2", "study", said("head", modality="MR"))
    assert shelf.study() == {"regions": ["head"], "by_modality": {"MR": ["head"], "OT": []}}
    (shown,) = shown_by(InStudies(shelf), ["study"]).values()
    assert shown.anatomy is not None
    assert shown.anatomy.regions == ("head",)


@pytest.mark.parametrize(
    ("guess", "surer", "by_modality"),
    [
        (("CT", "abdomen", "pelvis"), ("OT", "chest"), {"CT": ["abdomen", "pelvis"]}),
        (("CT", "abdomen"), ("CT", "chest"), {"CT": ["chest", "abdomen"]}),
        (("MR", "head"), ("OT", "head"), {"MR": ["head"]}),
        (("PT", "whole body"), ("CT", "chest"), {"PT": []}),
        (("PT", "whole body"), ("CT", "whole body"), {"PT": ["whole body"]}),
        (("OT", "abdomen"), ("CT", "chest", "abdomen"), {"OT": ["abdomen"]}),
        (("OT", "neck", "abdomen"), ("CT", "abdomen"), {"OT": ["abdomen"]}),
        (("SC", "neck"), ("CT", "abdomen"), {"SC": []}),
    ],
)
def test_a_guess_counts_unless_it_is_of_a_capture_or_of_the_whole_body(
    shelf: Shelf,
    book: AnatomyBook,
    guess: tuple[Any, ...],
    surer: tuple[Any, ...],
    by_modality: dict[str, list[str]],
) -> None:
    flagged = Agreement(witnesses=(), rules=("unsure",), review="the tags are unsure")
    book.note("s1", "study", said(*guess[1:], modality=guess[0], confidence=0.6), flagged)
    book.note("s2", "study", said(*surer[1:], modality=surer[0]))
    expected = {surer[0]: list(surer[1:])} | by_modality
    assert shelf.study()["by_modality"] == expected
    assert set(shelf.study()["regions"]) == {one for some in expected.values() for one in some}


@pytest.mark.parametrize(("confidence", "flag"), [(0.5, ""), (0.8, "tags and pixels disagree")])
def test_a_sure_answer_counts_for_its_study_beside_a_surer_one(
    shelf: Shelf, book: AnatomyBook, confidence: float, flag: str
) -> None:
    neck = said("neck", confidence=confidence)
    book.note("s1", "study", neck, Agreement(witnesses=(), rules=("r",), review=flag))
    book.note("s2", "study", said("head", modality="MR"))
    assert shelf.study()["regions"] == ["head", "neck"]


def test_a_guess_that_a_reviewer_confirms_counts_for_its_study(
    shelf: Shelf, book: AnatomyBook
) -> None:
    book.note("s1", "study", said("neck", confidence=0.3))
    book.note("s2", "study", said("head"))
    book.override("s1", "study", word("neck"))
    assert shelf.study()["regions"] == ["head", "neck"]


def test_a_look_at_an_image_that_ends_a_guess_sums_its_study_up_anew(
    shelf: Shelf, book: AnatomyBook
) -> None:
    book.note("s2", "study", said("head", modality="MR"))
    book.note("s1", "study", said("neck", confidence=0.3), image="i1")
    book.note("s1", "study", said("neck", confidence=0.9), image="i1")
    assert shelf.study()["regions"] == ["head", "neck"]


def test_what_another_version_wrote_is_named_with_what_to_do(
    shelf: Shelf, book: AnatomyBook
) -> None:
    shelf.values["series", "s1", Metadata.ANATOMY_OVERRIDES] = '{"overrides": "all"}'
    with pytest.raises(UnreadableAnatomyError, match="install that version again") as caught:
        book.overrides("s1")
    assert "delete" not in str(caught.value)


def test_what_a_newer_version_keeps_beside_what_is_known_here_is_left_out(
    shelf: Shelf, book: AnatomyBook
) -> None:
    book.note("s1", "study", said("chest"), agreement())
    book.override("s1", "study", word("neck"))
    for name, inner in ((Metadata.ANATOMY, "agreement"), (Metadata.ANATOMY_OVERRIDES, "overrides")):
        kept = json.loads(shelf.values["series", "s1", name])
        one = kept[inner][0] if inner == "overrides" else kept[inner]
        kept["later"] = one["later"] = 1
        shelf.values["series", "s1", name] = json.dumps(kept)
    known = book.series("s1")
    assert known is not None
    assert known.effective.regions == ("neck",)
    assert known.recognized.regions == ("chest",)


def test_codes_and_terms_are_those_of_the_recognition() -> None:
    import csv
    from importlib.resources import files

    text = (files("inference.anatomy") / "data" / "regions.csv").read_text()
    rows = {row["name"].replace("-", " "): row for row in csv.DictReader(text.splitlines())}
    assert {name: row["term"] for name, row in rows.items()} == {
        name: term for term, name in REGIONS_BY_TERM.items()
    }
    for name, row in rows.items():
        (code,) = codes_of([name])  # type: ignore[list-item]
        assert (code.value, code.meaning) == (row["code"], row["meaning"])


@pytest.mark.parametrize(
    "regions", [("head", "neck"), ("abdomen", "chest", "pelvis"), ("pelvis", "lower limb")]
)
def test_the_term_of_several_regions_is_that_of_the_recognition(regions: Any) -> None:
    from inference.anatomy.regions import term_of

    assert body_part_of(regions) == term_of(frozenset(regions))
    assert body_part_of(("head", "lower limb")) is None


def agreement(resource: str = "s1", review: str = "", **more: Any) -> Agreement:
    tags = Witness(name="metadata", regions=("chest",), confidence=0.6)
    pixels = Witness(name="pixels", reason="the pixel model knows CT only")
    return Agreement(witnesses=(tags, pixels), review=review, resource=resource, **more)


def test_the_agreement_is_kept_and_a_rule_that_flags_asks_for_a_person(book: AnatomyBook) -> None:
    kept = book.note("s1", "study", said("chest"), agreement(review="they differ"))
    assert kept.review == "they differ"
    known = book.series("s1")
    assert known == kept
    assert known is not None
    assert known.recognized.agreement == agreement(review="they differ")


def test_tags_that_were_heard_alone_are_kept_as_before(shelf: Shelf, book: AnatomyBook) -> None:
    alone = Agreement(witnesses=(Witness(name="metadata", regions=("chest",), confidence=0.9),))
    book.note("s1", "study", said("chest"), alone)
    assert shelf.values["series", "s1", Metadata.ANATOMY] == said("chest").model_dump_json()


def test_a_reviewer_clears_the_flag_as_long_as_the_word_stands(book: AnatomyBook) -> None:
    book.note("s1", "study", said("chest"), agreement(review="they differ"))
    book.override("s1", "study", word("neck"))
    decided = book.series("s1")
    assert decided is not None
    assert decided.review == ""
    book.override("s1", "study", word())
    open_again = book.series("s1")
    assert open_again is not None
    assert open_again.review == "they differ"


def test_a_later_look_at_the_same_scan_without_doubt_clears_the_flag(book: AnatomyBook) -> None:
    book.note("s1", "study", said("chest"), agreement(review="they differ"))
    kept = book.note("s1", "study", said("chest"), agreement())
    assert kept.review == ""


def test_another_image_of_the_series_does_not_clear_the_flag(book: AnatomyBook) -> None:
    book.note("s1", "study", said("chest"), agreement("i1", review="they differ"))
    assert book.note("s1", "study", said("chest"), agreement("i2")).review == "they differ"
    assert book.note("s1", "study", said("chest"), agreement("i1")).review == ""
