# SPDX-License-Identifier: Apache-2.0
"""``ct_seg_vs_highdicom``, ``ct_seg_vs_dcmqi``: a SEG of 5 segments for a CT of 300 slices.

All three do the same: read the slices' headers from files and the masks from one file, and write
the SEG to a file. The masks are ellipsoids that reach through most slices, without overlap, so that
every tool writes about as many frames. Rounds alternate.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import highdicom
import numpy as np
import pydicom
from highdicom.content import AlgorithmIdentificationSequence
from numpy.typing import NDArray
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from benchmarks.conformance_samples import answer, model
from benchmarks.peers import PeerNotInstalledError, environment
from benchmarks.report import say
from benchmarks.scans import CT_SIDE, ct_slices
from inference.contract import FindingClass, Outcome
from plugin.results.bands import Band, Window
from plugin.results.objects import ResultOptions
from plugin.results.scan_result import AnalysedImage, ScanResult, scan_result
from plugin.results.segmentation import band_content, write_segmentation

DCMQI = "dcmqi==1.5.7"
SLICES = 300
SEGMENTS = 5
_SPACING = (0.7, 0.7, 1.0)


def measure(
    folder: Path, *, quick: bool, figures: dict[str, float | None], details: dict[str, object]
) -> None:
    """Fill in the figures; of a peer that can't be installed here there is none, but the reason."""
    slices, rounds = (40, 1) if quick else (SLICES, 5)
    paths = _series(folder / "ct", slices)
    labels = _labels(slices)
    masks = folder / "labels.npy"
    np.save(masks, labels)
    contenders: dict[str, Callable[[Path], None]] = {
        "sidelight": lambda out: _sidelight(paths, masks, out),
        "highdicom": lambda out: _highdicom(paths, masks, out),
    }
    tool = _itkimage2segimage(details)
    if tool is not None:
        image, description = _for_dcmqi(folder, labels, paths)
        contenders["dcmqi"] = lambda out: _dcmqi(tool, folder / "ct", image, description, out)
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, write in contenders.items():
            out = folder / f"{name}.dcm"
            start = time.perf_counter()
            write(out)
            seconds = time.perf_counter() - start
            if number or quick:  # the first round loads
                taken[name].append(seconds)
            say(f"round {number}, {name}: {seconds:.2f} s, {out.stat().st_size} bytes")
    _must_agree({name: folder / f"{name}.dcm" for name in contenders}, labels)
    details["ct_seg_seconds"] = {name: [round(s, 3) for s in all_] for name, all_ in taken.items()}
    figures["ct_seg_vs_dcmqi"] = None
    for peer in contenders.keys() - {"sidelight"}:
        pairs = zip(taken["sidelight"], taken[peer], strict=True)
        ratio = statistics.median(mine / other for mine, other in pairs)
        figures[f"ct_seg_vs_{peer}"] = round(ratio, 3)


def _series(folder: Path, count: int) -> list[Path]:
    paths = ct_slices(folder, count)
    frame_of_reference = generate_uid()
    for number, path in enumerate(paths):
        slice_ = pydicom.dcmread(path)
        slice_.FrameOfReferenceUID = frame_of_reference
        slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        slice_.ImagePositionPatient = [0, 0, number * _SPACING[2]]
        slice_.PixelSpacing = list(_SPACING[:2])
        slice_.SliceThickness = _SPACING[2]
        slice_.save_as(path)
    return paths


def _labels(slices: int) -> NDArray[np.uint8]:
    """Label volume ``(slices, 512, 512)``, 1 to 5."""
    labels = np.zeros((slices, CT_SIDE, CT_SIDE), np.uint8)
    z, y, x = np.ogrid[:slices, :CT_SIDE, :CT_SIDE]
    for number in range(SEGMENTS):
        row, column = 110 + 140 * (number // 3), 100 + 150 * (number % 3)
        inside = ((y - row) / 60) ** 2 + ((x - column) / 60) ** 2
        labels[inside + ((z - slices / 2) / (0.48 * slices)) ** 2 < 1] = number + 1
    return labels


def _headers(paths: list[Path]) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]


