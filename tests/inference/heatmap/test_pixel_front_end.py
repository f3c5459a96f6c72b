# SPDX-License-Identifier: Apache-2.0
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from inference.heatmap.pixels import UnsupportedPixelsError, square_image, square_values
from inference.phantoms import chest_phantom
from inference.phantoms.dicom import chest_dataset

RAMP = np.tile(np.arange(64, dtype=np.uint16) * 16, (64, 1))


def image(pixels, photometric="MONOCHROME2", bits=None, **attributes):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
    ds.SOPClassUID, ds.SOPInstanceUID = SecondaryCaptureImageStorage, "2.25.1"
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    ds.SamplesPerPixel = 3 if colour else 1
    if colour:
        ds.PlanarConfiguration = 0
    frames = pixels.ndim == 3 and not colour
    if frames:
        ds.NumberOfFrames = len(pixels)
    ds.Rows, ds.Columns = pixels.shape[1:3] if frames else pixels.shape[:2]
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = pixels.dtype.itemsize * 8
    ds.BitsStored = bits or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    for key, value in attributes.items():
        setattr(ds, key, value)
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    return ds


def shown(ds, **options):
    return square_image(ds, 64, **options).values


def test_values_span_zero_to_one_and_grow_with_density():
    row = shown(image(RAMP))[0]
    assert row.min() == 0.0
    assert row.max() == 1.0
    assert (np.diff(row) >= 0).all()


def test_monochrome1_is_inverted():
    assert np.allclose(shown(image(RAMP, "MONOCHROME1")), 1.0 - shown(image(RAMP)), atol=1e-6)


def test_the_first_of_several_windows_clips_the_values():
    row = shown(image(RAMP, WindowCenter=[512, 100], WindowWidth=[256, 50]))[0]
    assert (row[:20] == 0.0).all()
    assert (row[44:] == 1.0).all()
    assert 0.4 < row[32] < 0.6


def test_a_sigmoid_window_bends_the_values():
    row = shown(image(RAMP, WindowCenter=512, WindowWidth=400, VOILUTFunction="SIGMOID"))[0]
    steps = np.diff(row)
    assert steps[32] > 3 * steps[2]


def test_a_window_beside_all_values_is_not_used():
    beside = shown(image(RAMP, WindowCenter=30000, WindowWidth=10))
    assert np.allclose(beside, shown(image(RAMP)))


def test_a_window_of_no_width_is_not_used():
    assert np.allclose(shown(image(RAMP, WindowCenter=512, WindowWidth=0)), shown(image(RAMP)))


def test_rescaling_comes_before_the_window():
    plain = shown(image(RAMP, WindowCenter=512, WindowWidth=256))
    rescaled = shown(
        image(RAMP, WindowCenter=24, WindowWidth=512, RescaleSlope="2", RescaleIntercept="-1000")
    )
    assert np.abs(plain - rescaled).max() < 0.01


def test_a_negative_slope_turns_dense_into_bright_as_the_device_meant_it():
    flipped = shown(image(RAMP, RescaleSlope="-1", RescaleIntercept="1008"))
    assert np.allclose(flipped, 1.0 - shown(image(RAMP)), atol=1e-6)


def lut(values, first=0, bits=16):
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item.LUTData = values
    item["LUTData"].VR = "US"
    return item


def test_a_voi_lut_goes_before_a_window():
    table = lut([65535 if value >= 512 else 0 for value in range(1024)])
    row = shown(image(RAMP, VOILUTSequence=[table], WindowCenter=512, WindowWidth=2000))[0]
    assert (row[:32] == 0.0).all()
    assert (row[32:] == 1.0).all()


def test_a_modality_lut_is_applied():
    table = lut([1023 - value for value in range(1024)])
    assert np.allclose(
        shown(image(RAMP, ModalityLUTSequence=[table])), 1.0 - shown(image(RAMP)), atol=1e-6
    )


def test_padding_is_black_and_does_not_stretch_the_image():
    padded = RAMP.astype(np.int16)
    padded[:, :8] = -2000
    row = shown(image(padded, PixelPaddingValue=-2000))[0]
    assert (row[:8] == 0.0).all()
    assert row[40] > 0.5


def test_padding_is_black_in_monochrome1_too():
    padded = RAMP.copy()
    padded[:, :8] = 0
    row = shown(image(padded, "MONOCHROME1", PixelPaddingValue=0))[0]
    assert (row[:8] == 0.0).all()
    assert row[9] > 0.9


def test_a_padding_range_is_padding_as_a_whole():
    padded = RAMP.astype(np.int16)
    padded[:, :8] = np.arange(-2007, -1999)
    ds = image(padded, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-2010)
    assert (shown(ds)[:, :8] == 0.0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint32, np.int32])
def test_signed_and_wide_and_narrow_values_show_the_same_ramp(dtype):
    ramp = np.tile(np.arange(64), (64, 1)) - (32 if np.dtype(dtype).kind == "i" else 0)
    assert np.allclose(shown(image(ramp.astype(dtype))), shown(image(RAMP)), atol=1e-6)


def test_an_image_of_one_grey_is_zero():
    assert not shown(image(np.full((64, 64), 700, np.uint16))).any()


def test_an_image_of_padding_alone_is_zero():
    assert not shown(image(np.full((64, 64), 7, np.uint16), PixelPaddingValue=7)).any()


def test_rgb_is_shown_by_its_luminance():
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, 16:32, 2] = rgb[:, 32:48, 0] = rgb[:, 48:, 1] = 255
    row = shown(image(rgb, "RGB"))[0]
    assert row[0] < row[20] < row[40] < row[60]


