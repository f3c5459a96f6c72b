# SPDX-License-Identifier: AGPL-3.0-or-later
"""The series whose anatomy is in doubt, decided one after the other in a real browser."""

from __future__ import annotations

import json

from plugin.anatomy import Agreement, AnatomyBook, SeriesAnatomy, Witness
from tests.plugin.web.fake_archive import CHEST
from tests.plugin.web.test_web_page import OUTPUT, Hospital, in_a_browser, served

__all__ = ["served"]

pytestmark = in_a_browser

DISPUTED = Agreement(
    witnesses=(
        Witness(name="metadata", regions=("chest",), confidence=0.61, application="chest"),
        Witness(name="pixels", regions=("abdomen",), confidence=0.88),
    ),
    rules=("another-application",),
    review="tags and pixels would choose different applications",
)
PICTURE = "document.querySelector('.look img')?.naturalWidth > 0"
ANSWERS = "[...document.querySelectorAll('.answers button')].map(one => one.innerText)"


def in_doubt(served: Hospital, *patients: str) -> list[str]:
    found = []
    for patient in patients:
        study = served.study(patient)
        (series, *_) = served.archive.studies[study]["Series"]
        AnatomyBook(served.archive).note(series, study, CHEST, DISPUTED)
        found.append(series)
    return found


def known(served: Hospital, series: str) -> SeriesAnatomy:
    anatomy = AnatomyBook(served.archive).series(series)
    assert anatomy is not None
    return anatomy


def shown(served: Hospital) -> None:
    served.page.open("about:blank")
    served.page.open(f"{served.root}/sidelight/ui/#anatomy")
    served.page.wait_for(PICTURE)
    served.page.run("document.querySelector('input[placeholder^=Your]').value = 'a reader'")


def count(served: Hospital, words: str) -> None:
    wanted = json.dumps(words)
    served.page.wait_for(f"document.querySelector('h1')?.innerText.includes({wanted})")
    served.page.wait_for(PICTURE)


def test_a_reader_decides_one_series_after_the_other_by_one_key_each(served: Hospital) -> None:
    page = served.page
    both = set(in_doubt(served, "Lindqvist", "Moreau"))
    shown(served)
    count(served, "1 of 2")
    assert page.run(ANSWERS) == ["1 Chest", "2 Abdomen"]
    text = page.run("document.querySelector('.doubt').innerText")
    assert "Tags and pixels would choose different applications" in text
    assert "Tags, 61 %, application chest" in text
    assert "Pixels, 88 %" in text
    assert page.run("document.querySelectorAll('.votes tbody tr').length") == len(CHEST.votes)
    page.screenshot(OUTPUT / "page-anatomy-review.png")

    page.press("2")
    count(served, "1 of 1")
    (decided,) = [one for one in both if known(served, one).log.in_force]
    said = known(served, decided).log.in_force
    assert said is not None
    assert (said.regions, said.by, said.reason) == (("abdomen",), "a reader", "images looked at")

    page.press("1")
    page.wait_for("document.body.innerText.includes('No series is in doubt')")
    (other,) = both - {decided}
    assert known(served, other).effective.regions == ("chest",)
    assert not known(served, other).review
    assert page.complaints == []


def test_other_regions_are_chosen_from_a_list(served: Hospital) -> None:
    (series,) = in_doubt(served, "Tanaka")
    shown(served)
    served.page.press("e")
    served.page.run(
        "document.querySelectorAll('.region-boxes input').forEach("
        "one => { one.checked = ['neck', 'chest'].includes(one.value) })"
    )
    served.page.screenshot(OUTPUT / "page-anatomy-regions.png")
    served.page.press("Enter")
    served.page.wait_for("document.body.innerText.includes('No series is in doubt')")
    assert known(served, series).effective.regions == ("neck", "chest")


def test_nothing_is_saved_without_a_reason(served: Hospital) -> None:
    (series,) = in_doubt(served, "Abdi")
    shown(served)
    served.page.run("[...document.querySelectorAll('.decider input')][0].value = ''")
    served.page.press("1")
    served.page.wait_for("document.querySelector('.said').innerText === 'Say why.'")
    assert known(served, series).log.in_force is None


def test_the_next_series_is_fetched_before_it_is_asked_for(served: Hospital) -> None:
    in_doubt(served, "Okafor", "Moreau")
    shown(served)
    listed = served.page.run(
        "fetch('../../sidelight/series?review=true').then(one => one.json())"
        ".then(found => found.series.slice(0, 2).map(one => one.series))"
    )
    assert len(listed) == 2
    fetched = "performance.getEntriesByType('resource').map(one => one.name).join()"
    for series in listed:
        served.page.wait_for(f"{fetched}.includes('/series/{series}/sidelight/anatomy')")
        (instance, *_) = served.archive.series(series)["Instances"]
        served.page.wait_for(f"{fetched}.includes('/instances/{instance}/rendered')")
