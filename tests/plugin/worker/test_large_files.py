# SPDX-License-Identifier: AGPL-3.0-or-later
"""Of a large file no more is fetched and kept than somebody wants."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from typing import Any, cast

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from deid import Deidentifier, Policy
from deid.policy import Documents
from inference.contract import AnatomyAnswer, ModelDescription, PixelAnatomyAnswer, ScanCategory
from plugin.archive import Archive as OrthancClient
from plugin.archive import ArchiveUnavailableError
from plugin.gate import Gate
from plugin.queue import Job
from plugin.worker import beginnings
from plugin.worker.beginnings import beginning
from plugin.worker.scan import Reader, Scan
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of
from tests.plugin.web.fake_archive import CHEST, CHEST_MODEL

US = "1.2.840.10008.5.1.4.1.1.3.1"
US_CHEST = CHEST.model_copy(update={"modality": "US", "view": None})
LUNG_LOOPS = CHEST_MODEL.model_copy(
    update={"categories": (ScanCategory(modalities=("US",), regions=("chest",)),)}
)


def loop(syntax: str = ExplicitVRLittleEndian, **attributes: Any) -> bytes:
    """An ultrasound loop of two seconds, of a chest."""
    values: dict[str, Any] = {
        "SOPClassUID": US, "Modality": "US", "StudyDescription": "US CHEST",
        "Rows": 64, "Columns": 64, "NumberOfFrames": 60, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 8, "BitsStored": 8,
        "HighBit": 7, "PixelRepresentation": 0, "PixelData": bytes(64 * 64 * 60),
    } | attributes  # fmt: skip
    return file_of(ct(**values), syntax)


class Archive:
    """One instance, and how often how much of it was asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.whole, self.received = 0, 0

    def file(self, _instance: str) -> bytes:
        self.whole += 1
        return self.content

    @contextmanager
    def file_pieces(self, _instance: str) -> Iterator[tuple[int, Iterator[bytes]]]:
        yield len(self.content), self._pieces()

    def _pieces(self) -> Iterator[bytes]:
        for at in range(0, len(self.content), 1000):
            piece = self.content[at : at + 1000]
            self.received += len(piece)
            yield piece

    def metadata(self, *_: Any) -> None:
        return None


class Inference:
    """Says what it is told to, and keeps what it was shown."""

    def __init__(self, answer: AnatomyAnswer) -> None:
        self.answer = answer
        self.shown: list[bytes] = []

    def recognize_anatomy(self, _header: Any) -> AnatomyAnswer:
        return self.answer

    def recognize_pixels(self, instances: list[bytes]) -> PixelAnatomyAnswer:
        self.shown += instances
        return PixelAnatomyAnswer(reason="it knows others only")


@pytest.fixture(autouse=True)
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginnings, "LARGE", 50_000)


def read(
    archive: Archive,
    inference: Inference,
    *models: ModelDescription,
    level: str = "instance",
    aside: Any = None,
    policy: Policy | None = None,
    instances: Sequence[str] = ("i1",),
) -> Scan:
    """A scan after the reader has read it."""
    wanted = policy or Policy()
    reader = Reader(
        cast("Any", archive),
        Deidentifier(KEY, options=PIPELINE, policy=wanted),
        Deidentifier(KEY, options=PIPELINE, policy=wanted.without_pixels()),
        Gate(cast("Any", inference)),
        aside=aside,
        beginning=partial(beginning, cast("Any", archive)),
    )
    scan = Scan(Job(1, level, "i1", "", "s1", "st1", 1, "w", 0.0), list(instances))
    reader.read(scan, models, "instance" if level == "instance" else "series")
    return scan


# -- the file --------------------------------------------------------------------------------------


def test_of_a_large_file_what_lies_before_its_pixels_is_kept_and_the_rest_is_received() -> None:
    archive = Archive(loop())
    content, is_whole = beginning(archive, "i1")
    assert not is_whole
    assert archive.content.startswith(content)
    assert archive.content[len(content) :].startswith(b"\xe0\x7f\x10\x00")
    # Whoever hangs up makes Orthanc log an error.
    assert archive.received == len(archive.content)


def test_a_small_file_and_one_that_is_deflated_are_whole() -> None:
    small, deflated = loop(PixelData=bytes(8)), loop(DeflatedExplicitVRLittleEndian)
    deflated += bytes(50_000)
    for one in (small, deflated):
        assert beginning(Archive(one), "i1") == (one, True)


def test_a_large_file_that_is_no_dicom_is_whole_so_that_its_reader_says_what_is_wrong() -> None:
    broken = loop()[:200] + b"\xff" * 60_000
    assert beginning(Archive(broken), "i1") == (broken, True)


@pytest.mark.parametrize("arrived", [0, 100, 900, 20_000])
def test_of_a_file_whose_transfer_is_cut_no_part_passes_for_a_file(arrived: int) -> None:
    content = loop()
    for cut in (httpx.ReadError("cut"), httpx.ReadTimeout("stalled"), None):
        with pytest.raises(ArchiveUnavailableError):
            beginning(orthanc_that_sends(content[:arrived], len(content), cut), "i1")


