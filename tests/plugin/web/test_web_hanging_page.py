# SPDX-License-Identifier: AGPL-3.0-or-later
"""A study hung in a real browser: current and prior side by side."""

from __future__ import annotations

from typing import Any

from plugin.anatomy import AnatomyBook
from tests.plugin.routing.tables import AXIAL, CT_CHEST
from tests.plugin.web.fake_orthanc import sample
from tests.plugin.web.test_web_page import OUTPUT, Hospital, in_a_browser, served

__all__ = ["served"]

pytestmark = in_a_browser


SHOWN = "[...document.querySelectorAll('.box img')].map(one => new URL(one.src).pathname)"
NUMBERS = "[...document.querySelectorAll('.box .slice')].map(one => one.innerText)"


def ct(served: Hospital, name: str, images: list[dict[str, str]], **tags: Any) -> str:
    """A CT study of the chest with one series, by Orthanc's main tags of its images."""
    archive = served.archive
    study = archive.add_study(name, StudyDate=str(tags.pop("StudyDate", "20261103")))
    series = archive.add_series(study, "CT")
    for main in images:
        instance = archive.add_instance(series, sample("CT_small.dcm"))
        archive.instances[instance]["MainDicomTags"] |= main
        archive.tags[instance] = {"ImageOrientationPatient": AXIAL, **tags}
    archive.set_anatomy(series, CT_CHEST)
    AnatomyBook(archive).sum_up(study)
    return study


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


def test_every_frame_of_a_multi_frame_image_is_shown_in_the_order_of_its_position(
    served: Hospital,
) -> None:
    groups = [
        {"PlanePositionSequence": [{"ImagePositionPatient": f"0\\0\\{z}"}]} for z in (0, 10, 5)
    ]
    plane = {"PlaneOrientationSequence": [{"ImageOrientationPatient": AXIAL}]}
    study = ct(
        served,
        "frames",
        [{"NumberOfFrames": "3"}],
        NumberOfFrames="3",
        PerFrameFunctionalGroupsSequence=groups,
        SharedFunctionalGroupsSequence=[plane],
    )
    hang(served, study)
    served.page.wait_for(f"{NUMBERS}[0] === '2 / 3'")
    frames = []
    for key in ("PageUp", "j", "j"):
        served.page.press(key)
        frames.append(served.page.run(SHOWN)[0].split("/frames/")[1])
    assert frames == ["0/rendered", "2/rendered", "1/rendered"]


def test_a_tomosynthesis_is_shown_frame_by_frame(served: Hospital) -> None:
    study = served.study("Tanaka")
    AnatomyBook(served.archive).sum_up(study)
    (series,) = (
        one
        for one in served.archive.studies[study]["Series"]
        if served.archive.serieses[one]["MainDicomTags"]["Modality"] == "CR"
    )
    (image,) = served.archive.serieses[series]["Instances"]
    served.archive.tags[image] = {"NumberOfFrames": "40"}
    hang(served, study)
    served.page.wait_for(f"{NUMBERS}.includes('21 / 40')")
    served.page.press("j")
    assert f"/instances/{image}/frames/21/rendered" in served.page.run(SHOWN)[0]
