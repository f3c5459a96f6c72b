# SPDX-License-Identifier: AGPL-3.0-or-later
"""The arrival process: what it de-identifies, what it lets pass, what it refuses."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any, cast

import pydicom
import pytest

from plugin.archive import ArchiveUnavailableError
from plugin.arrival import protocol
from plugin.arrival.admission import Admission
from plugin.arrival.own_objects import Announced, announce, content_digest
from plugin.arrival.protocol import Deadline, Kind
from plugin.arrival.received import ArrivalDoor
from plugin.arrival.service import ArrivalService
from plugin.configuration.deidentification import DeidentificationSection
from plugin.results.private import PrivateElement, mark
from plugin.site_key import SiteKey
from tests.deid.made_scans import ct, file_of
from tests.deid.test_deid_pixel_text import NAMED, scan
from tests.plugin.arrival.faulty import TOKEN

ORIGINAL = file_of(ct())


def admission(data: Path, **section: str) -> Admission:
    said = DeidentificationSection.model_validate(section)
    return Admission(SiteKey.of(str(data / "key"), data), said)


def test_an_original_is_deidentified_and_comes_out_the_same_each_time(tmp_path: Path) -> None:
    rules = admission(tmp_path)
    kind, stored = rules.rule(ORIGINAL)
    assert kind is Kind.STORE
    assert b"Doe" not in stored
    assert admission(tmp_path).rule(ORIGINAL) == (kind, stored)
    assert rules.rule(stored) == (kind, stored)


def test_an_announced_object_is_kept_once(tmp_path: Path) -> None:
    rules = admission(tmp_path)
    rules.announced.add(content_digest(ORIGINAL))
    assert rules.rule(ORIGINAL)[0] is Kind.KEEP
    assert rules.rule(ORIGINAL)[0] is Kind.STORE


def test_the_marks_of_sidelights_own_objects_open_no_door(tmp_path: Path) -> None:
    dataset = ct(PatientIdentityRemoved="YES")
    mark(dataset, {PrivateElement.MODEL: "chest"})
    kind, stored = admission(tmp_path).rule(file_of(dataset))
    assert kind is Kind.STORE
    assert b"Doe" not in stored


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"no DICOM file", "NotDicomError"),
        (ORIGINAL[:-3], "TruncatedFileError"),
        (file_of(ct(BurnedInAnnotation="YES")), "BurnedInAnnotationError"),
        (file_of(ct(StudyInstanceUID=None)), "MissingUidError: no Study"),
        (file_of(ct(SeriesInstanceUID="")), "MissingUidError: no Series"),
        (file_of(ct(SOPInstanceUID=None)), "MissingUidError: no SOP"),
    ],
)
def test_what_cannot_be_deidentified_is_refused_without_a_quote(
    tmp_path: Path, file: bytes, reason: str
) -> None:
    kind, words = admission(tmp_path, PixelText="leave").rule(file)
    assert kind is Kind.REFUSE
    assert words.decode().startswith(reason)
    assert b"Doe" not in words
    assert b"4711" not in words


def test_text_in_pixels_is_masked_before_anything_is_stored(tmp_path: Path) -> None:
    kind, stored = admission(tmp_path).rule(file_of(scan(NAMED, BurnedInAnnotation="YES")))
    assert kind is Kind.STORE
    made = pydicom.dcmread(io.BytesIO(stored))
    assert made.BurnedInAnnotation == "NO"
    assert made.pixel_array[NAMED > 100].max() <= 12
    # The workers of such an archive take it as it is.
    assert admission(tmp_path).rule(stored) == (kind, stored)


def test_a_missing_key_is_not_replaced_by_a_new_one(tmp_path: Path) -> None:
    rules = admission(tmp_path)
    key = (tmp_path / "key").read_bytes() if rules.rule(ORIGINAL) else b""
    (tmp_path / "key").unlink()
    for _ in range(2):
        kind, words = rules.rule(ORIGINAL)
        assert kind is Kind.REFUSE
        assert b"KeyFileError" in words
    assert not (tmp_path / "key").exists()
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_bytes(key)
    assert rules.rule(ORIGINAL)[0] is Kind.STORE


@pytest.mark.parametrize("key", [bytes(32), bytes(31), b""])
def test_another_key_than_the_first_is_refused(tmp_path: Path, key: bytes) -> None:
    rules = admission(tmp_path)
    rules.rule(ORIGINAL)
    (tmp_path / "key").write_bytes(key)
    assert rules.rule(ORIGINAL)[0] is Kind.REFUSE
    assert admission(tmp_path).rule(ORIGINAL)[0] is Kind.REFUSE


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    rules = admission(tmp_path)
    rules.rule(ORIGINAL)
    (tmp_path / "key").chmod(0o644)
    assert rules.rule(ORIGINAL)[0] is Kind.REFUSE


def test_no_key_is_drawn_where_its_fingerprint_cannot_be_kept(tmp_path: Path) -> None:
    rules = Admission(
        SiteKey.of(str(tmp_path / "key"), tmp_path / "nowhere"), DeidentificationSection()
    )
    assert rules.rule(ORIGINAL)[0] is Kind.REFUSE


def test_announced_digests_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    announced = Announced()
    announced.add(b"a")
    later = time.monotonic() + 301
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not announced.take(b"a")


@pytest.fixture
def service(tmp_path: Path) -> ArrivalService:
    made = ArrivalService(admission(tmp_path), TOKEN, 2.0, 1 << 20)
    path = str(tmp_path / "socket")
    threading.Thread(target=made.serve_forever, args=(path,), daemon=True).start()
    while not Path(path).exists():
        time.sleep(0.01)
    return made


def test_over_the_socket_an_announced_object_stays_and_an_original_does_not(
    tmp_path: Path, service: ArrivalService
) -> None:
    path = str(tmp_path / "socket")
    door = ArrivalDoor(path, TOKEN, 2.0, 1)
    announce(path, TOKEN, ORIGINAL)
    assert door.stored_for(ORIGINAL) is ORIGINAL
    assert b"Doe" not in door.stored_for(ORIGINAL)


def test_who_does_not_hold_the_token_announces_nothing(
    tmp_path: Path, service: ArrivalService
) -> None:
    path = str(tmp_path / "socket")
    with pytest.raises(ArchiveUnavailableError):
        announce(path, b"another token", ORIGINAL)
    assert b"Doe" not in ArrivalDoor(path, TOKEN, 2.0, 1).stored_for(ORIGINAL)


class GoneAfterTheHead:
    """A connection whose other side leaves when it has read a head."""

    def __init__(self) -> None:
        self.read = b""

    def settimeout(self, seconds: float) -> None:
        """Wait for no longer."""

    def sendall(self, content: bytes) -> None:
        if self.read:
            raise BrokenPipeError
        self.read = content


def test_an_answer_without_content_is_whole_when_its_head_is_read() -> None:
    asked = protocol.question(Kind.STANDARDIZE, ORIGINAL, TOKEN)
    connection = GoneAfterTheHead()
    kept = protocol.answer(Kind.KEEP, b"", TOKEN, asked)
    protocol.send(cast("Any", connection), kept, Deadline(1.0))
    assert connection.read
    stored = protocol.answer(Kind.STANDARD, ORIGINAL, TOKEN, asked)
    with pytest.raises(BrokenPipeError):
        protocol.send(cast("Any", connection), stored, Deadline(1.0))


def test_a_process_that_is_stuck_gives_up(tmp_path: Path, service: ArrivalService) -> None:
    gave_up = threading.Event()
    service.give_up, service.seconds = gave_up.set, 0.1
    service.admission.rule = lambda _file: (time.sleep(0.5), (Kind.REFUSE, b""))[1]  # type: ignore[method-assign]
    asked = protocol.question(Kind.DEIDENTIFY, ORIGINAL, TOKEN)
    with pytest.raises(protocol.ProtocolError):
        protocol.ask(str(tmp_path / "socket"), asked, TOKEN, 1 << 20, Deadline(0.3))
    assert gave_up.wait(1.0)
