# SPDX-License-Identifier: AGPL-3.0-or-later
"""Scans are read as Orthanc's configuration wants it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset, dcmread

from deid import Deidentifier
from deid.site_vocabulary import SiteWords, write_vocabulary
from plugin.configuration import Configuration
from plugin.deid_review.ledger import FILE_NAME, ReviewLedger
from plugin.deid_review.records import Decision, State
from plugin.handover import Handover
from plugin.quarantine import Quarantine
from plugin.queue import Job
from plugin.worker.reading import reader_for
from plugin.worker.scan import Scan
from tests.deid.faces.phantom_heads import Acquisition, phantom_head
from tests.deid.made_scans import ct, file_of


def named_scan() -> bytes:
    """A CT image with a name in its pixels, and one in a comment."""
    image = Image.new("L", (400, 240), 12)
    ImageDraw.Draw(image).text((20, 20), "DOE^JANE 1950", fill=240, font=ImageFont.load_default(20))
    dataset = ct(ImageComments="Mrs. Doe: no pneumothorax after drainage", BurnedInAnnotation="YES")
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 240, 400, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelRepresentation, dataset.PhotometricInterpretation = 0, "MONOCHROME2"
    dataset.PixelData = np.asarray(image).tobytes()
    return file_of(dataset)


def reader(
    folder: Path,
    reviewers: tuple[str, ...] = (),
    quarantine: Quarantine | None = None,
    *,
    leaving: bool = False,
    arrival: str = "",
    **section: Any,
) -> Any:
    configuration = {
        "Deidentification": section,
        "DeidentificationReview": {"Reviewers": list(reviewers)},
    }
    handover = Handover(
        orthanc_url="", authorization="", queue_file=str(folder / "queue.sqlite"),
        key_file=str(folder / "key"), inference_url="", web_socket="", stable_age=1.0,
        configuration=Configuration.model_validate(configuration), arrival_socket=arrival,
    )  # fmt: skip
    nobody = cast("Any", None)
    return reader_for(handover, nobody, nobody, quarantine, leaving=leaving)


def passed(deidentifier: Deidentifier, content: bytes) -> Dataset:
    return dcmread(BytesIO(deidentifier.deidentify(content).to_bytes()))


def test_text_in_pixels_and_comments_is_cleaned_where_the_configuration_says_so(
    tmp_path: Path,
) -> None:
    content = named_scan()
    made = passed(reader(tmp_path, PixelText="mask", FreeText="detected").deidentifier, content)
    ink = dcmread(BytesIO(content)).pixel_array > 100
    assert made.pixel_array[ink].max() <= 12
    assert made.BurnedInAnnotation == "NO"
    assert "no pneumothorax after drainage" in made.ImageComments
    assert "Doe" not in made.ImageComments


@pytest.mark.parametrize(
    ("section", "leaving", "arrival", "masked"),
    [
        ({}, False, "", False),
        ({}, True, "", True),
        ({}, False, "/run/arrival.sock", True),
        ({"PixelText": "mask"}, False, "", True),
        ({"PixelText": "leave"}, True, "", False),
    ],
    ids=["models here", "sent", "arrival mode", "asked for", "left"],
)
def test_text_is_masked_in_what_is_sent_and_not_for_the_models_here(
    section: dict[str, str], leaving: bool, arrival: str, masked: bool, tmp_path: Path
) -> None:
    made = reader(tmp_path, leaving=leaving, arrival=arrival, BurnedInAnnotation="allow", **section)
    original = dcmread(BytesIO(named_scan()))
    pixels = passed(made.deidentifier, named_scan()).pixel_array
    assert bool(pixels[original.pixel_array > 100].max() <= 12) is masked


def test_a_header_alone_is_handed_out_without_looking_at_pixels(tmp_path: Path) -> None:
    headers = reader(tmp_path, PixelText="mask").header_deidentifier
    scan = headers.deidentify_header(named_scan())
    assert scan.sop_instance_uid


class FilesOf:
    """An archive that has these files and nothing else."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def file(self, instance: str) -> bytes:
        return self._files[instance]


def head_scan(
    folder: Path, above: float, reviewers: tuple[str, ...] = ()
) -> tuple[Any, Scan, dict[str, bytes]]:
    """A reader that obfuscates faces, and a CT head, looked at as far as its first header."""
    head = phantom_head(5, Acquisition(spacing=(6.0, 3.2), above=above))
    files = {str(at): file_of(one) for at, one in enumerate(head.slices())}
    made = reader(folder, reviewers, Faces="obfuscate")
    made.archive = cast("Any", FilesOf(files))
    job = Job(1, "series", "resource", "", "series", "study", 0, "", 0.0)
    scan = Scan(job, list(files))
    scan.header = dcmread(BytesIO(files["0"]), stop_before_pixels=True)
    scan.passes = made._deidentify(scan, files["0"], "0")
    return made, scan, files


def test_a_series_passes_whole_with_another_face_where_the_configuration_says_so(
    tmp_path: Path,
) -> None:
    made, scan, files = head_scan(tmp_path, 110.0)
    passed = made.passed(scan)
    assert len(passed) == len(files) == len(scan.headers)
    assert not scan.refusal
    assert scan.sources[passed[3].sop_instance_uid] == "3"
    changed = [
        dcmread(BytesIO(one.to_bytes())).PixelData != dcmread(BytesIO(files[str(at)])).PixelData
        for at, one in enumerate(passed)
    ]
    assert any(changed)
    assert {one.dataset.RecognizableVisualFeatures for one in passed} == {"NO"}


