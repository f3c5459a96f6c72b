# SPDX-License-Identifier: AGPL-3.0-or-later
"""The client of Orthanc under configurations that change what Orthanc answers."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable

import httpx
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from plugin.archive import (
    Archive,
    ArchiveError,
    ArchiveUnavailableError,
    NotFoundError,
    StoreError,
)
from plugin.states import Attachment, Metadata


class Orthanc:
    """Keeps values by path, with revisions if it checks them, and counts what it is asked."""

    def __init__(self, *, checks: bool = True, md5: bool = True) -> None:
        self.checks, self.md5 = checks, md5
        self.values: dict[str, bytes] = {}
        self.file: bytes | None = None
        self.system: dict[str, object] = {}
        self.bulk: list[dict[str, object]] = []
        self.ingest: Callable[[bytes], bytes] = lambda dicom: dicom
        self.before_change: Callable[[], None] = lambda: None
        self.asked: list[str] = []

    def archive(self, **known: object) -> Archive:
        """A client of it."""
        made = Archive("http://127.0.0.1:9", "", **known)  # type: ignore[arg-type]
        made._client = httpx.Client(
            base_url="http://127.0.0.1:9", transport=httpx.MockTransport(self._answer)
        )
        return made

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(request.method)
        if path == "/system":
            return httpx.Response(200, json=self.system)
        if path == "/tools/bulk-content":
            return httpx.Response(200, content=json.dumps(self.bulk))
        if path == "/instances" or path.startswith("/instances/dicom"):
            return self._instance(request)
        return self._value(request, path)

    def _value(self, request: httpx.Request, path: str) -> httpx.Response:
        if request.method == "GET":
            place = path.removesuffix("/size")
            if place not in self.values:
                return httpx.Response(404)
            return httpx.Response(200, headers={"ETag": self._tag(place)})
        self.before_change()
        if self.checks and request.headers.get("If-Match") != (
            self._tag(path) if path in self.values else None
        ):
            return httpx.Response(409)
        if request.method == "PUT":
            self.values[path] = request.content
        elif path in self.values:
            del self.values[path]
        else:
            return httpx.Response(409 if self.checks else 404)
        return httpx.Response(200)

    def _tag(self, path: str) -> str:
        return f'"0-{hashlib.md5(self.values[path], usedforsecurity=False).hexdigest()}"'

    def _instance(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            status = "Success" if self.file is None else "AlreadyStored"
            if self.file is None:
                self.file = self.ingest(request.content) or None
            return httpx.Response(200, json={"ID": "dicom", "Status": status})
        if self.file is None:
            return httpx.Response(404)
        if request.method == "DELETE":
            self.file = None
            return httpx.Response(200)
        if request.url.path.endswith("/md5"):
            digest = hashlib.md5(self.file, usedforsecurity=False).hexdigest()
            return httpx.Response(200, text=digest) if self.md5 else httpx.Response(404)
        return httpx.Response(200, content=self.file)


def scan(syntax: str | None = None, **changes: object) -> bytes:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    buffer = io.BytesIO()
    if syntax is not None:
        dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(buffer, implicit_vr=syntax is not None, little_endian=True)
    return buffer.getvalue()


def in_implicit_syntax(dicom: bytes) -> bytes:
    """As an Orthanc with IngestTranscoding stores it."""
    return scan(ImplicitVRLittleEndian, ContentTime=pydicom.dcmread(io.BytesIO(dicom)).ContentTime)


def test_values_are_replaced_and_removed_where_revisions_are_checked() -> None:
    orthanc = Orthanc()
    archive = orthanc.archive()
    for value in ("first", "second", "third"):
        archive.put_metadata("series", "s", Metadata.STATE, value)
        archive.put_attachment("series", "s", Attachment.FINDINGS, value.encode())
    assert orthanc.values == {
        "/series/s/metadata/5402": b"third",
        "/series/s/attachments/5403": b"third",
    }
    archive.delete_metadata("series", "s", Metadata.STATE)
    archive.delete_metadata("series", "s", Metadata.STATE)
    assert list(orthanc.values) == ["/series/s/attachments/5403"]


def test_where_revisions_are_not_checked_each_change_is_one_request() -> None:
    orthanc = Orthanc(checks=False)
    archive = orthanc.archive()
    for value in ("first", "second"):
        archive.put_metadata("series", "s", Metadata.STATE, value)
        archive.put_attachment("series", "s", Attachment.FINDINGS, b"x")
    archive.delete_metadata("series", "s", Metadata.STATE)
    archive.delete_metadata("series", "s", Metadata.STATE)
    assert orthanc.asked == ["PUT"] * 4 + ["DELETE"] * 2


def test_a_value_that_another_removes_or_replaces_meanwhile_is_set_all_the_same() -> None:
    orthanc = Orthanc()
    path = "/series/s/metadata/5402"
    others: list[Callable[[], object]] = [
        lambda: orthanc.values.update({path: b"another's"}),
        lambda: orthanc.values.update({path: b"another's again"}),
        lambda: orthanc.values.pop(path),
    ]
    orthanc.before_change = lambda: others.pop(0)() if others else None  # type: ignore[assignment]
    orthanc.archive().put_metadata("series", "s", Metadata.STATE, "ours")
    assert orthanc.values == {path: b"ours"}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, in seconds."""
    made: list[float] = []
    monkeypatch.setattr("plugin.archive_notes.time.sleep", made.append)
    return made


