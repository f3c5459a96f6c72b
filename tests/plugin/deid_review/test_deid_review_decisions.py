# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a person decides about a de-identified image is what becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from deid.errors import CorrectionError
from plugin.deid_review.desk import ItemGoneError, NotDecidableError
from plugin.deid_review.door import Held, HeldBackError
from plugin.deid_review.ledger import ChangedMeanwhileError, ReviewLedger
from plugin.deid_review.records import Draft, Item, PixelBox, Reason, State
from plugin.deid_review.workshop import content_of
from tests.deid.made_scans import file_of
from tests.plugin.deid_review.reviewed import PLACE, Reviewed, named_image


@pytest.fixture
def node(tmp_path: Path) -> Reviewed:
    return Reviewed(tmp_path)


def leaves(node: Reviewed, item: Item) -> bytes:
    """What passes the door of an item's image."""
    instance = item.subject.resource
    return node.door().deidentify(instance, node.files.file(instance)).to_bytes()


def test_a_refused_image_is_put_before_a_person_with_its_text_in_boxes(node: Reviewed) -> None:
    instance = node.add()
    original = node.files.file(instance)
    with pytest.raises(HeldBackError, match="waits for a reviewer") as refused:
        node.door().deidentify(instance, original)
    (held,) = refused.value.held
    item = node.door().open(held, PLACE, node.files.file)
    assert item.state is State.WAITING
    assert item.holds
    shown = dcmread(BytesIO(node.desk.look(item).result.to_bytes())).pixel_array
    assert shown[10:40, 12:240].max() <= 90
    with pytest.raises(HeldBackError) as again:
        node.door().deidentify(instance, original)
    assert again.value.held == ()


def test_what_leaves_after_acceptance_is_byte_by_byte_what_was_shown(node: Reviewed) -> None:
    item = node.waiting()
    shown = node.desk.look(item).result.to_bytes()
    with pytest.raises(HeldBackError):
        leaves(node, item)
    node.desk.accept(item, "anna", "")
    assert leaves(node, item) == shown
    assert node.queue.queued == [item.subject.resource]


def test_a_rejected_image_stays_out_whatever_the_configuration_says_later(
    node: Reviewed, tmp_path: Path
) -> None:
    item = node.waiting()
    node.desk.reject(item, "anna", "a face shows")
    with pytest.raises(HeldBackError, match="kept it out"):
        leaves(node, item)
    allowing = Reviewed(tmp_path, BurnedInAnnotation="allow")
    allowing.files = node.files
    with pytest.raises(HeldBackError, match="kept it out"):
        leaves(allowing, item)


def test_an_accepted_image_waits_again_when_it_would_be_de_identified_otherwise(
    node: Reviewed, tmp_path: Path
) -> None:
    item = node.waiting()
    node.desk.accept(item, "anna", "")
    other = Reviewed(tmp_path, Options=["CleanDescriptors", "FullDates"])
    other.files = node.files
    with pytest.raises(HeldBackError, match="waits") as refused:
        leaves(other, item)
    (held,) = refused.value.held
    opened = other.door().open(held, PLACE, other.files.file)
    assert (opened.id, opened.state) == (item.id, State.WAITING)


def test_other_bytes_under_the_same_identifier_are_asked_about_anew(node: Reviewed) -> None:
    item = node.waiting()
    node.desk.accept(item, "anna", "")
    node.files.files[item.subject.resource] = file_of(named_image(0, ImageComments="Mrs. Doe"))
    with pytest.raises(HeldBackError) as refused:
        leaves(node, item)
    assert len(refused.value.held) == 1
    with pytest.raises(ItemGoneError):
        node.desk.look(item.model_copy(update={"revision": 9}))


def test_an_edit_runs_de_identification_again_with_the_persons_boxes_and_tags(
    node: Reviewed,
) -> None:
    item = node.waiting(StudyDescription="Chest Short", ImageComments="Zwerchfellhochstand")
    draft = Draft(
        boxes=(PixelBox(left=0, top=0, width=400, height=45),),
        redact=("00081030",),
        keep=("00204000",),
    )
    edited = node.desk.edit(item, draft, "anna", "the box was too short")
    assert edited.revision == item.revision + 1
    node.desk.accept(edited, "anna", "")
    made = dcmread(BytesIO(leaves(node, item)))
    assert made.pixel_array[:45].max() == 0
    assert made.pixel_array[200:].max() == 240
    assert "StudyDescription" not in made
    assert made.ImageComments == "Zwerchfellhochstand"


def test_an_edit_that_would_let_a_name_pass_is_refused_and_changes_nothing(
    node: Reviewed,
) -> None:
    item = node.waiting(ImageComments="seen with Marigold")
    with pytest.raises(CorrectionError):
        node.desk.edit(item, Draft(boxes=(), keep=("00204000",)), "anna", "")
    assert node.ledger.item(item.id) == item


def test_of_two_people_who_decide_at_once_the_second_is_told(node: Reviewed) -> None:
    item = node.waiting()
    node.desk.edit(item, Draft(boxes=()), "anna", "")
    with pytest.raises(ChangedMeanwhileError):
        node.desk.accept(item, "ben", "")


