# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page of the review of de-identified images, from the keyboard."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from plugin.deid_review.records import State
from tests.plugin.deid_review.reviewed import Reviewed
from tests.plugin.deid_review.served import served
from tests.plugin.web.chromium import PROGRAM, Chromium

OUTPUT = Path(__file__).parents[2] / "output"
SECTION = "document.querySelector('.deid')"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed"),
]


@pytest.fixture
def node(tmp_path: Path) -> Reviewed:
    made = Reviewed(tmp_path)
    for number in range(5):
        made.waiting(number, SeriesDescription="Mammo Lumorix", StudyDescription="Breast Short")
    return made


@contextmanager
def page_of(node: Reviewed, account: str, folder: Path) -> Iterator[Chromium]:
    with ExitStack() as stack:
        root = stack.enter_context(served(node, account))
        page = Chromium(folder / f"browser-{account}")
        stack.callback(page.close)
        page.open(f"{root}/sidelight/ui/#deid-review")
        yield page


def counted(node: Reviewed, **wanted: int) -> None:
    """Wait until so many items are in each state: the next image is there before the answer."""
    deadline = time.monotonic() + 20
    while node.ledger.counts() != wanted:
        assert time.monotonic() < deadline, node.ledger.counts()
        time.sleep(0.05)


def shown(page: Chromium, item: int, revision: int = 0) -> None:
    page.wait_for(f"{SECTION}.dataset.shown === '{item} {revision} 1'")


def test_the_original_and_its_text_are_to_be_seen_through_the_boxes(
    node: Reviewed, tmp_path: Path
) -> None:
    with page_of(node, "anna", tmp_path) as page:
        shown(page, 1)
        page.screenshot(OUTPUT / "page-deid-review.png")
        # Left, top, width and height of the box around the name, in the original and the result.
        boxes = page.run(
            "['.original', '.result'].map(pane => (r => [r.x, r.y, r.right, r.bottom])"
            "(document.querySelector(`${pane} .box.mask`).getBoundingClientRect()))"
        )
    screen = Image.open(OUTPUT / "page-deid-review.png").convert("L")
    original, result = (screen.crop([round(c) for c in box]).crop((6, 6, 300, 30)) for box in boxes)
    assert original.getextrema()[1] > 200
    assert result.getextrema()[1] < 20


def test_a_reviewer_accepts_and_keeps_out_from_the_keyboard(node: Reviewed, tmp_path: Path) -> None:
    with page_of(node, "anna", tmp_path) as page:
        shown(page, 1)
        page.screenshot(OUTPUT / "page-deid-review.png")
        sizes = (
            "[...document.querySelectorAll('.deid .stack')]"
            ".map(one => [one.clientWidth, one.clientHeight, one.getBoundingClientRect().top])"
        )
        original, result = page.run(sizes)
        assert original == result
        page.press("a")
        shown(page, 2)
        page.press("x")
        page.screenshot(OUTPUT / "page-deid-review-keep-out.png")
        page.press("2")
        shown(page, 3)
        page.press("a")
        shown(page, 4)
        # At once, while the answer may be on its way: the last one is taken back, not the first.
        page.press("u")
        shown(page, 3)
        assert page.complaints == []
    assert node.ledger.counts() == {"waiting": 3, "accepted": 1, "rejected": 1}
    (rejected,) = node.ledger.items(State.REJECTED, 5)
    assert node.ledger.decisions(rejected.id)[0].reason == "a face can be recognized"
    assert {one.by for n in range(1, 6) for one in node.ledger.decisions(n)} == {"anna"}


