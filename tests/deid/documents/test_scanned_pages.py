# SPDX-License-Identifier: Apache-2.0
"""Of a scanned page in a PDF the words leave that are known and identify nobody."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pypdfium2
import pytest
from pydicom import dcmread

from deid import Deidentifier, DocumentForReviewError
from deid.documents.keeping import KeptWords, is_other, text_of
from deid.documents.page_words import Word
from deid.policy import Documents, ScannedPages
from deid.profile_files import load
from deid.text import Kind, Lexicon, Span
from tests.deid.documents.made_pages import SECRETS, SIZE, inked, pdf_of, printed, seen
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of

USUAL = load("basic").policy


def cleaned(pdf: bytes, scanned_pages: ScannedPages = ScannedPages.MASK) -> bytes:
    dataset = ct(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", PatientName="Fenwick^Marigold",
        MIMETypeOfEncapsulatedDocument="application/pdf", EncapsulatedDocument=pdf,
        EncapsulatedDocumentLength=len(pdf),
    )  # fmt: skip
    policy = replace(USUAL, scanned_pages=scanned_pages)
    scan = Deidentifier(KEY, PIPELINE, policy).deidentify(file_of(dataset))
    left = dcmread(BytesIO(scan.to_bytes()))
    return bytes(left.EncapsulatedDocument)[: left.EncapsulatedDocumentLength]


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_known_words_stay_in_their_place_and_names_and_dates_go(turns: int) -> None:
    page, ink = printed()
    left = seen(cleaned(pdf_of(page.rotate(90 * turns, expand=True))))
    assert np.allclose(left.shape, SIZE[::-1], atol=1)
    for word in SECRETS:
        assert inked(left, ink[word]) == 0
    for word in ("pneumothorax", "No", "lungs", "seen"):
        assert inked(left, ink[word]) > 0.6


def test_neither_metadata_nor_hidden_text_nor_handwriting_leaves() -> None:
    page, _ = printed(scribble=True)
    made = cleaned(pdf_of(page, hidden="Fenwick Marigold, phone 0171 5551234"))
    assert b"Fenwick" not in made
    document = pypdfium2.PdfDocument(made)
    assert document[0].get_textpage().get_text_range() == ""
    assert (seen(made)[280:] < 150).mean() < 0.001


def test_scanned_pages_leave_blank_where_the_policy_drops_them() -> None:
    left = seen(cleaned(pdf_of(printed()[0]), ScannedPages.DROP))
    assert left.min() == 255


def test_a_document_with_a_scanned_page_waits_for_a_person_where_the_policy_says_so() -> None:
    pdf = pdf_of(printed()[0])
    with pytest.raises(DocumentForReviewError, match="scanned page"):
        cleaned(pdf, ScannedPages.REVIEW)


def test_a_profile_masks_scanned_pages_and_an_empty_document_stays_one() -> None:
    assert USUAL.scanned_pages is ScannedPages.MASK
    assert USUAL.encapsulated_documents is Documents.MASK
    assert len(cleaned(b"no PDF at all ")) < 8


def judged(text: str, denied: tuple[str, ...] = (), sure: float = 0.99) -> str:
    """What stays of a page whose words were read as written; ``*`` marks what the detectors say."""
    rows = [
        [Word(np.zeros((4, 2), np.float32), word.strip("*"), sure) for word in line.split()]
        for line in text.split("\n")
    ]
    spans, at = [], 0
    for line in text.split("\n"):
        for word in line.split():
            bare = word.strip("*")
            if bare != word:
                spans.append(Span(at, at + len(bare), Kind.NAME, "context"))
            at += len(bare) + 1
    kept = KeptWords(Lexicon(), denied).of(rows, spans, 0)
    assert len(text_of(rows)) == at - 1
    return " ".join(
        word.text
        for row, flags in zip(rows, kept, strict=True)
        for word, flag in zip(row, flags, strict=True)
        if flag
    )


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("No pneumothorax", "No pneumothorax"),
        ("chest *Oduya* normal", "chest normal"),
        ("nodule of 12 mm", "nodule of 12 mm"),
        ("chest 555 12 34", "chest"),
        ("chest 12.03.1948", "chest"),
        ("chest 4711", "chest"),
        ("L3 and T2/FLAIR", "L3 and T2/FLAIR"),
        ("a 67-year-old woman", "a 67-year-old woman"),
        ("a 93-year-old woman", "a woman"),
        ("pneumothorxa", ""),
        ("a Baker cyst and Parkinson's disease", "a Baker cyst and Parkinson's disease"),
        ("There was a cyst on MRI and a node", "There was a cyst on MRI and a node"),
        ("was *Fenwick* Drive", "was"),
        ("Oduya", ""),
        ("seen 0ctober 1, in", "seen in"),
    ],
)
def test_only_known_words_and_short_measures_stay(text: str, stays: str) -> None:
    assert judged(text) == stays


def test_a_word_like_a_name_of_the_header_goes_though_a_letter_is_misread() -> None:
    assert judged("the lunge and the chest", denied=("lungo",)) == "the and the chest"


def test_the_word_after_a_masked_name_goes_unless_it_is_medicine() -> None:
    assert judged("was *Marigold* baker chest") == "was chest"


def test_a_name_that_a_gap_parts_goes() -> None:
    assert judged("chest fen wick chest", denied=("fenwick",)) == "chest chest"


def test_what_is_not_surely_read_goes() -> None:
    assert judged("No pneumothorax", sure=0.5) == ""


def test_what_is_shown_must_read_as_what_it_was_taken_for() -> None:
    word = Word(np.zeros((4, 2), np.float32), "normal", 0.99)
    assert is_other(word, "Fenwick")
    assert not is_other(word, "norma1")


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("Patient Name: Xarwick", "Patient Name:"),
        ("Date of Birth: Xarwick", "Date of Birth:"),
        ("Electronically signed by Xarwick, MD", "Electronically signed by MD"),
        ("He met Xarwick on the ward. In a week he", "He met on the ward. In a week he"),
        ("seen by Mr. Xarwick", "seen by Mr."),
    ],
)
def test_labels_titles_and_little_words_stay_beside_a_name(text: str, stays: str) -> None:
    assert judged(text, ("xarwick",)) == stays


def test_a_label_that_is_a_name_of_the_header_goes() -> None:
    assert "Ward" not in judged("Ward: the lungs are clear", ("ward",))


def test_the_last_word_of_an_address_goes_on_the_next_row_too() -> None:
    text = "She lives at 720 Xarbour\nDrive. She has pneumonia."
    assert judged(text, ("xarbour",)) == "She lives at She has pneumonia."