def _sidelight(paths: list[Path], masks: Path, out: Path) -> None:
    labels = np.load(masks)
    findings = [_finding(number) for number in range(SEGMENTS)]
    images = [AnalysedImage(header, None) for header in _headers(paths)]
    result: ScanResult = scan_result(images, model(), answer(Outcome.ABSTAINED), ResultOptions())
    whole = Window(0, CT_SIDE, 0, CT_SIDE)
    frames = [
        (image, Band(finding, 0.5, 1.0, 1.0, whole, mask))
        for number, finding in enumerate(findings)
        for image, plane in zip(result.images, labels, strict=True)
        if (mask := plane == number + 1).any()
    ]
    content = band_content(frames, result.profile)
    out.write_bytes(write_segmentation(result, "SEG", "BINARY", content).to_bytes())


def _finding(number: int) -> FindingClass:
    return (
        model()
        .classes[0]
        .model_copy(update={"key": f"mass-{number + 1}", "name": f"Mass {number + 1}"})
    )


def _highdicom(paths: list[Path], masks: Path, out: Path) -> None:
    algorithm = AlgorithmIdentificationSequence("bench", codes.DCM.ArtificialIntelligence, "1.0")
    described = [
        highdicom.seg.SegmentDescription(
            segment_number=number + 1,
            segment_label=f"Mass {number + 1}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Mass,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
        )
        for number in range(SEGMENTS)
    ]
    segmentation = highdicom.seg.Segmentation(
        source_images=_headers(paths),
        pixel_array=np.load(masks),
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=described,
        series_instance_uid=generate_uid(),
        series_number=100,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Bench",
        manufacturer_model_name="Bench",
        software_versions="1.0",
        device_serial_number="1",
    )
    segmentation.save_as(out)


def _itkimage2segimage(details: dict[str, object]) -> str | None:
    try:
        return str(environment("dcmqi", DCMQI) / "itkimage2segimage")
    except PeerNotInstalledError as error:
        details["ct_seg_vs_dcmqi"] = str(error)
        return None


def _for_dcmqi(folder: Path, labels: NDArray[np.uint8], paths: list[Path]) -> tuple[Path, Path]:
    image = folder / "labels.nrrd"
    depth, rows, columns = labels.shape
    head = (
        "NRRD0004\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {columns} {rows} {depth}\n"
        f"space directions: ({_SPACING[1]},0,0) (0,{_SPACING[0]},0) (0,0,{_SPACING[2]})\n"
        "kinds: domain domain domain\nendian: little\nencoding: raw\nspace origin: (0,0,0)\n\n"
    )
    image.write_bytes(head.encode("ascii") + labels.tobytes())
    coded = {"CodeMeaning": "Mass", "CodingSchemeDesignator": "SCT", "CodeValue": "4147007"}
    category = {
        "CodeMeaning": "Morphologically Abnormal Structure",
        "CodingSchemeDesignator": "SCT",
        "CodeValue": "49755003",
    }
    segments = [
        {
            "labelID": number + 1,
            "SegmentLabel": f"Mass {number + 1}",
            "SegmentDescription": f"Mass {number + 1}",
            "SegmentAlgorithmType": "AUTOMATIC",
            "SegmentAlgorithmName": "bench",
            "SegmentedPropertyCategoryCodeSequence": category,
            "SegmentedPropertyTypeCodeSequence": coded,
        }
        for number in range(SEGMENTS)
    ]
    description = folder / "segments.json"
    description.write_text(
        json.dumps(
            {
                "ContentCreatorName": "Bench",
                "SeriesDescription": "Bench",
                "SeriesNumber": "100",
                "InstanceNumber": "1",
                "segmentAttributes": [segments],
            }
        )
    )
    say(f"dcmqi reads {len(paths)} slices")
    return image, description


def _dcmqi(tool: str, slices: Path, image: Path, description: Path, out: Path) -> None:
    command = [tool, "--inputDICOMDirectory", str(slices), "--inputImageList", str(image)]
    command += ["--inputMetadata", str(description), "--outputDICOM", str(out), "--skip", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"itkimage2segimage ended with {done.returncode}: {done.stderr[-300:]}")


def _must_agree(files: dict[str, Path], labels: NDArray[np.uint8]) -> None:
    """All have written the same masks: a fast writer of something else proves nothing."""
    expected = [int((labels == number + 1).sum()) for number in range(SEGMENTS)]
    for name, path in files.items():
        read = pydicom.dcmread(path)
        counts = [0] * SEGMENTS
        pixels = read.pixel_array
        for frame, mask in zip(read.PerFrameFunctionalGroupsSequence, pixels, strict=True):
            number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            counts[number - 1] += int(mask.astype(bool).sum())
        if counts != expected:
            raise RuntimeError(f"{name} wrote other masks: {counts} instead of {expected}")