def test_a_change_that_others_are_always_faster_with_is_worth_another_try(
    pauses: list[float],
) -> None:
    orthanc = Orthanc()
    counter = iter(range(100))
    orthanc.before_change = lambda: orthanc.values.update(
        {"/series/s/metadata/5402": str(next(counter)).encode()}
    )
    with pytest.raises(ArchiveUnavailableError, match="CheckRevisions"):
        orthanc.archive().put_metadata("series", "s", Metadata.STATE, "ours")
    assert len(orthanc.asked) <= 16
    assert len(set(pauses)) == len(pauses) == 7
    assert 0.0 < sum(pauses) < 2.0


def test_a_change_whose_revision_is_taken_away_says_why(pauses: list[float]) -> None:
    orthanc = Orthanc()
    path = "/series/s/metadata/5402"
    orthanc.values[path] = b"before"
    answer = orthanc._answer

    def without_revision(request: httpx.Request) -> httpx.Response:
        request.headers.pop("If-Match", None)
        return answer(request)

    orthanc._answer = without_revision  # type: ignore[method-assign]
    with pytest.raises(ArchiveError, match="If-Match") as raised:
        orthanc.archive().put_metadata("series", "s", Metadata.STATE, "ours")
    assert not isinstance(raised.value, ArchiveUnavailableError)
    assert pauses


def test_the_usual_change_of_a_value_makes_no_pause(pauses: list[float]) -> None:
    archive = Orthanc().archive()
    for value in ("first", "second", "third"):
        archive.put_metadata("series", "s", Metadata.STATE, value)
    assert pauses == []


def test_without_digests_in_orthanc_the_file_itself_tells_what_it_holds() -> None:
    with_digests, without = Orthanc(), Orthanc(md5=False)
    with_digests.file = without.file = scan()
    assert without.archive().content_digest("dicom") == with_digests.archive().content_digest(
        "dicom"
    )
    assert with_digests.asked == ["GET"]
    without.file = None
    with pytest.raises(NotFoundError):
        without.archive().content_digest("dicom")


@pytest.mark.parametrize("md5", [True, False])
def test_an_object_that_orthanc_writes_in_another_syntax_is_stored(md5: bool) -> None:
    orthanc = Orthanc(md5=md5)
    orthanc.ingest = in_implicit_syntax
    archive = orthanc.archive()
    assert archive.store(scan(ContentTime="010203")) == "dicom"
    assert archive.store(scan(ContentTime="010203")) == "dicom"
    assert "DELETE" not in orthanc.asked
    assert archive.store(scan(ContentTime="040506")) == "dicom"
    assert orthanc.asked.count("DELETE") == 1
    assert orthanc.file is not None
    assert pydicom.dcmread(io.BytesIO(orthanc.file)).ContentTime == "040506"


@pytest.mark.parametrize(
    "ingest", [lambda _: b"", lambda _: scan(ContentTime="070809")], ids=["refused", "changed"]
)
def test_an_object_that_orthanc_does_not_keep_as_it_is_is_not_stored(
    ingest: Callable[[bytes], bytes],
) -> None:
    orthanc = Orthanc()
    orthanc.ingest = ingest
    with pytest.raises(StoreError, match="ReceivedInstanceFilter"):
        orthanc.archive().store(scan(ContentTime="010203"))


def compressed(dicom: bytes) -> bytes:
    """As an Orthanc that compresses what it stores keeps it."""
    dataset = pydicom.dcmread(io.BytesIO(dicom))
    dataset.compress(RLELossless, generate_instance_uid=False)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def test_pixels_that_differ_from_those_that_are_compressed_already_take_their_place() -> None:
    orthanc = Orthanc()
    orthanc.ingest = compressed
    archive = orthanc.archive()
    archive.store(scan(PixelData=bytes(128 * 128 * 2)))
    archive.store(scan())
    assert orthanc.file is not None
    assert pydicom.dcmread(io.BytesIO(orthanc.file)).pixel_array.any()


def test_an_object_as_it_was_sent_is_not_read_back() -> None:
    orthanc = Orthanc()
    orthanc.archive().store(scan())
    assert orthanc.asked == ["POST", "GET"]


@pytest.mark.parametrize("told", [{"UserMetadata": {"ours": 5402}}, {}])
def test_a_number_of_ours_that_has_a_name_is_known_by_it(told: dict[str, object]) -> None:
    orthanc = Orthanc()
    orthanc.system = told
    orthanc.bulk = [{"ID": "s", "Metadata": {"ours": "state", "other": "x"}}]
    archive = orthanc.archive(user_metadata={"ours": 5402, "other": 5999})
    ((_, held),) = archive.metadata_of(["s"], "series", (Metadata.STATE,))
    assert held == {Metadata.STATE: "state"}


def test_a_refusal_is_told_by_orthancs_name_for_it_and_by_nothing_that_may_quote_a_value() -> None:
    said = {"OrthancError": "Internal error", "Message": "DOE^JANE", "Details": "DOE^JANE"}
    archive = Archive("http://127.0.0.1:9", "")
    archive._client = httpx.Client(
        base_url="http://127.0.0.1:9",
        transport=httpx.MockTransport(lambda _: httpx.Response(500, json=said)),
    )
    with pytest.raises(ArchiveError) as raised:
        archive.study("s")
    assert str(raised.value) == "Orthanc answers 500 to GET /studies/…: Internal error"
