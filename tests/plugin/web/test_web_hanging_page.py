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
    served.page.wait_for(f"{NUMBERS}.includes('20 / 40')")
    served.page.press("j")
    assert f"/instances/{image}/frames/20/rendered" in served.page.run(SHOWN)[0]


def heights(served: Hospital, name: str, current: list[int], prior: list[int]) -> None:
    """Hang a CT beside its prior, each with slices at these heights."""
    studies = []
    for label, day, places in (("", "20261103", current), (" before", "20251103", prior)):
        images = [
            {
                "ImagePositionPatient": f"0\\0\\{z}",
                "ImageOrientationPatient": AXIAL,
                "InstanceNumber": str(at),
            }
            for at, z in enumerate(places)
        ]
        space = {"FrameOfReferenceUID": f"2.25.{len(label)}"}
        studies.append(ct(served, name + label, images, StudyDate=day, **space))
        served.archive.studies[studies[-1]]["PatientMainDicomTags"]["PatientID"] = f"PID-{name}"
    hang(served, studies[0])
    served.page.wait_for(f"{NUMBERS}.length === 2 && {NUMBERS}.every(one => one)")


def shown(served: Hospital) -> list[int]:
    """The heights of the slices that are shown."""
    names = [one.split("/")[2] for one in served.page.run(SHOWN)]
    main = [served.archive.instances[one]["MainDicomTags"] for one in names]
    return [int(one["ImagePositionPatient"].split("\\")[2]) for one in main]


def wheel(served: Hospital, box: str, down: int, shift: bool = False) -> None:
    x, y = served.page.run(
        "(r => [r.x + r.width / 2, r.y + r.height / 2])"
        f"(document.querySelector('{box}').getBoundingClientRect())"
    )
    served.mouse("mouseWheel", (x, y), deltaX=0, deltaY=down, modifiers=8 if shift else 0)


THORAX = [100 - 10 * at for at in range(24)]
TRUNK = [100 - 25 * at for at in range(24)]


def test_current_and_prior_show_the_same_height_though_the_prior_reaches_further(
    served: Hospital,
) -> None:
    heights(served, "reach", THORAX, TRUNK)
    pairs = [shown(served)]
    for key in ("j", "j", "PageDown", "PageUp"):
        served.page.press(key)
        pairs.append(shown(served))
    assert pairs[0] == [-20, -25]
    assert all(abs(one - other) <= 12 for one, other in pairs)
    served.page.screenshot(OUTPUT / "page-hanging-heights.png")


def test_each_key_goes_one_slice_on_and_none_is_left_out(served: Hospital) -> None:
    heights(served, "keys", THORAX, TRUNK)
    served.page.press(*["PageUp"] * 3)
    seen = [shown(served)[0]]
    for _ in range(23):
        served.page.press("ArrowDown")
        seen.append(shown(served)[0])
    assert seen == sorted(THORAX)


def test_the_wheel_over_the_prior_reaches_every_slice_of_it(served: Hospital) -> None:
    heights(served, "wheel", THORAX, TRUNK)
    for expected in TRUNK[6:9]:
        wheel(served, ".box.prior", -100)
        served.page.wait_for(f"{NUMBERS}[1].startsWith('{24 - TRUNK.index(expected)} ')")
        assert shown(served)[1] == expected
    served.page.press("PageUp")
    assert "has no slice at this height" in served.page.run(NUMBERS)[0]
    assert shown(served) == [-130, TRUNK[18]]


def test_a_prior_can_be_moved_alone_and_stays_so(served: Hospital) -> None:
    heights(served, "moved", THORAX, THORAX)
    assert shown(served) == [-20, -20]
    wheel(served, ".box.prior", 100, shift=True)
    served.page.wait_for(f"{NUMBERS}[1] === '13 / 24'")
    served.page.press("]", "j")
    assert shown(served) == [-10, 10]


def test_studies_that_hardly_overlap_are_scrolled_by_their_depth_until_one_is_moved(
    served: Hospital,
) -> None:
    apart = [z + 1000 for z in THORAX]
    heights(served, "apart", THORAX, apart)
    assert shown(served) == [-20, 980]
    served.page.press("j")
    assert shown(served) == [-10, 990]
    served.page.press("]", "j", "j")
    assert shown(served) == [10, 1020]


def test_a_prior_that_was_led_by_and_then_moved_keeps_what_stands_beside_it(
    served: Hospital,
) -> None:
    heights(served, "led", THORAX, TRUNK)
    for number in (18, 17, 16, 15, 14, 13, 12):
        wheel(served, ".box.prior", -100)
        served.page.wait_for(f"{NUMBERS}[1].startsWith('{number} ')")
    assert shown(served) == [-130, -200]
    served.page.press("]")
    assert shown(served) == [-130, -175]
    served.page.press("PageDown")
    assert shown(served) == [-30, -75]