def test_boxes_and_tags_are_edited_from_the_keyboard_and_shown_before_acceptance(
    node: Reviewed, tmp_path: Path
) -> None:
    with page_of(node, "anna", tmp_path) as page:
        shown(page, 1)
        # The second box goes, a new one is moved into the middle of the left border.
        page.press(".", ".", "Delete", "b")
        page.press(*["ArrowLeft"] * 45)
        page.press("Escape", "ArrowDown")
        page.wait_for("document.querySelector('.tag.current') !== null")
        row = (
            "[...document.querySelectorAll('.tag')]"
            ".findIndex(one => /StudyDesc/.test(one.textContent))"
        )
        page.press(*["ArrowDown"] * int(page.run(row)), "r")
        assert page.run("document.querySelector('.tag.redact').dataset.path") == "00081030"
        # Not before its result was looked at.
        page.press("a")
        shown(page, 1, 1)
        page.screenshot(OUTPUT / "page-deid-review-edited.png")
        page.press("a")
        shown(page, 2)
        assert page.complaints == []
    item = node.ledger.item(1)
    assert item is not None
    assert item.state is State.ACCEPTED
    first, second = item.draft.boxes or ()
    assert (first.left, first.top) == (12, 10)
    assert (second.left, second.width) == (0, 80)
    assert item.draft.redact == ("00081030",)
    made = node.door().deidentify(item.subject.resource, node.files.file(item.subject.resource))
    pixels = dcmread(BytesIO(made.to_bytes())).pixel_array
    assert pixels[200:].max() == 240
    assert "StudyDescription" not in made.dataset


def test_a_value_in_a_sequence_is_decided_from_the_keyboard(tmp_path: Path) -> None:
    node = Reviewed(tmp_path)
    steps = [Dataset(), Dataset()]
    steps[0].ScheduledProcedureStepDescription = "Breast left"
    steps[1].ScheduledProcedureStepDescription = "Mammo Lumorix"
    node.waiting(RequestAttributesSequence=Sequence(steps))
    row = (
        "[...document.querySelectorAll('.tag')].findIndex(one => one.dataset.path === '{}')"
        " - [...document.querySelectorAll('.tag')].findIndex(one => one.matches('.current'))"
    )
    with page_of(node, "anna", tmp_path) as page:
        shown(page, 1)
        for path, key in (("00400275[2].00400007", "f"), ("00400275[1].00400007", "r")):
            steps_down = int(page.run(row.format(path)))
            page.press(*["ArrowDown" if steps_down > 0 else "ArrowUp"] * abs(steps_down), key)
        page.press("s")
        shown(page, 1, 1)
        page.press("ArrowDown")
        page.screenshot(OUTPUT / "page-deid-review-sequence.png")
        within = page.run("document.querySelector('.tag.keep .tag-within').textContent")
        assert within.startswith("RequestAttributesSequence 2")
        # Undone and done again.
        page.press("r")
        assert page.run("document.querySelector('.tag.redact') === null")
        page.press("r")
        page.press("a")
        # The next image, here none, is shown before the decision is answered.
        page.wait_for("/Accepted/.test(document.body.textContent)")
        assert page.complaints == []
    item = node.ledger.item(1)
    assert item is not None
    assert item.state is State.ACCEPTED
    made = node.door().deidentify(item.subject.resource, node.files.file(item.subject.resource))
    first, second = made.dataset.RequestAttributesSequence
    assert len(first) == 0
    assert second.ScheduledProcedureStepDescription == "Mammo Lumorix"


def test_a_dragged_box_lies_where_it_was_drawn(node: Reviewed, tmp_path: Path) -> None:
    with page_of(node, "anna", tmp_path) as page:
        shown(page, 1)
        left, top, width, height = page.run(
            "(r => [r.x, r.y, r.width, r.height])"
            "(document.querySelector('.original .stack').getBoundingClientRect())"
        )
        for kind, across, down in (
            ("mousePressed", 0.25, 0.5), ("mouseMoved", 0.4, 0.6), ("mouseMoved", 0.5, 0.75),
            ("mouseReleased", 0.5, 0.75),
        ):  # fmt: skip
            page.call(
                "Input.dispatchMouseEvent", type=kind, x=left + across * width,
                y=top + down * height, button="left", buttons=1, clickCount=1,
            )  # fmt: skip
        page.press("s")
        shown(page, 1, 1)
    item = node.ledger.item(1)
    assert item is not None
    assert item.draft.boxes is not None
    drawn = item.draft.boxes[-1]
    assert abs(drawn.left - 100) <= 1
    assert abs(drawn.top - 120) <= 1
    assert abs(drawn.width - 100) <= 2
    assert abs(drawn.height - 60) <= 2