def orthanc_that_sends(part: bytes, length: int, then: httpx.HTTPError | None) -> OrthancClient:
    """A client of an Orthanc whose answer breaks off."""

    class Answer(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield part
            if then is not None:
                raise then

    made = OrthancClient("http://127.0.0.1:9", "")
    answer = httpx.Response(200, headers={"Content-Length": str(length)}, stream=Answer())
    made._client = httpx.Client(
        base_url="http://127.0.0.1:9", transport=httpx.MockTransport(lambda _: answer)
    )
    return made


def test_memory_does_not_grow_with_the_pixels() -> None:
    archive = Archive(loop(NumberOfFrames=6000, PixelData=bytes(64 * 64 * 6000)))
    tracemalloc.start()
    beginning(archive, "i1")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(archive.content) / 10


# -- the scan --------------------------------------------------------------------------------------


def test_a_loop_that_no_model_wants_is_recognized_by_its_header_alone() -> None:
    archive = Archive(loop())
    scan = read(archive, Inference(US_CHEST), CHEST_MODEL)
    assert scan.model is None
    assert scan.anatomy == US_CHEST
    assert scan.no_application == "no application for US CHEST"
    assert archive.whole == 0


def test_a_loop_that_a_model_wants_passes_with_its_pixels_and_once() -> None:
    archive = Archive(loop())
    scan = read(archive, Inference(US_CHEST), LUNG_LOOPS)
    assert (scan.model, archive.whole) == (LUNG_LOOPS, 1)
    assert scan.passes is not None
    assert len(pydicom.dcmread(BytesIO(scan.passes.to_bytes())).PixelData) == 64 * 64 * 60
    assert list(scan.sources) == list(scan.headers) == [scan.passes.sop_instance_uid]


def test_at_the_first_look_at_a_series_no_pixels_are_fetched_for_its_model() -> None:
    archive = Archive(loop())
    series = LUNG_LOOPS.model_copy(update={"works_on": "series"})
    assert read(archive, Inference(US_CHEST), series, level="recognition").model == series
    assert archive.whole == 0


def test_a_loop_of_unknown_anatomy_is_not_fetched_for_a_pixel_model_that_knows_slices() -> None:
    archive = Archive(loop())
    unsure = US_CHEST.model_copy(update={"regions": (), "confidence": 0.0})
    inference = Inference(unsure)
    scan = read(archive, inference, CHEST_MODEL)
    assert (archive.whole, inference.shown) == (0, [])
    assert scan.agreement is not None
    assert "large objects of several frames are not fetched" in scan.agreement.in_words()


def test_a_large_film_of_unknown_anatomy_is_shown_to_the_pixel_model() -> None:
    film = {"NumberOfFrames": None, "Rows": 640, "Columns": 384}
    archive = Archive(loop(**film))
    unsure = US_CHEST.model_copy(update={"regions": (), "confidence": 0.0})
    inference = Inference(unsure)
    read(archive, inference, CHEST_MODEL)
    assert (archive.whole, len(inference.shown)) == (1, 1)


def test_a_series_of_large_slices_is_shown_to_the_pixel_model_that_wants_more() -> None:
    class Several(Archive):
        def children(self, _level: str, _series: str) -> list[dict[str, Any]]:
            return [{"ID": one} for one in ("i1", "i2", "i3")]

    class WantsMore(Inference):
        def recognize_pixels(self, instances: list[bytes]) -> PixelAnatomyAnswer:
            self.calls = [*getattr(self, "calls", []), len(instances)]
            return PixelAnatomyAnswer(reason="it is not sure", wants_more=True)

    archive = Several(loop(NumberOfFrames=None, Rows=640, Columns=384))
    inference = WantsMore(US_CHEST.model_copy(update={"regions": (), "confidence": 0.0}))
    read(archive, inference, CHEST_MODEL, level="series", instances=["i1", "i2", "i3"])
    assert (inference.calls, archive.whole) == ([1, 3], 3)


@pytest.mark.parametrize(("models", "refused"), [((), False), ((LUNG_LOOPS,), True)])
def test_burned_in_text_is_refused_where_a_model_wants_the_pixels(
    models: tuple[ModelDescription, ...], refused: bool
) -> None:
    archive = Archive(loop(BurnedInAnnotation="YES"))
    scan = read(archive, Inference(US_CHEST), *models)
    assert scan.anatomy == US_CHEST
    assert (bool(scan.refusal), archive.whole) == (refused, int(refused))


def test_a_large_document_is_put_aside_for_a_person_as_a_small_one_is() -> None:
    aside: list[Any] = []
    scanned = loop(SOPClassUID="1.2.840.10008.5.1.4.1.1.7.2", ConversionType="SD")
    archive = Archive(scanned)
    policy = Policy(scanned_forms=Documents.REVIEW)
    read(archive, Inference(US_CHEST), policy=policy, aside=lambda *said: aside.append(said))
    assert aside == [(scanned, "scanned form", "i1")]


def test_headers_are_read_the_same_whether_pixels_follow_or_not() -> None:
    archive = Archive(loop())
    by_header = read(archive, Inference(US_CHEST), CHEST_MODEL)
    whole = read(archive, Inference(US_CHEST), LUNG_LOOPS)
    assert by_header.passes is not None
    assert whole.passes is not None
    assert by_header.passes.dataset == whole.passes.dataset
    assert isinstance(by_header.header, Dataset)