def test_what_was_accepted_by_mistake_can_be_taken_back_and_what_was_rejected_can_not(
    node: Reviewed,
) -> None:
    first, second = node.waiting(1), node.waiting(2)
    accepted = node.desk.accept(first, "anna", "")
    node.desk.take_back(accepted, "anna", "the wrong key")
    with pytest.raises(HeldBackError, match="waits"):
        leaves(node, first)
    rejected = node.desk.reject(second, "anna", "a face")
    with pytest.raises(NotDecidableError):
        node.desk.take_back(rejected, "anna", "")


def test_every_decision_is_kept_with_who_when_and_why(node: Reviewed) -> None:
    item = node.waiting()
    edited = node.desk.edit(item, Draft(boxes=()), "anna", "no text")
    node.desk.accept(edited, "ben", "agreed")
    kept = ReviewLedger(node.folder / "deid-review.sqlite").decisions(item.id)
    assert [(one.action, one.by, one.reason) for one in kept] == [
        ("edit", "anna", "no text"),
        ("accept", "ben", "agreed"),
    ]
    assert all(one.at.endswith("+00:00") for one in kept)


def test_nothing_of_a_header_is_written_to_the_ledger(node: Reviewed) -> None:
    item = node.waiting(ImageComments="Zwerchfellhochstand", StudyDescription="Chest Short")
    edited = node.desk.edit(item, Draft(boxes=(), keep=("00204000",)), "anna", "")
    node.desk.accept(edited, "anna", "")
    written = b"".join(
        path.read_bytes() for path in node.folder.glob("deid-review.sqlite*")
    ).lower()
    for value in (b"fenwick", b"marigold", b"pid-0000", b"zwerchfell", b"short"):
        assert value not in written


def test_a_scan_that_is_being_worked_on_is_queued_again_when_that_is_over(
    node: Reviewed,
) -> None:
    item = node.waiting()
    node.queue.busy = {item.subject.resource}
    node.desk.accept(item, "anna", "")
    assert node.queue.queued == []
    node.queue.busy = set()
    assert node.desk.pay() == 0
    assert node.queue.queued == [item.subject.resource]
    node.desk.pay()
    assert node.queue.queued == [item.subject.resource]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.plugin.deid_review.reviewed import Reviewed
node = Reviewed(Path(sys.argv[1]))
item = node.waiting()
class Deadly:
    def pending_for(self, resources): os.kill(os.getpid(), signal.SIGKILL)
