# SPDX-License-Identifier: AGPL-3.0-or-later
"""A study hung in a real browser: current and prior side by side."""

from __future__ import annotations

from plugin.anatomy import AnatomyBook
from tests.plugin.web.test_web_page import OUTPUT, Hospital, in_a_browser, served

__all__ = ["served"]

pytestmark = in_a_browser


def hang(served: Hospital, study: str) -> None:
    served.page.open("about:blank")
    served.page.open(f"{served.root}/sidelight/ui/index.html#hanging={study}")


def test_current_and_prior_hang_in_their_boxes(served: Hospital) -> None:
    study, prior = served.study("Lindqvist"), served.study("Moreau")
    studies = served.archive.studies
    studies[prior]["PatientMainDicomTags"] = studies[study]["PatientMainDicomTags"]
    studies[prior]["MainDicomTags"]["StudyDate"] = "20261003"
    for one in (study, prior):
        AnatomyBook(served.archive).sum_up(one)
    hang(served, study)
    served.page.wait_for(
        "[...document.querySelectorAll('.box img')].filter(one => one.naturalWidth).length === 2"
    )
    words = served.page.run("document.querySelector('.box.prior figcaption').innerText")
    assert words == "CR/DX chest PA/AP, prior 1, 31 days before"
    assert served.page.run("document.querySelectorAll('.box.empty').length") == 2
    across = "[...document.querySelectorAll('figure')].map(one => one.getBoundingClientRect().x)"
    left, right = served.page.run(across)
    assert left < right
    served.page.screenshot(OUTPUT / "page-hanging.png")
    assert served.page.complaints == []


def test_a_study_that_does_not_hang_says_why(served: Hospital) -> None:
    hang(served, served.study("Unseen"))
    text = served.page.wait_for("document.querySelector('.notice')?.innerText")
    assert "no hanging of the table shows this modality and anatomy" in text


def test_an_image_without_a_window_is_spread_and_not_black(served: Hospital) -> None:
    # Orthanc renders it by the window 0 to 255.
    study = served.study("Lindqvist")
    AnatomyBook(served.archive).sum_up(study)
    for instance in served.archive.instances:
        known = served.archive.simplified_tags(instance)
        served.archive.tags[instance] = {**known, "WindowCenter": ""}
    hang(served, study)
    shown = "[...document.querySelectorAll('.box img')].map(one => one.src)"
    served.page.wait_for(f"{shown}.some(one => one.endsWith('/preview'))")
    assert not any(one.endswith("/rendered") for one in served.page.run(shown))


def test_a_hung_study_fits_the_window(served: Hospital) -> None:
    hang(served, served.study("Lindqvist"))
    served.page.wait_for("[...document.querySelectorAll('.box img')].some(one => one.naturalWidth)")
    assert served.page.run("document.documentElement.scrollHeight <= innerHeight")


def test_a_page_that_was_opened_with_name_and_password_in_its_address_works(
    served: Hospital,
) -> None:
    served.page.open("about:blank")
    study = served.study("Lindqvist")
    AnatomyBook(served.archive).sum_up(study)
    root = served.root.replace("://", "://reader:word@")
    served.page.open(f"{root}/sidelight/ui/index.html#hanging={study}")
    shown = "[...document.querySelectorAll('.box img')].filter(one => one.naturalWidth).length"
    served.page.wait_for(f"{shown} > 0")
