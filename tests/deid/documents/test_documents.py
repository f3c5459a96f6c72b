# SPDX-License-Identifier: Apache-2.0
"""Secondary captures, scanned forms and encapsulated documents go by a policy of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from scipy.ndimage import gaussian_filter, rotate
from typer.testing import CliRunner

from deid import (
    BurnedInAnnotationError,
    Deidentifier,
    DocumentDroppedError,
    DocumentForReviewError,
    Policy,
)
from deid.commands import app
from deid.documents import looks_like_page
from deid.pixels import RapidText, find_text
from deid.policy import Documents, PixelText
from deid.profile_files import load
from deid.reports.pdf import PdfReport, set_anew
from tests.deid.made_scans import KEY, PIPELINE, ROOT, ct, file_of

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.7.2"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
LINES = (
    "Request for examination", "Name: Doe Jane", "Born: 1 May 1950", "Ward: 12 B east",
    "Chest pain since Monday, no fever", "Please look for pneumonia", "Thank you",
)  # fmt: skip


def page(skew: float = 0.0) -> NDArray[np.uint8]:
    """A scanned form."""
    image = Image.new("L", (600, 800), 244)
    draw = ImageDraw.Draw(image)
    draw.rectangle((30, 30, 570, 770), outline=60)
    for number, line in enumerate(LINES):
        draw.text((60, 60 + 60 * number), line, fill=20, font=ImageFont.load_default(24))
    turned = rotate(np.asarray(image), skew, reshape=False, cval=244)
    noise = np.random.default_rng(2).normal(0, 4, turned.shape)
    return np.clip(turned + noise, 0, 255).astype(np.uint8)


def screenshot() -> NDArray[np.uint8]:
    """A dark screen with a name on it."""
    image = Image.new("L", (400, 240), 15)
    ImageDraw.Draw(image).text((20, 20), "DOE^JANE 1950", 240, font=ImageFont.load_default(22))
    return np.asarray(image)


def capture(pixels: NDArray[np.uint8], **attributes: object) -> Dataset:
    frames = len(pixels) if pixels.ndim == 3 else None
    return ct(
        **{
            "SOPClassUID": SECONDARY_CAPTURE, "Modality": "OT", "ConversionType": "WSD",
            "Rows": pixels.shape[-2], "Columns": pixels.shape[-1], "BitsAllocated": 8,
            "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0, "SamplesPerPixel": 1,
            "NumberOfFrames": frames, "PhotometricInterpretation": "MONOCHROME2",
            "PixelData": pixels.tobytes(), **attributes,
        }
    )  # fmt: skip


UNSEEN = replace(load("basic").policy, pixel_text=PixelText.LEAVE)


def made(dataset: Dataset, **policy: Documents) -> Dataset:
    scan = Deidentifier(KEY, PIPELINE, replace(UNSEEN, **policy)).deidentify(file_of(dataset))
    return dcmread(BytesIO(scan.to_bytes()))


def test_text_in_a_secondary_capture_is_masked_though_images_are_left() -> None:
    one = made(capture(screenshot(), BurnedInAnnotation="YES"))
    assert one.BurnedInAnnotation == "NO"
    assert not find_text(one.pixel_array[np.newaxis], RapidText()).any()
    assert one.pixel_array[screenshot() > 100].max() <= 15


def test_a_policy_that_says_nothing_looks_at_no_pixel_and_refuses_what_is_flagged() -> None:
    one = capture(page())
    unseen = Deidentifier(KEY, PIPELINE, Policy())
    assert dcmread(BytesIO(unseen.deidentify(file_of(one)).to_bytes())).PixelData == one.PixelData
    with pytest.raises(BurnedInAnnotationError):
        unseen.deidentify(file_of(capture(page(), BurnedInAnnotation="YES")))


def test_every_frame_of_a_multi_frame_capture_is_masked() -> None:
    frames = np.stack([screenshot()] * 3)
    one = made(capture(frames, SOPClassUID=MULTI_FRAME))
    assert one.pixel_array[frames > 100].max() <= 15


@pytest.mark.parametrize(
    "said",
    [
        {"SOPClassUID": SECONDARY_CAPTURE, "ConversionType": None},
        {"SOPClassUID": MULTI_FRAME, "ConversionType": None},
        {"ConversionType": "WSD"},
        {"ConversionType": "DRW"},
        {"ConversionType": None, "ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
        {
            "ConversionType": None,
            "ImageType": ["DERIVED", "SECONDARY"],
            "BurnedInAnnotation": "YES",
        },
    ],
)
def test_a_secondary_capture_is_known_by_its_class_or_what_it_says(said: dict[str, object]) -> None:
    one = capture(screenshot(), **({"SOPClassUID": ct().SOPClassUID} | said))
    with pytest.raises(DocumentDroppedError, match="secondary capture"):
        made(one, secondary_captures=Documents.DROP)


@pytest.mark.parametrize("kind", [["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "SECONDARY"]])
def test_an_image_of_a_body_is_no_document(kind: list[str]) -> None:
    one = ct(ImageType=kind)
    drop = Documents.DROP
    assert made(one, secondary_captures=drop, scanned_forms=drop, encapsulated_documents=drop)


@pytest.mark.parametrize("said", [{"ConversionType": "SD"}, {"Modality": "DOC"}])
def test_a_form_that_says_so_waits_for_a_person(said: dict[str, str]) -> None:
    with pytest.raises(DocumentForReviewError, match="scanned form"):
        made(capture(screenshot(), **said))


@pytest.mark.parametrize("skew", [0.0, 1.5, -2.5])
def test_a_form_that_says_nothing_is_told_by_its_pixels(skew: float) -> None:
    with pytest.raises(DocumentForReviewError, match="scanned form"):
        made(capture(page(skew)))


def test_a_form_may_be_masked_where_the_site_asks_for_it() -> None:
    one = made(capture(page()), scanned_forms=Documents.MASK)
    assert one.BurnedInAnnotation == "NO"
    assert not find_text(one.pixel_array[np.newaxis], RapidText()).any()


@pytest.mark.parametrize("burned_in", [None, "YES"])
def test_what_says_that_text_is_burned_in_never_passes_unseen(burned_in: str | None) -> None:
    leave = {"secondary_captures": Documents.AS_OTHERS, "scanned_forms": Documents.AS_OTHERS}
    one = capture(screenshot(), BurnedInAnnotation=burned_in)
    if burned_in is None:
        assert made(one, **leave).PixelData == one.PixelData
        return
    with pytest.raises(BurnedInAnnotationError):
        made(one, **leave)
    with pytest.raises(BurnedInAnnotationError):
        made(one, **(leave | {"scanned_forms": Documents.MASK}))


def encapsulated(document: bytes) -> Dataset:
    return ct(
        SOPClassUID=ENCAPSULATED_PDF,
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocument=document,
        EncapsulatedDocumentLength=len(document),
    )


def test_an_encapsulated_pdf_leaves_with_its_text_cleaned() -> None:
    name = str(ct().PatientName).split("^")[0]
    pages = [
        f"Findings: no pneumothorax. Heart of normal size. Seen with Dr. {name} of ward 12.",
        f"Impression: normal chest. {name} was told by phone 0171 5551234.",
    ]
    left = made(encapsulated(set_anew(pages)))
    content = bytes(left.EncapsulatedDocument)[: left.EncapsulatedDocumentLength]
    text = "\n".join(PdfReport(content).texts().values())
    assert name.lower() not in text.lower()
    assert "5551234" not in text
    assert "no pneumothorax" in text
    assert "normal chest" in text
    assert len(PdfReport(content).texts()) == 2
    assert name.encode().lower() not in file_of(left).lower()


def test_an_encapsulated_pdf_leaves_empty_or_not_at_all() -> None:
    pdf = ct(
        SOPClassUID=ENCAPSULATED_PDF,
        Modality="DOC",
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocument=b"%PDF-1.4 Doe, Jane ",
    )
    assert b"Jane" not in made(pdf).EncapsulatedDocument
    with pytest.raises(DocumentForReviewError, match="encapsulated document"):
        made(pdf, encapsulated_documents=Documents.REVIEW)


def radiograph() -> NDArray[np.float32]:
    noise = np.random.default_rng(3).normal(size=(400, 320))
    return np.asarray(gaussian_filter(noise, 12) * 300 + 128, np.float32)


def chart() -> NDArray[np.float32]:
    white = np.full((400, 320), 255, np.float32)
    white[200 - np.arange(300) // 2, np.arange(300)] = 0
    white[350:352, :] = 0
    return white


def rules() -> NDArray[np.float32]:
    white = np.full((400, 320), 255, np.float32)
    for row in range(40, 400, 40):
        white[row : row + 5] = 0
    return white


@pytest.mark.parametrize(
    "image",
    [
        radiograph(),
        255 - radiograph(),
        chart(),
        rules(),
        np.zeros((400, 320), np.float32),
    ],
    ids=["radiograph", "inverted radiograph", "chart", "ruled paper", "nothing"],
)
def test_what_has_no_writing_on_paper_is_no_page(image: NDArray[np.float32]) -> None:
    assert not looks_like_page(image[np.newaxis], "MONOCHROME2")


def test_a_radiograph_as_bright_as_paper_is_no_page() -> None:
    # Its noise breaks the rims of lungs as letters break rows.
    one = dcmread(str(get_testdata_file("RG1_UNCR.dcm")))
    assert not looks_like_page(one.pixel_array[np.newaxis], one.PhotometricInterpretation)


def test_a_page_is_seen_in_colour_and_inverted() -> None:
    assert looks_like_page(np.stack([page()] * 3, axis=-1)[np.newaxis], "RGB")
    assert looks_like_page(255 - page()[np.newaxis], "MONOCHROME1")


def test_the_command_counts_what_it_drops_and_what_waits(tmp_path: Path) -> None:
    source, out, aside = tmp_path / "in", tmp_path / "out", tmp_path / "aside"
    source.mkdir()
    files = {
        "shot": capture(screenshot(), SOPInstanceUID=f"{ROOT}.11"),
        "form": capture(page(), SOPInstanceUID=f"{ROOT}.12"),
        "ct": ct(SOPInstanceUID=f"{ROOT}.13"),
    }
    for name, dataset in files.items():
        (source / f"{name}.dcm").write_bytes(file_of(dataset))
    report = tmp_path / "report.json"
    done = CliRunner().invoke(
        app,
        [
            str(source), "--out", str(out), "--key-file", str(tmp_path / "key"), "--jobs", "1",
            "--secondary-captures", "drop", "--report", str(report), "--set-aside", str(aside),
        ],
    )  # fmt: skip
    assert done.exit_code == 1, done.output
    told = json.loads(report.read_text())
    assert told["written"] == 1
    assert told["dropped"] == {"secondary capture": 1}
    assert told["for_review"] == {"scanned form": 1}
    assert not told["refused"]
    assert len(list(out.rglob("*.dcm"))) == 1
    (waiting,) = aside.rglob("*.dcm")
    assert dcmread(waiting).BurnedInAnnotation == "YES"
    assert b"Doe" not in waiting.read_bytes()


WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def slide(flavour: str, label_in_image: str | None = None) -> Dataset:
    """An image of a glass slide."""
    kind = ["ORIGINAL", "PRIMARY", flavour, "NONE"]
    return capture(
        screenshot(), SOPClassUID=WHOLE_SLIDE, Modality="SM", ConversionType=None, ImageType=kind,
        SpecimenLabelInImage=label_in_image,
    )  # fmt: skip


@pytest.mark.parametrize(
    "said", [("LABEL", "YES"), ("LABEL", None), ("OVERVIEW", None), ("VOLUME", "YES")]
)
def test_the_label_of_a_slide_goes_by_the_policy_for_forms(said: tuple[str, str | None]) -> None:
    with pytest.raises(DocumentForReviewError, match="slide label"):
        made(slide(*said))
    masked = made(slide(*said), scanned_forms=Documents.MASK)
    assert masked.pixel_array[screenshot() > 100].max() <= 15
    with pytest.raises(BurnedInAnnotationError, match="label of a slide"):
        Deidentifier(KEY, PIPELINE, Policy()).deidentify(file_of(slide(*said)))


@pytest.mark.parametrize("said", [("VOLUME", "NO"), ("OVERVIEW", "NO"), ("THUMBNAIL", None)])
def test_tissue_of_a_slide_is_an_image_like_others(said: tuple[str, str | None]) -> None:
    one = slide(*said)
    assert made(one).PixelData == one.PixelData


def test_every_tile_of_a_slide_with_its_label_is_looked_at() -> None:
    tiles = np.full((40, *screenshot().shape), 15, np.uint8)
    tiles[7] = np.where(screenshot() > 100, 60, 15)
    # Brighter and darker tiles: the text is in no extreme of them.
    tiles[8:12], tiles[20:24] = 90, 2
    one = capture(
        tiles, SOPClassUID=WHOLE_SLIDE, Modality="SM", ConversionType=None,
        ImageType=["ORIGINAL", "PRIMARY", "LABEL", "NONE"],
    )  # fmt: skip
    after = made(one, scanned_forms=Documents.MASK)
    assert after.pixel_array[7][screenshot() > 100].max() <= 15