node.desk.queue = Deadly()
node.desk.accept(item, "anna", "")
"""


def test_a_decision_survives_a_kill_before_its_scan_is_queued(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], check=False, env={**os.environ}
    )
    assert ended.returncode == -signal.SIGKILL
    node = Reviewed(tmp_path)
    (item,) = node.ledger.items(State.ACCEPTED, 10)
    assert node.desk.pay() == 0
    assert node.queue.queued == [item.subject.resource]


@pytest.mark.parametrize("holds", [False, True])
def test_a_drawn_scan_waits_for_its_look_only_where_the_configuration_says_so(
    tmp_path: Path, holds: bool
) -> None:
    node = Reviewed(tmp_path, BurnedInAnnotation="allow", PixelText="leave")
    instance = node.add()
    door = node.door(sample=1.0, hold_sampled=holds)
    assert door.draw(instance, [instance], PLACE, node.files.file) is holds
    (item,) = node.ledger.items(State.WAITING, 10)
    assert item.reason == "sampled"
    original = node.files.file(instance)
    if holds:
        with pytest.raises(HeldBackError):
            door.deidentify(instance, original)
        node.desk.accept(item, "anna", "")
    assert door.deidentify(instance, original).to_bytes()
    assert door.draw(instance, [instance], PLACE, node.files.file) is False


def test_about_the_configured_share_of_scans_is_drawn_and_always_the_same_ones() -> None:
    from plugin.deid_review.door import _is_drawn

    drawn = [_is_drawn(f"scan {number}", 0.1) for number in range(4000)]
    assert 320 < sum(drawn) < 480
    assert drawn == [_is_drawn(f"scan {number}", 0.1) for number in range(4000)]
    assert not any(_is_drawn(f"scan {number}", 0.0) for number in range(100))


def face_item(node: Reviewed) -> Item:
    """A series of three images whose face could not be masked."""
    instances = [node.add(number) for number in range(3)]
    node.files.serieses[PLACE.series] = instances
    for number, instance in enumerate(instances):
        unmarked = named_image(number)
        unmarked.BurnedInAnnotation = "NO"
        node.files.files[instance] = file_of(unmarked)
    content = content_of([node.files.file(instance) for instance in instances])
    held = Held("series", PLACE.series, content, Reason.FACE)
    return node.door().open(held, PLACE, node.files.file)


def test_every_image_of_a_series_can_be_looked_at_before_its_face_is_decided_about(
    node: Reviewed,
) -> None:
    item = face_item(node)
    looks = [node.desk.look(item, frame) for frame in (1, 2, 3)]
    assert {look.frames for look in looks} == {3}
    assert len({look.original for look in looks}) == 3
    with pytest.raises(NotDecidableError, match="image by image"):
        node.desk.edit(item, Draft(boxes=()), "anna", "")
    node.desk.accept(item, "anna", "")
    assert node.queue.queued == [node.files.serieses[PLACE.series][0]]


def test_a_series_that_has_grown_is_asked_about_anew(node: Reviewed) -> None:
    item = face_item(node)
    node.files.serieses[PLACE.series].append(node.add(9))
    with pytest.raises(ItemGoneError, match="other bytes"):
        node.desk.accept(item, "anna", "")


def test_a_drawn_scan_that_is_refused_after_all_waits(node: Reviewed) -> None:
    instance = node.add()
    content = content_of([node.files.file(instance)])
    door = node.door(sample=1.0)
    assert door.draw(instance, [instance], PLACE, node.files.file) is False
    held = Held("image", instance, content, Reason.BURNED_IN)
    item = door.open(held, PLACE, node.files.file)
    assert (item.holds, item.reason) == (True, "burned-in-annotation")
    node.desk.accept(item, "anna", "")
    assert node.queue.queued == [instance]


def nested(node: Reviewed, number: int = 0) -> Item:
    """An image whose request has two steps, one described in words that no list has."""
    steps = [Dataset(), Dataset()]
    steps[0].ScheduledProcedureStepDescription = "Breast Short"
    steps[1].ScheduledProcedureStepDescription = "Zwerchfellhochstand"
    return node.waiting(number, RequestAttributesSequence=Sequence(steps))


def test_a_value_in_a_sequence_is_decided_by_its_path_and_stays_so_at_every_run(
    node: Reviewed,
) -> None:
    item = nested(node)
    given = ["(0040,0275)[1].(0040,0007)", "(0040,0275)[2].(0040,0007)"]
    redact, keep = (node.desk.paths(item, [one]) for one in given)
    assert (redact, keep) == (("00400275[1].00400007",), ("00400275[2].00400007",))
    edited = node.desk.edit(item, Draft(boxes=(), redact=redact, keep=keep), "anna", "")
    node.desk.accept(edited, "anna", "")
    for _ in range(2):
        first, second = dcmread(BytesIO(leaves(node, item))).RequestAttributesSequence
        assert "ScheduledProcedureStepDescription" not in first
        assert second.ScheduledProcedureStepDescription == "Zwerchfellhochstand"
    known = ReviewLedger(node.folder / "deid-review.sqlite").item(item.id)
    assert known is not None
    assert known.draft.keep == keep


def test_the_tags_of_an_item_are_listed_with_those_inside_of_its_sequences(
    node: Reviewed,
) -> None:
    item = nested(node)
    rows = {row["path"]: row for row in node.desk.tags(node.desk.look(item), "anna")}
    first, second = rows["00400275[1].00400007"], rows["00400275[2].00400007"]
    assert first["may_redact"]
    assert second["original"] == "Zwerchfellhochstand"
    assert second["may_keep"]
    assert second["shown_path"] == "(0040,0275)[2].(0040,0007)"
    assert second["within"] == "RequestAttributesSequence 2"


def test_a_private_creators_name_is_no_part_of_what_the_ledger_holds(tmp_path: Path) -> None:
    node = Reviewed(tmp_path, Options=["CleanDescriptors", "SafePrivate"])
    step = Dataset()
    step.add_new(0x00190010, "LO", "SIEMENS MR HEADER")
    step.add_new(0x0019100C, "IS", "700")
    item = node.waiting(RequestAttributesSequence=Sequence([step]))
    (row,) = [
        r for r in node.desk.tags(node.desk.look(item), "anna") if r["path"].endswith("0019100C")
    ]
    assert row["shown_path"] == '(0040,0275)[1].(0019,"SIEMENS MR HEADER",0C)'
    assert row["may_redact"]
    paths = node.desk.paths(item, [row["shown_path"]])
    node.desk.edit(item, Draft(boxes=(), redact=paths), "anna", "")
    written = b"".join(path.read_bytes() for path in node.folder.glob("deid-review.sqlite*"))
    assert b"SIEMENS" not in written
    assert b"00400275[1].0019100C" in written


def test_of_thousands_of_values_those_are_listed_that_somebody_may_decide_about(
    node: Reviewed,
) -> None:
    frames = []
    for number in range(1200):
        frame = Dataset()
        frame.TableHeight, frame.GantryDetectorTilt = number, number
        frames.append(frame)
    step = Dataset()
    step.ScheduledProcedureStepDescription = "Zwerchfellhochstand"
    item = node.waiting(
        PerFrameFunctionalGroupsSequence=Sequence(frames),
        RequestAttributesSequence=Sequence([step]),
    )
    rows = node.desk.tags(node.desk.look(item), "anna")
    assert len(rows) == 1500
    assert [row["may_keep"] for row in rows if row["path"] == "00400275[1].00400007"] == [True]