def palette(name, values):
    return {
        f"{name}PaletteColorLookupTableDescriptor": [256, 0, 8],
        f"{name}PaletteColorLookupTableData": bytes(values),
    }


def test_palette_colour_goes_through_its_tables():
    falling = range(255, -1, -1)
    tables = {k: v for c in ("Red", "Green", "Blue") for k, v in palette(c, falling).items()}
    index = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    row = shown(image(index, "PALETTE COLOR", **tables))[0]
    assert (np.diff(row) <= 0).all()
    assert row[0] == 1.0


def test_one_bit_images_are_black_and_white():
    bits = np.zeros((64, 64), np.uint8)
    bits[:, 32:] = 1
    ds = image(bits)
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = 0
    ds.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    row = shown(ds)[0]
    assert set(row.tolist()) == {0.0, 1.0}
    assert row[40] == 1.0


def test_any_frame_of_a_multi_frame_image_can_be_read():
    frames = np.stack([RAMP, RAMP[:, ::-1]])
    ds = image(np.ascontiguousarray(frames))
    first, second = square_image(ds, 64, frame=1), square_image(ds, 64, frame=2)
    assert first.frames == 2
    assert np.allclose(first.values, second.values[:, ::-1])
    with pytest.raises(UnsupportedPixelsError, match="2 frames"):
        square_image(ds, 64, frame=3)


def test_a_frame_has_the_window_of_its_functional_group():
    ds = image(np.stack([RAMP, RAMP]))
    groups = []
    for centre in (256, 768):
        window, group = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = centre, 128
        group.FrameVOILUTSequence = [window]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    assert shown(ds, frame=1)[0].mean() > shown(ds, frame=2)[0].mean() + 0.3


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_float_pixels_are_read(keyword):
    dtype = np.float32 if keyword == "FloatPixelData" else np.float64
    ds = image(RAMP)
    del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    ds.BitsAllocated = np.dtype(dtype).itemsize * 8
    values = RAMP.astype(dtype)
    values[0, 0] = np.nan
    setattr(ds, keyword, values.tobytes())
    assert np.allclose(shown(ds)[1:], shown(image(RAMP))[1:], atol=1e-5)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
def test_a_lossless_transfer_syntax_changes_nothing(syntax):
    ds = chest_dataset(chest_phantom(2, 128))
    plain = square_image(ds, 64).values
    ds.compress(syntax)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    assert np.array_equal(square_image(buffer.getvalue(), 64).values, plain)


def test_phantoms_in_training_look_like_phantoms_read_from_dicom():
    made = chest_phantom(9, 256)
    trained = square_values(made.pixels, made.window, 256)
    read = square_image(chest_dataset(made), 256).values
    assert np.abs(trained - read).max() < 0.01


def file_of(ds):
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def without(keyword):
    ds = image(RAMP)
    delattr(ds, keyword)
    return ds


def unknown_syntax():
    ds = image(RAMP)
    ds.file_meta.TransferSyntaxUID = UID("1.2.3.4.5")
    return ds


def corrupt_jpeg():
    ds = chest_dataset(chest_phantom(2, 128))
    ds.compress(JPEGLSLossless)
    damaged = bytearray(ds.PixelData)
    damaged[60:-16] = bytes(len(damaged) - 76)
    ds.PixelData = bytes(damaged)
    return ds


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (without("PixelData"), "no pixel data"),
        (without("Rows"), "matrix"),
        (without("BitsAllocated"), "how its pixels are stored"),
        (without("PixelRepresentation"), "cannot be decoded"),
        (image(RAMP, Rows=0), "matrix"),
        (image(RAMP, Rows=60000, Columns=60000), "matrix"),
        (image(RAMP, Rows=65), "cannot be decoded"),
        (unknown_syntax(), "unknown transfer syntax"),
        (corrupt_jpeg(), "cannot be decoded"),
        (file_of(image(RAMP))[:3000], "cannot be decoded"),
        (file_of(image(RAMP))[:200], "not a readable DICOM file"),
        (b"", "not a readable DICOM file"),
        (b"a letter to the editor" * 100, "not a readable DICOM file"),
    ],
)
def test_what_cannot_be_read_is_named(source, reason):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(UnsupportedPixelsError, match=reason):
            square_image(source, 64)


def read_or_refused(source):
    """The square, or the reason why there is none; any other error is the test's failure."""
    try:
        return square_image(source, 64)
    except UnsupportedPixelsError as error:
        return str(error)


def test_a_file_cut_anywhere_is_read_or_refused_without_naming_the_patient():
    whole = file_of(chest_dataset(chest_phantom(2, 32)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = [read_or_refused(whole[:length]) for length in range(0, len(whole), 37)]
    reasons = [answer for answer in answers if isinstance(answer, str)]
    assert len(reasons) > 0.9 * len(answers)
    assert not any("PHANTOM" in reason for reason in reasons)


def test_real_files_are_read_or_refused_with_a_reason():
    data = Path(__file__).parents[4] / "shared" / "data"
    if not data.is_dir():
        pytest.skip("shared/data, the folder of real scans, is not beside this checkout")
    files = [f for f in sorted(data.rglob("*")) if f.is_file() and "mr_0005" not in f.parts]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = {f.name: read_or_refused(f.read_bytes()) for f in files}
    refused = {name: a for name, a in answers.items() if isinstance(a, str)}
    for name in answers.keys() - refused.keys():
        values = answers[name].values
        assert np.isfinite(values).all()
        assert 0.0 <= values.min() <= values.max() <= 1.0
    assert refused["no-pixel-data.dcm"] == "the instance has no pixel data"
    assert {"CT1_J2KR", "US1_J2KR.dcm", "color-px.dcm", "liver.dcm"}.isdisjoint(refused)
    assert len(refused) < 0.2 * len(files)
