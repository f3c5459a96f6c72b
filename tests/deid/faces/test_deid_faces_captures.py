# SPDX-License-Identifier: Apache-2.0
"""Pictures made from head scans: a rendering waits for a person, a page of figures passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom import Dataset
from pydicom.uid import (
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from deid import FaceMaskError, Policy
from deid.policy import Faces
from tests.deid.faces.phantom_heads import Acquisition, phantom_head
from tests.deid.faces.test_deid_faces import cleaned
from tests.deid.made_scans import ct

Picture = NDArray[np.uint8]


def rendering() -> Picture:
    """A shaded surface of a head seen from the front."""
    head = phantom_head(51, Acquisition(spacing=(3.0, 2.0)))
    solid = head.pixels > head.threshold
    depth = np.where(solid.any(axis=1), np.argmax(solid, axis=1), solid.shape[1])
    slope = np.hypot(*np.gradient(depth.astype(float)))
    shaded = np.where(solid.any(axis=1), 220.0 / (1.0 + 0.3 * slope), 0.0)[::-1]
    return np.repeat(shaded.astype(np.uint8)[..., None], 3, axis=-1)


def page() -> Picture:
    """Doses as scanners write them."""
    image = Image.new("RGB", (256, 256))
    for row in range(12):
        ImageDraw.Draw(image).text((10, 12 + 18 * row), "CTDIvol 43.1 mGy  DLP 780", "white")
    ImageDraw.Draw(image).rectangle((4, 4, 250, 250), outline="white")
    return np.asarray(image)


def capture(picture: Picture, **attributes: Any) -> Dataset:
    frames, (rows, columns) = (picture.shape[0] if picture.ndim == 4 else 1), picture.shape[-3:-1]
    values: dict[str, Any] = {
        "SOPClassUID": SecondaryCaptureImageStorage, "Rows": rows, "Columns": columns,
        "SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB",
        "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0,
        "NumberOfFrames": frames if frames > 1 else None, "BodyPartExamined": "HEAD",
        "ConversionType": "WSD",
        "PixelData": picture.tobytes() + bytes(picture.size % 2),
    }  # fmt: skip
    return ct(**(values | attributes))


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"Modality": "MR", "BodyPartExamined": None, "StudyDescription": "Brain"},
        {"Modality": "OT", "BodyPartExamined": None, "SeriesDescription": "VRT 3D"},
        {"BodyPartExamined": None, "ImageType": ["DERIVED", "SECONDARY", "VOLREN"]},
    ],
)
def test_a_rendering_of_a_head_waits_for_a_person(said: dict[str, Any]) -> None:
    with pytest.raises(FaceMaskError, match="secondary capture"):
        cleaned([capture(rendering(), **said)])
    flagged = cleaned([capture(rendering(), **said)], Policy(faces=Faces.FLAG))[0]
    assert flagged.RecognizableVisualFeatures == "YES"


def test_so_does_a_turning_head_of_several_frames() -> None:
    turning = np.stack([page()[:87, :100], rendering()[:87, :100]])
    multiple = MultiFrameTrueColorSecondaryCaptureImageStorage
    with pytest.raises(FaceMaskError):
        cleaned([capture(turning, SOPClassUID=multiple)])


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (page, {}),
        (rendering, {"BodyPartExamined": "KNEE"}),
        (rendering, {"BodyPartExamined": None}),
        (rendering, {"Modality": "US"}),
    ],
    ids=["page", "another part", "nothing said", "ultrasound"],
)
def test_other_captures_pass(picture: Any, said: dict[str, Any]) -> None:
    made = cleaned([capture(picture(), **said)])[0]
    assert "RecognizableVisualFeatures" not in made
    assert np.array_equal(made.pixel_array, picture())
