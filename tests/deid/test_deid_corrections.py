# SPDX-License-Identifier: Apache-2.0
"""What a person decided about one instance is what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset, dcmread

from deid import Deidentifier, Extensions, Policy
from deid.corrected_tags import CorrectedTagsStage
from deid.corrections import Box, CorrectedPixelsStage, Corrections
from deid.deidentifier import pixel_stages
from deid.errors import CorrectionError
from deid.policy import PixelText
from deid.suggestions import SuggestedBoxesStage, boxes_around
from deid.tag_paths import at_top
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of

DESCRIPTION, COMMENTS, STATION = 0x0008103E, 0x00204000, 0x00081010
NAME, ACCESSION, ROWS = 0x00100010, 0x00080050, 0x00280010


def named_pixels() -> NDArray[np.uint8]:
    image = Image.new("L", (400, 240), 12)
    font = ImageFont.load_default(20)
    ImageDraw.Draw(image).text((20, 20), "DOE^JANE 1950", fill=240, font=font)
    ImageDraw.Draw(image).text((230, 200), "ID 4471993", fill=240, font=font)
    return np.asarray(image)


def scan(**attributes: object) -> Dataset:
    dataset = ct(BurnedInAnnotation="YES", **attributes)
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 240, 400, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelRepresentation, dataset.PhotometricInterpretation = 0, "MONOCHROME2"
    dataset.PixelData = named_pixels().tobytes()
    return dataset


def corrected(dataset: Dataset, correction: Corrections, policy: Policy | None = None) -> Dataset:
    by_uid = {str(dataset.SOPInstanceUID): correction}
    chosen = policy or Policy()
    extensions = Extensions(
        pixels=(CorrectedPixelsStage(by_uid, pixel_stages(chosen)),),
        after=(CorrectedTagsStage(by_uid),),
    )
    made = Deidentifier(KEY, PIPELINE, chosen, extensions).deidentify(file_of(dataset))
    return dcmread(BytesIO(made.to_bytes()))


def test_what_lies_in_a_box_is_masked_and_nothing_else() -> None:
    made = corrected(scan(), Corrections(boxes=(Box(10, 15, 200, 30),))).pixel_array
    before = named_pixels()
    assert made[15:45, 10:210].max() == 0
    outside = np.ones(before.shape, bool)
    outside[15:45, 10:210] = False
    assert (made[outside] == before[outside]).all()


def test_a_person_who_saw_no_identity_lets_the_pixels_pass_as_they_are() -> None:
    made = corrected(scan(), Corrections(boxes=()))
    assert (made.pixel_array == named_pixels()).all()
    assert made.BurnedInAnnotation == "NO"
    codes = {item.CodeValue for item in made.DeidentificationMethodCodeSequence}
    assert "113101" in codes


def test_instances_nobody_corrected_are_treated_by_the_policy() -> None:
    masking = replace(Policy(), pixel_text=PixelText.MASK)
    made = corrected(scan(), Corrections(), masking).pixel_array
    assert made[named_pixels() > 100].max() <= 12


@pytest.mark.parametrize("box", [Box(400, 0, 5, 5), Box(0, 240, 5, 5), Box(-1, 0, 5, 5)])
def test_a_box_outside_of_the_image_is_refused(box: Box) -> None:
    with pytest.raises(CorrectionError, match="outside"):
        corrected(scan(), Corrections(boxes=(box,)))


def test_a_redacted_value_is_gone_and_the_report_says_who_decided() -> None:
    dataset = scan(SeriesDescription="Chest Short")
    by_uid = {str(dataset.SOPInstanceUID): Corrections(redacted=frozenset({at_top(DESCRIPTION)}))}
    extensions = Extensions(pixels=(CorrectedPixelsStage({}),), after=(CorrectedTagsStage(by_uid),))
    made = Deidentifier(KEY, PIPELINE, extensions=extensions).deidentify(file_of(dataset))
    assert "SeriesDescription" not in made.dataset
    (record,) = [one for one in made.report.elements if one.path == f"{DESCRIPTION:08X}"]
    assert (record.rule, record.action) == ("a reviewer's decision", "removed")


def test_a_kept_value_is_the_original_one() -> None:
    text = "Zwerchfellhochstand links"
    made = corrected(scan(ImageComments=text), Corrections(kept=frozenset({at_top(COMMENTS)})))
    assert made.ImageComments == text


@pytest.mark.parametrize(
    "tag",
    [NAME, ACCESSION, STATION, 0x00080018, 0x00080020, 0x00100030, 0x00080080, 0x00101040,
     0x00104000, 0x00181000],
)  # fmt: skip
def test_what_names_somebody_can_not_be_kept(tag: int) -> None:
    dataset = scan(AccessionNumber="A-4471", StationName="CT99", StudyDate="20260102")
    dataset.PatientBirthDate, dataset.PatientAddress = "19500203", "1 Elm Street"
    dataset.InstitutionName, dataset.PatientComments = "General", "tall"
    dataset.DeviceSerialNumber = "SN-1"
    with pytest.raises(CorrectionError, match="may not be kept"):
        corrected(dataset, Corrections(kept=frozenset({at_top(tag)})))


def test_a_text_with_a_name_of_its_own_header_can_not_be_kept() -> None:
    dataset = scan(ImageComments="Mrs. Fenwick, left lung")
    dataset.PatientName = "Fenwick^Marigold"
    with pytest.raises(CorrectionError, match="name or number of the same header"):
        corrected(dataset, Corrections(kept=frozenset({at_top(COMMENTS)})))


def test_a_name_is_told_in_the_character_set_of_its_header() -> None:
    dataset = scan(ImageComments="gesehen von Müller")
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = "Muller^Ann"
    with pytest.raises(CorrectionError, match="name or number of the same header"):
        corrected(dataset, Corrections(kept=frozenset({at_top(COMMENTS)})))


def test_what_makes_an_image_readable_can_not_be_redacted() -> None:
    with pytest.raises(CorrectionError, match="can't be redacted"):
        corrected(scan(), Corrections(redacted=frozenset({at_top(ROWS)})))


def test_suggested_boxes_lie_around_every_line_of_text(tmp_path: Path) -> None:
    stage = SuggestedBoxesStage()
    deidentifier = Deidentifier(KEY, PIPELINE, extensions=Extensions(pixels=(stage,)))
    made = deidentifier.deidentify(file_of(scan()))
    shown = dcmread(BytesIO(made.to_bytes())).pixel_array
    assert (shown == named_pixels()).all()
    covered = np.zeros(shown.shape, bool)
    for box in stage.boxes:
        covered[box.top : box.top + box.height, box.left : box.left + box.width] = True
    assert covered[shown > 100].all()
    assert covered.mean() < 0.15


def test_boxes_around_a_mask_are_its_parts_top_to_bottom() -> None:
    mask = np.zeros((20, 30), bool)
    mask[12:15, 3:9] = mask[2:4, 20:25] = True
    assert boxes_around(mask) == (Box(20, 2, 5, 2), Box(3, 12, 6, 3))


def test_boxes_mask_float_pixels_too() -> None:
    values = named_pixels().astype("<f4") / 100
    dataset = scan()
    del dataset.PixelData
    dataset.SOPClassUID, dataset.BitsAllocated = "1.2.840.10008.5.1.4.1.1.30", 32
    dataset.FloatPixelData = values.tobytes()
    made = corrected(dataset, Corrections(boxes=(Box(10, 15, 200, 30),)))
    after = np.frombuffer(made.FloatPixelData, "<f4").reshape(values.shape)
    assert after[15:45, 10:210].max() == values.min()
    assert (after[50:] == values[50:]).all()
    assert made.BurnedInAnnotation == "NO"