def test_no_slice_of_a_series_passes_whose_face_can_not_be_masked(tmp_path: Path) -> None:
    made, scan, _ = head_scan(tmp_path, 40.0)
    assert made.passed(scan) == []
    assert "face" in scan.refusal


def test_a_series_whose_face_can_not_be_masked_passes_when_a_person_saw_no_face(
    tmp_path: Path,
) -> None:
    made, scan, files = head_scan(tmp_path, 40.0, ("anna",))
    assert made.passed(scan) == []
    assert "waits for a reviewer" in scan.refusal
    made.put_before_a_person(scan)
    ledger = ReviewLedger(tmp_path / FILE_NAME)
    (item,) = ledger.items(State.WAITING, 10)
    assert (item.subject.scope, item.subject.resource) == ("series", "series")
    assert item.reason == "face-not-masked"
    accepted = Decision(action="accept", revision=0, by="anna", at="", reason="", draft=item.draft)
    ledger.decide(item, accepted, State.ACCEPTED, owed=False)
    again = Scan(scan.job, list(files), header=scan.header, passes=scan.passes)
    assert len(made.passed(again)) == len(files)
    assert again.refusal == ""


def test_the_slice_of_a_series_that_is_to_blame_is_put_before_a_person(tmp_path: Path) -> None:
    made, scan, files = head_scan(tmp_path, 110.0, ("anna",))
    marked = dcmread(BytesIO(files["3"]))
    marked.BurnedInAnnotation = "YES"
    files["3"] = file_of(marked)
    assert made.passed(scan) == []
    made.put_before_a_person(scan)
    (item,) = ReviewLedger(tmp_path / FILE_NAME).items(State.WAITING, 10)
    assert (item.subject.scope, item.subject.resource) == ("image", "3")


def test_without_reviewers_what_is_refused_stays_refused_and_nothing_is_kept(
    tmp_path: Path,
) -> None:
    made = reader(tmp_path)
    scan = Scan(Job(1, "instance", "one", "", "series", "study", 0, "", 0.0), ["one"])
    made._deidentify(scan, named_scan(), "one")
    made.put_before_a_person(scan)
    assert "burned-in annotation" in scan.refusal
    assert not (tmp_path / FILE_NAME).exists()


def test_confirmed_words_of_the_site_reach_the_workers(tmp_path: Path) -> None:
    made = reader(tmp_path, PixelText="mask")
    content = file_of(ct(SeriesDescription="Thorax Lumorix"))
    assert passed(made.deidentifier, content).SeriesDescription == "Thorax"
    write_vocabulary(tmp_path / "vocabulary.json", SiteWords(frozenset({"lumorix"})))
    assert passed(made.deidentifier, content).SeriesDescription == "Thorax Lumorix"


def scanned_form() -> bytes:
    """A capture that says that it is a scanned document."""
    dataset = dcmread(BytesIO(named_scan()))
    dataset.SOPClassUID, dataset.ConversionType = "1.2.840.10008.5.1.4.1.1.7", "SD"
    return file_of(dataset)


def test_a_scanned_form_reaches_no_model_and_waits_for_a_person(tmp_path: Path) -> None:
    made = reader(tmp_path, quarantine=Quarantine(tmp_path / "quarantine"))
    made.archive = cast("Any", FilesOf({"form": scanned_form()}))
    scan = Scan(Job(1, "instance", "form", "", "series", "study", 0, "", 0.0), ["form"])
    scan.header = dcmread(BytesIO(scanned_form()), stop_before_pixels=True)
    scan.passes = made._deidentify(scan, scanned_form(), "form")
    assert "scanned form waits for a person" in scan.refusal
    (entry,) = Quarantine(tmp_path / "quarantine").entries()
    assert (entry.kind, entry.resource) == ("scanned form", "form")
    (kept,) = (tmp_path / "quarantine").glob("*.dcm")
    assert dcmread(kept).BurnedInAnnotation == "YES"
    assert b"Doe" not in kept.read_bytes()


def test_a_scanned_form_is_reviewed_and_leaves_as_a_person_masked_it(tmp_path: Path) -> None:
    made = reader(tmp_path, ("anna",), SecondaryCaptures="review")
    capture = dcmread(BytesIO(named_scan()))
    capture.SOPClassUID = capture.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    capture.BurnedInAnnotation = "NO"
    content = file_of(capture)
    made.archive = cast("Any", FilesOf({"one": content}))
    scan = Scan(Job(1, "instance", "one", "", "series", "study", 0, "", 0.0), ["one"])
    scan.header = capture
    made._deidentify(scan, content, "one")
    made.put_before_a_person(scan)
    ledger = ReviewLedger(tmp_path / FILE_NAME)
    (item,) = ledger.items(State.WAITING, 10)
    assert item.reason == "document-for-review"
    accepted = Decision(action="accept", revision=0, by="anna", at="", reason="", draft=item.draft)
    ledger.decide(item, accepted, State.ACCEPTED, owed=False)
    released = made.door.deidentify("one", content)
    shown = dcmread(BytesIO(released.to_bytes())).pixel_array
    assert shown[dcmread(BytesIO(content)).pixel_array > 100].max() <= 12
