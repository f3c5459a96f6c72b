# SPDX-License-Identifier: Apache-2.0
"""What the token classifier finds where no rule speaks, and the texts it is trained on."""

from __future__ import annotations

import numpy as np
import pytest

from deid.text import TextDeidentifier
from deid.text.classifier import LABELS, TokenClassifier
from deid.text.features import features_of
from deid.text.generated_identifiers import material
from deid.text.generated_reports import ReportGenerator
from deid.text.lexicon import Lexicon, is_held_out
from deid.text.passage import Passage


def test_training_reports_have_no_name_that_is_kept_for_measuring() -> None:
    generator = ReportGenerator(3)
    for _ in range(300):
        made = generator.make()
        names = [made.text[a:b].lower() for a, b, label in made.spans if label == "name"]
        parts = [part for name in names for part in name.split("-")]
        assert not any(len(part) > 1 and is_held_out(part) for part in parts)


def test_training_reports_are_repeated_by_their_seed() -> None:
    one, other = ReportGenerator(5), ReportGenerator(5)
    assert [one.make() for _ in range(50)] == [other.make() for _ in range(50)]


def test_spans_of_training_reports_are_in_order_and_inside_the_text() -> None:
    generator = ReportGenerator(7)
    for _ in range(300):
        made = generator.make()
        at = 0
        for start, end, label in made.spans:
            assert at <= start < end <= len(made.text)
            assert label in (*LABELS, "skip")
            at = end


def test_validation_has_frames_that_training_never_sees() -> None:
    # Slots apart, a frame's first words tell it.
    trained, kept = ReportGenerator(1), ReportGenerator(1, held_out=True)
    seen = {trained.make().text for _ in range(200)}
    assert seen.isdisjoint(kept.make().text for _ in range(200))


def test_every_language_has_frames_sentences_houses_and_days() -> None:
    languages = {name: content for name, content in material().items() if name != "shared"}
    assert len(languages) >= 18
    for content in languages.values():
        assert all(content[part] for part in ("frames", "sentences", "houses", "days", "weekdays"))


def test_probabilities_of_a_token_sum_to_one() -> None:
    passage = Passage("Seen at Elmbridge on the 14th, file RX 44/1808.", Lexicon())
    found = TokenClassifier.shipped().probabilities(features_of(passage))
    assert found.shape == (len(passage.tokens), len(LABELS))
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("She was transferred from Elmsworth Lodge for imaging of the hip.", "Elmsworth Lodge"),
        ("Prior study done at Thornecroft last month.", "Thornecroft"),
        ("Repeat scan booked for the 14th of March with contrast.", "14th of March"),
        ("Old films are filed under QX/44-1808 B in the basement.", "QX/44-1808"),
    ],
)
def test_a_house_number_or_day_without_label_goes(text: str, gone: str) -> None:
    assert gone not in TextDeidentifier().clean(text).text


@pytest.mark.parametrize(
    "text",
    [
        "Disc bulge at L4/5 and C5/6. Power 4/5. Pain 8/10.",
        "Fracture of the 5th metatarsal base, 4th ventricle midline.",
        "Interval follow-up 6/12, review 2/52.",
        "TR 9000 TE 125 TI 2500, DWI b50/400/800, matrix 320 x 256.",
        "CA125 88, CA19-9 890, BNP 1840, HbA1c 48.",
        "BP 128/76, GCS 14. Image 214/512, series 5.",
        "Referred from the Stroke Unit to the Emergency Department.",
    ],
)
def test_measures_settings_and_units_of_care_stay(text: str) -> None:
    assert TextDeidentifier().clean(text).text == text