def test_a_word_of_a_kept_tag_is_proposed_and_confirmed_by_another_account(
    node: Reviewed, tmp_path: Path
) -> None:
    with page_of(node, "anna", tmp_path) as page:
        shown(page, 1)
        row = (
            "[...document.querySelectorAll('.tag')]"
            ".find(one => /SeriesDescription/.test(one.textContent))"
        )
        page.run(f"{row}.click()")
        page.press("f")
        page.run(f"[...{row}.querySelectorAll('.word')].at(-1).click()")
        page.screenshot(OUTPUT / "page-deid-review-word.png")
        page.press("s")
        shown(page, 1, 1)
        page.press("w")
        page.wait_for("document.querySelector('[data-term=lumorix]') !== null")
        assert page.run("document.querySelectorAll('.deid-words .primary').length") == 0
    assert not node.vocabulary.exists()
    with page_of(node, "ben", tmp_path) as page:
        shown(page, 1, 1)
        page.press("w")
        page.wait_for("document.querySelector('.deid-words .primary') !== null")
        page.screenshot(OUTPUT / "page-deid-review-words.png")
        page.run("document.querySelector('.deid-words .primary').click()")
        page.wait_for("/confirmed by ben/.test(document.querySelector('.deid-words').textContent)")
    assert json.loads(node.vocabulary.read_text("utf-8"))["whitelist"] == ["lumorix"]


def test_an_image_that_somebody_else_decided_about_leaves_the_list_and_an_edited_one_is_shown_anew(
    node: Reviewed, tmp_path: Path
) -> None:
    with page_of(node, "anna", tmp_path) as anna, page_of(node, "ben", tmp_path) as ben:
        shown(anna, 1)
        shown(ben, 1)
        ben.press("a")
        shown(ben, 2)
        anna.press("a")
        shown(anna, 2)
        anna.wait_for("/1 of 4 waiting/.test(document.querySelector('.deid-bar').textContent)")
        ben.press("b", "s")
        shown(ben, 2, 1)
        anna.press("a")
        # What was accepted would have been another image than the one that leaves: it is looked at.
        shown(anna, 2, 1)
        anna.press("a")
        shown(anna, 3)
        counted(node, waiting=3, accepted=2, rejected=0)
    assert [one.by for one in node.ledger.decisions(2)] == ["ben", "anna"]


def test_all_that_waits_is_counted_and_an_image_that_was_deleted_can_be_kept_out(
    node: Reviewed, tmp_path: Path
) -> None:
    for number in range(5, 210):
        node.waiting(number)
    with page_of(node, "anna", tmp_path) as page:
        shown(page, 1)
        assert "1 of 210 waiting" in page.run("document.querySelector('.deid-bar').textContent")
        # Behind those that were fetched in advance.
        del node.files.files[node.ledger.items(None, 1, 5)[0].subject.resource]
        for item in range(1, 6):
            shown(page, item)
            page.press("a")
        page.wait_for(f"{SECTION}.dataset.failed === 'item-gone'")
        page.press("x", "1")
        shown(page, 7)
        counted(node, waiting=204, accepted=5, rejected=1)


def test_an_account_that_is_not_named_sees_no_image(node: Reviewed, tmp_path: Path) -> None:
    with page_of(node, "carl", tmp_path) as page:
        text = page.wait_for("document.querySelector('#main .notice').textContent")
        assert "Originals are not shown to this account" in text
        assert page.run("document.querySelectorAll('canvas').length") == 0
