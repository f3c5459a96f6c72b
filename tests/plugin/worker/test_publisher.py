# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the publisher leaves in Orthanc: objects once, marks on superseded ones, nothing invalid."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian

from inference.contract import Outcome
from plugin.archive import NotFoundError, StoreError
from plugin.quarantine import Quarantine
from plugin.queue import Job
from plugin.results import ResultOptions
from plugin.states import Metadata, ScanState
from plugin.worker import publisher as publishing
from plugin.worker.publisher import Publisher
from plugin.worker.scan import Scan
from plugin.worker.superseding import LABEL
from tests.plugin.anatomy.test_anatomy_book import Shelf, said
from tests.plugin.results.conftest import answer, image, model  # noqa: F401 - fixtures
from tests.plugin.results.samples import dx_header

UID = "2.25.1"
PLAIN = ResultOptions(validators=())


class FakeArchive:
    """Orthanc's instances, metadata and labels in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.meta: dict[tuple[str, int], str] = {}
        self.labels: set[tuple[str, str]] = set()
        self.stored = 0

    def lookup(self, uid: str) -> str | None:
        identifier = self._identifier(uid)
        return identifier if identifier in self.files else None

    def file(self, instance: str) -> bytes:
        return self.files[instance]

    def store(self, dicom: bytes) -> str:
        self.stored += 1
        uid = str(pydicom.dcmread(BytesIO(dicom), stop_before_pixels=True).SOPInstanceUID)
        self.files[self._identifier(uid)] = dicom
        return self._identifier(uid)

    @staticmethod
    def _identifier(uid: str) -> str:
        return hashlib.sha256(uid.encode()).hexdigest()[:8]

    def metadata(self, _level: str, identifier: str, name: Metadata) -> str | None:
        return self.meta.get((identifier, int(name)))

    def put_metadata(self, _level: str, identifier: str, name: Metadata, value: str) -> None:
        if identifier != "original" and identifier not in self.files:
            raise NotFoundError("gone")
        self.meta[identifier, int(name)] = value

    def delete_metadata(self, _level: str, identifier: str, name: Metadata) -> None:
        self.meta.pop((identifier, int(name)), None)

    @staticmethod
    def has_labels() -> bool:
        return True

    def put_label(self, _level: str, identifier: str, label: str) -> None:
        self.labels.add((identifier, label))

    def delete_label(self, _level: str, identifier: str, label: str) -> None:
        self.labels.discard((identifier, label))

    def put_attachment(self, *_arguments: Any) -> None:
        return None


@pytest.fixture
def archive() -> FakeArchive:
    return FakeArchive()


@pytest.fixture
def publish(archive, tmp_path, model, answer, image):  # noqa: F811
    def run(digest: str = "ab" * 32, outcome: Outcome = Outcome.FINDINGS, **options: Any):
        job = Job(
            id=1, level="instance", resource="original", content="", series="series",
            study="study", attempts=0, owner="test", arrived=0.0,
        )  # fmt: skip
        scan = Scan(job, ["original"], header=dx_header(), model=model)
        scan.headers[UID] = scan.header
        scan.sources[UID] = "original"
        judged = outcome in (Outcome.FINDINGS, Outcome.NO_FINDINGS)
        found = image(300, 200).model_copy(update={"sop_instance_uid": UID})
        analysis = answer(outcome, digest=digest).model_copy(
            update={"images": (found,) if judged else ()}
        )
        chosen = ResultOptions(validators=(), **options)
        keeper = Publisher(archive, chosen, Quarantine(tmp_path / "quarantine"))
        keeper.analysis(scan, analysis)
        text = archive.metadata("instance", "original", Metadata.STATE)
        return ScanState.model_validate_json(text)

    return run


def predecessors(archive: FakeArchive, state: ScanState) -> list[str]:
    (report,) = [one for one in state.objects if one.kind == "SR"]
    dataset = pydicom.dcmread(BytesIO(archive.files[report.instance]))
    return [
        instance.ReferencedSOPInstanceUID
        for study in dataset.get("PredecessorDocumentsSequence", ())
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    ]


def test_the_same_run_stores_nothing_again(archive, publish):
    first = publish()
    stored = archive.stored
    again = publish()
    assert archive.stored == stored == 3
    assert again.objects == first.objects


def test_every_configured_kind_is_stored_once_too(archive, publish):
    additional = ("SEG-LABELMAP", "SEG-FRACTIONAL", "PM", "PR-HEATMAP", "KO")
    state = publish(additional=additional)
    stored = archive.stored
    publish(additional=additional)
    assert archive.stored == stored
    assert set(state.not_possible) == {"PM"}
    assert state.quarantined == {}


def test_a_new_model_supersedes_the_older_result(archive, publish):
    old = publish("ab" * 32)
    new = publish("cd" * 32)
    assert {one.sop_instance_uid for one in new.supersedes} == {
        one.sop_instance_uid for one in old.objects
    }
    (old_report,) = [one for one in old.objects if one.kind == "SR"]
    assert predecessors(archive, new) == [old_report.sop_instance_uid]
    (new_report,) = [one for one in new.objects if one.kind == "SR"]
    for one in old.objects:
        assert (one.instance, LABEL) in archive.labels
        mark = archive.meta[one.instance, int(Metadata.SUPERSEDED)]
        assert mark == new_report.sop_instance_uid
    assert not any((one.instance, LABEL) in archive.labels for one in new.objects)


def test_a_repeated_run_of_the_new_model_keeps_its_predecessor(archive, publish):
    publish("ab" * 32)
    new = publish("cd" * 32)
    stored = archive.stored
    again = publish("cd" * 32)
    assert archive.stored == stored
    assert again.supersedes == new.supersedes
    assert len(predecessors(archive, again)) == 1


def test_when_the_older_model_comes_back_the_marks_change_sides(archive, publish):
    old = publish("ab" * 32)
    new = publish("cd" * 32)
    stored = archive.stored
    publish("ab" * 32)
    assert archive.stored == stored
    assert not any((one.instance, LABEL) in archive.labels for one in old.objects)
    assert all((one.instance, LABEL) in archive.labels for one in new.objects)


def test_an_object_that_fails_goes_to_the_quarantine_and_out_again(
    archive, publish, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        publishing, "validate", lambda one, _options: ["bad"] if one.kind == "SEG" else []
    )
    state = publish()
    assert {one.kind for one in state.objects} == {"SR", "PR"}
    assert state.quarantined == {"SEG": "bad"}
    (entry,) = Quarantine(tmp_path / "quarantine").entries()
    assert (entry.kind, entry.errors, entry.resource) == ("SEG", ("bad",), "original")
    monkeypatch.undo()
    publish()
    assert list(Quarantine(tmp_path / "quarantine").entries()) == []


def test_an_object_that_orthanc_does_not_keep_is_told_from_one_that_fails_validation(
    archive, publish, tmp_path, monkeypatch, caplog
):
    def refuses(_dicom: bytes) -> str:
        raise StoreError("a filter refused it")

    monkeypatch.setattr(archive, "store", refuses)
    state = publish()
    assert set(state.quarantined.values()) == {"a filter refused it"}
    assert len(list(Quarantine(tmp_path / "quarantine").entries())) == len(state.quarantined)
    assert "kept aside" in caplog.text
    assert "validation" not in caplog.text


def test_an_object_that_orthanc_keeps_in_another_syntax_is_not_stored_again(archive, publish):
    publish()
    stored = archive.stored
    for identifier, content in archive.files.items():
        dataset = pydicom.dcmread(BytesIO(content))
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        written = BytesIO()
        dataset.save_as(written, implicit_vr=True, little_endian=True)
        archive.files[identifier] = written.getvalue()
    publish()
    assert archive.stored == stored


def test_an_older_result_without_a_new_report_is_not_superseded(archive, publish, monkeypatch):
    old = publish("ab" * 32)
    monkeypatch.setattr(publishing, "validate", lambda _one, _options: ["bad"])
    publish("cd" * 32)
    assert not archive.labels
    assert all((one.instance, int(Metadata.SUPERSEDED)) not in archive.meta for one in old.objects)


def test_the_oldest_of_too_many_quarantined_objects_go(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("plugin.quarantine.MOST", 3)
    quarantine = Quarantine(tmp_path)
    for number in range(5):
        quarantine.keep(b"DICM", _entry(f"2.25.{number}"))
    assert len(list(quarantine.entries())) == 3
    assert len(list(tmp_path.iterdir())) == 6


def _entry(uid: str):
    from plugin.quarantine import QuarantinedObject

    return QuarantinedObject(
        kind="SR", sop_instance_uid=uid, errors=("bad",), level="instance", resource="r",
        quarantined_at="2026-03-04T00:00:00+00:00",
    )  # fmt: skip


@pytest.mark.parametrize(("level", "shown"), [("instance", 2), ("series", 1)])
def test_images_that_are_scans_of_their_own_are_told_apart(level, shown, tmp_path: Path):
    shelf = Shelf()
    published = Publisher(cast("Any", shelf), PLAIN, Quarantine(tmp_path))
    for number, region in enumerate(("chest", "lower limb")):
        job = Job(number, level, f"i{number}", "", "s1", "study", 1, "w", 0.0)
        published.anatomy(Scan(job, [f"i{number}"], recognized=said(region)))
    assert len(shelf.study()["regions"]) == shown
