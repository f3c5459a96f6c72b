# SPDX-License-Identifier: AGPL-3.0-or-later
"""What leaves for an application: the whole set, with its roles, and nobody's identity."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pydicom
import pytest

from benchmarks.receivers import HttpReceiver
from deid import DeidentificationKey, DeidentifiedScan, Deidentifier, Option
from plugin.archive import ArchiveError, NotFoundError
from plugin.dispatch.dispatcher import Dispatcher
from plugin.dispatch.ledger import Ledger
from plugin.doors.outbox import Outbox, Patience
from plugin.doors.postman import Postman
from plugin.gate import GateRefusedError
from plugin.routing.cargo import leaving
from plugin.routing.deciding import RoutingDecider, door_of, handed_over_by
from plugin.routing.delivery import Sender, Shipment, load
from plugin.routing.exchange import Exchange
from plugin.routing.matching import Matcher
from plugin.routing.whole_sets import CHANGED, Whole
from tests.deid.made_scans import ct, file_of
from tests.plugin.routing.stow_server import StowServer, parts
from tests.plugin.routing.tables import Archive, application, table

NAME = "Doe^Jane"


class Orthanc(Archive):
    """Orthanc that sends; files are small CT slices with a name in them."""

    def __init__(self) -> None:
        super().__init__()
        self.c_stored: list[Any] = []
        self.names = ["AI"]
        self.trouble: ArchiveError | None = None

    def ct(self, *arguments: Any, **more: Any) -> tuple[str, str]:
        study, series = super().ct(*arguments, **more)
        for number, instance in enumerate(self.serieses[series]["Instances"]):
            root = f"1.2.3.{len(self.studies)}"
            self.read_files[instance] = file_of(
                ct(
                    PatientName=NAME, StudyInstanceUID=root, SeriesInstanceUID=f"{root}.1",
                    SOPInstanceUID=f"{root}.1.{number}", StudyDate="20261103", Rows=2, Columns=2,
                    BitsAllocated=16, BitsStored=12, HighBit=11, PixelRepresentation=0,
                    SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
                    PixelData=bytes(8), BurnedInAnnotation="NO",
                )
            )  # fmt: skip
        return study, series

    def deletes(self, series: str) -> dict[str, Any]:
        """A series goes, and is not listed any more."""
        gone = self.serieses.pop(series)
        self.studies[gone["ParentStudy"]]["Series"].remove(series)
        return gone

    def comes_back(self, series: dict[str, Any]) -> None:
        self.serieses[series["ID"]] = series
        self.studies[series["ParentStudy"]]["Series"].append(series["ID"])

    def modalities(self) -> list[str]:
        return self.names

    def peers(self) -> list[str]:
        return self.names

    def dicomweb_servers(self) -> list[str]:
        return self.names

    def send_file(self, modality: str, dicom: bytes) -> None:
        self._sends(pydicom.dcmread(io.BytesIO(dicom)))

    def send_stored(self, modality: str, instances: list[str]) -> None:
        self._sends(instances)

    def send_file_to_peer(self, peer: str, dicom: bytes) -> None:
        self._sends(pydicom.dcmread(io.BytesIO(dicom)))

    def send_stored_to_peer(self, peer: str, instances: list[str]) -> None:
        self._sends(instances)

    def stow_stored(self, server: str, instances: list[str]) -> None:
        self._sends(instances)

    def _sends(self, what: object) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.c_stored.append(what)


class Line:
    """From a study to its destination: dispatcher, outbox and one postman."""

    def __init__(self, folder: Path, destination: dict[str, Any], *options: Option) -> None:
        self.folder, self.archive = folder, Orthanc()
        needs = {"priors": 1}
        self.table = table(application(needs=needs, destination=destination))
        self.outbox = Outbox(folder / "outbox.sqlite", Patience(3, 0.0, 3600.0))
        self.ledger = Ledger(folder / "routing.sqlite")
        exchange = cast("Exchange", self.archive)
        (one,) = self.table.handovers
        assert one.handover is not None
        deidentifier = Deidentifier(DeidentificationKey(bytes(range(32))), options)
        sender = Sender(exchange, one.handover, lambda: deidentifier, folder)
        self.postman: Postman[Shipment] = Postman(
            door_of("lung"),
            self.outbox,
            partial(load, exchange),
            Whole(self.archive, sender.send, self.ledger.again).send,
        )

    def arrives(self) -> tuple[str, str]:
        """A study and a prior of it arrive and are quiet; the identifiers of both series."""
        _, prior = self.archive.ct("before", "20261004", slices=3)
        study, series = self.archive.ct("now", slices=4)
        self.look(study)
        return series, prior

    def look(self, study: str) -> None:
        self.ledger.note(study, 0.0)
        self.looks()

    def looks(self) -> None:
        """Decide about what is due."""
        matcher = Matcher(self.archive, self.table)
        decider = RoutingDecider(self.archive, matcher, handed_over_by(self.outbox))
        Dispatcher(self.archive, decider, self.ledger, self.outbox, lambda _: 0).step()

    def delivers(self, rounds: int = 1) -> list[tuple[str, str]]:
        for _ in range(rounds):
            self.postman.step()
        return [(one["status"], one["reason"]) for one in self.outbox.deliveries(None, 9)]


@pytest.fixture
def endpoint() -> Iterator[HttpReceiver]:
    with HttpReceiver() as started:
        yield started


def test_an_endpoint_gets_manifest_and_files_of_current_and_prior_without_identity(
    tmp_path: Path, endpoint: HttpReceiver
) -> None:
    line = Line(tmp_path, {"kind": "http", "url": f"{endpoint.url}/in"})
    line.arrives()
    assert line.delivers() == [("sent", "")]
    (posted,) = endpoint.posted
    received = parts(posted.headers["content-type"], posted.body)
    manifest, files = json.loads(received[0][1]), dict(received[1:])
    assert (received[0][0], manifest["zone"]) == ("manifest.json", "de-identified")
    assert manifest["delivery"] == posted.headers["x-sidelight-delivery"]
    assert [(one["role"], len(one["instances"])) for one in manifest["series"]] == [
        ("current", 4),
        ("prior", 3),
    ]
    for series in manifest["series"]:
        for instance in series["instances"]:
            dataset = pydicom.dcmread(io.BytesIO(files.pop(instance["file"])))
            assert dataset.SOPInstanceUID == instance["sop_instance_uid"]
            assert dataset.SeriesInstanceUID == series["series_instance_uid"]
            assert dataset.PatientIdentityRemoved == "YES"
    assert files == {}
    for text in (NAME, "1.2.3.1", "4711", *line.archive.studies, *line.archive.serieses):
        assert text.encode() not in posted.body
    assert "days_before" not in manifest["series"][1]


def test_intervals_are_told_where_the_site_keeps_them(
    tmp_path: Path, endpoint: HttpReceiver
) -> None:
    destination = {"kind": "http", "url": endpoint.url, "form": "zip"}
    line = Line(tmp_path, destination, Option.MODIFIED_DATES)
    line.arrives()
    assert line.delivers() == [("sent", "")]
    (posted,) = endpoint.posted
    with zipfile.ZipFile(io.BytesIO(posted.body)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert len(archive.namelist()) == 8
        assert archive.testzip() is None
    assert manifest["series"][1]["days_before"] == 30
    assert list(tmp_path.glob("tmp*")) == []


def test_inside_the_phi_zone_originals_are_sent(tmp_path: Path, endpoint: HttpReceiver) -> None:
    line = Line(tmp_path, {"kind": "http", "url": endpoint.url, "zone": "phi"})
    line.arrives()
    assert line.delivers() == [("sent", "")]
    received = parts(endpoint.posted[0].headers["content-type"], endpoint.posted[0].body)
    originals = set(line.archive.read_files.values())
    assert {content for _, content in received[1:]} == originals


BY_ORTHANC = [
    ({"kind": "node", "modality": "AI"}, "DicomModalities"),
    ({"kind": "peer", "peer": "AI"}, "OrthancPeers"),
]


@pytest.mark.parametrize(("destination", "_key"), BY_ORTHANC)
def test_what_orthanc_knows_by_name_gets_every_file_de_identified(
    tmp_path: Path, destination: dict[str, Any], _key: str
) -> None:
    line = Line(tmp_path, destination)
    line.arrives()
    assert line.delivers() == [("sent", "")]
    assert len(line.archive.c_stored) == 7
    assert all(one.PatientIdentityRemoved == "YES" for one in line.archive.c_stored)
    assert len({one.StudyInstanceUID for one in line.archive.c_stored}) == 2


@pytest.mark.parametrize(("destination", "_key"), BY_ORTHANC)
def test_what_lies_inside_the_phi_zone_is_sent_what_orthanc_holds(
    tmp_path: Path, destination: dict[str, Any], _key: str
) -> None:
    line = Line(tmp_path, {**destination, "zone": "phi"})
    series = line.arrives()
    assert line.delivers() == [("sent", "")]
    expected = [i for one in series for i in line.archive.serieses[one]["Instances"]]
    assert line.archive.c_stored == [expected]


def test_orthancs_own_dicomweb_server_is_sent_the_images_of_the_set_and_no_others(
    tmp_path: Path,
) -> None:
    line = Line(tmp_path, {"kind": "dicomweb", "server": "AI", "zone": "phi"})
    series = line.arrives()
    matched = [i for one in series for i in line.archive.serieses[one]["Instances"]]
    assert line.delivers() == [("sent", "")]
    assert line.archive.c_stored == [matched]


def test_a_dicomweb_server_stores_every_file_with_authorization(tmp_path: Path) -> None:
    secret = tmp_path / "authorization"
    secret.write_text("Bearer word\n", encoding="utf-8")
    with StowServer() as server:
        destination = {"kind": "dicomweb", "url": server.url, "authorization_file": str(secret)}
        line = Line(tmp_path, destination)
        line.arrives()
        assert line.delivers() == [("sent", "")]
        assert (len(server.stored), server.authorization) == (7, "Bearer word")
        assert all(one.PatientIdentityRemoved == "YES" for one in server.stored.values())


def test_a_server_that_answers_200_but_stored_less_has_refused(tmp_path: Path) -> None:
    with StowServer() as server:
        line = Line(tmp_path, {"kind": "dicomweb", "url": server.url})
        server.forgets = 2
        line.arrives()
        ((status, reason),) = line.delivers()
        assert (status, reason) == (
            "queued", "the server does not name 2 of 7 images as stored",
        )  # fmt: skip
        assert line.delivers()[0][0] == "sent"


@pytest.mark.parametrize(
    ("reason", "status", "words"),
    [
        (0xA700, "queued", "the server is out of resources for 7 of 7 images"),
        (0x0110, "dead", "the server does not name 7 of 7 images as stored"),
        ("full", "dead", "the server does not name 7 of 7 images as stored"),
    ],
)
def test_a_server_that_is_full_is_tried_again_and_one_that_refuses_is_not(
    tmp_path: Path, reason: object, status: str, words: str
) -> None:
    with StowServer() as server:
        line = Line(tmp_path, {"kind": "dicomweb", "url": server.url})
        server.reason = reason
        line.arrives()
        assert line.delivers(9) == [(status, words)]


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        (
            {
                "FunctionErrorCode": 9,
                "FunctionErrorDetails": "The STOW-RS server was only able to receive 5 instances "
                "out of 7",
            },
            "dead", "the DICOMweb server took 5 of 7 images",
        ),
        ({"FunctionErrorCode": 29}, "dead", "the DICOMweb server answers 401"),
        ({"FunctionErrorCode": 17}, "dead", "the DICOMweb server answers 404"),
        ({"FunctionErrorCode": 15}, "dead", "the DICOMweb server's answer can't be read"),
        ({"FunctionErrorCode": 9}, "queued", "Orthanc could not send"),
        ({"FunctionErrorCode": [29]}, "queued", "Orthanc could not send"),
        (["else"], "queued", "Orthanc could not send"),
    ],
)  # fmt: skip
def test_what_orthanc_says_of_its_dicomweb_server_tells_a_refusal_from_an_absence(
    tmp_path: Path, said: object, status: str, words: str
) -> None:
    line = Line(tmp_path, {"kind": "dicomweb", "server": "AI", "zone": "phi"})
    line.archive.trouble = ArchiveError("the DICOMweb server AI can't be reached")
    line.archive.trouble.answer = json.dumps(said).encode()
    line.arrives()
    ((ended, reason),) = line.delivers(9)
    assert ended == status
    assert reason.startswith(words)


def test_a_destination_that_is_away_is_tried_again(tmp_path: Path) -> None:
    line = Line(tmp_path, {"kind": "node", "modality": "AI"})
    line.archive.trouble = ArchiveError("Orthanc answers 500 to POST /modalities/…")
    line.arrives()
    assert [status for status, _ in line.delivers(5)] == ["queued"]
    line.archive.trouble = None
    assert line.delivers() == [("sent", "")]


def _orthancs_words(details: str) -> ArchiveError:
    error = ArchiveError("Orthanc answers 500 to POST /modalities/…")
    error.answer = json.dumps({"Details": details, "HttpStatus": 500, "OrthancStatus": 9}).encode()
    return error


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        (
            'C-STORE SCU to AET "AI" has failed with DIMSE status 0x0124',
            "the node refuses an image (C-STORE status 0x0124)",
        ),
        (
            'C-STORE SCU to AET "AI" has failed with DIMSE status 0xa900',
            "the node refuses an image (C-STORE status 0xA900)",
        ),
        (
            'Unable to negotiate a presentation context with AET "AI"',
            "the node takes no images of this kind (no presentation context)",
        ),
    ],
)
def test_a_set_that_a_node_refuses_is_a_dead_letter_with_the_status(
    tmp_path: Path, details: str, reason: str
) -> None:
    line = Line(tmp_path, {"kind": "node", "modality": "AI"})
    line.archive.trouble = _orthancs_words(details)
    line.arrives()
    assert line.delivers(5) == [("dead", reason)]


@pytest.mark.parametrize(
    "details",
    [
        'C-STORE SCU to AET "AI" has failed with DIMSE status 0xA700',
        'C-STORE SCU to AET "AI" has failed with DIMSE status 0x0110',
        'DicomAssociation - connecting to AET "AI": DUL Association Rejected',
        'DicomAssociation - connecting to AET "AI": TCP Initialization Error: Connection refused',
        'DicomAssociation - C-STORE to AET "AI": Peer aborted Association (or never connected)',
    ],
)
def test_a_node_that_is_away_or_full_is_tried_again(tmp_path: Path, details: str) -> None:
    line = Line(tmp_path, {"kind": "node", "modality": "AI"})
    line.archive.trouble = _orthancs_words(details)
    line.arrives()
    ((status, reason),) = line.delivers(9)
    assert status == "queued"
    assert "AET" not in reason


@pytest.mark.parametrize(("destination", "key"), BY_ORTHANC)
def test_what_orthanc_does_not_know_is_a_dead_letter_that_says_so(
    tmp_path: Path, destination: dict[str, Any], key: str
) -> None:
    line = Line(tmp_path, destination)
    line.archive.names = []
    line.arrives()
    reason = f"Orthanc's {key} has no AI; add it and send again"
    assert line.delivers() == [("dead", reason)]


def test_a_set_with_burned_in_text_does_not_leave(tmp_path: Path, endpoint: HttpReceiver) -> None:
    line = Line(tmp_path, {"kind": "http", "url": endpoint.url})
    line.arrives()
    name, content = list(line.archive.read_files.items())[-1]
    dataset = pydicom.dcmread(io.BytesIO(content))
    dataset.BurnedInAnnotation = "YES"
    line.archive.read_files[name] = file_of(dataset)
    ((status, reason),) = line.delivers()
    assert (status, reason.split(":")[0]) == ("dead", "an image may not leave the PHI zone")
    assert endpoint.posted == []


def test_a_set_that_has_grown_before_it_was_sent_goes_out_once_and_whole(
    tmp_path: Path, endpoint: HttpReceiver
) -> None:
    line = Line(tmp_path, {"kind": "http", "url": endpoint.url})
    series, _ = line.arrives()
    study = line.archive.serieses[series]["ParentStudy"]
    first = line.archive.serieses[series]["Instances"][0]
    line.archive.read_files[line.archive.add_instance(series)] = line.archive.read_files[first]
    line.look(study)
    ends = line.delivers(2)
    assert sorted(status for status, _ in ends) == ["sent", "superseded"]
    assert len(endpoint.posted) == 1


ANYWHERE = [
    {"kind": "node", "modality": "AI"},
    {"kind": "node", "modality": "AI", "zone": "phi"},
    {"kind": "dicomweb", "server": "AI", "zone": "phi"},
]


@pytest.mark.parametrize("destination", ANYWHERE)
def test_a_prior_that_is_deleted_while_a_set_waits_holds_the_current_study_up_no_longer(
    tmp_path: Path, destination: dict[str, Any]
) -> None:
    line = Line(tmp_path, destination)
    line.archive.trouble = ArchiveError("Orthanc answers 500 to POST /modalities/…")
    _, prior = line.arrives()
    line.delivers()
    line.archive.trouble = None
    line.archive.deletes(prior)
    line.archive.c_stored.clear()
    assert line.delivers() == [("superseded", CHANGED)]
    assert line.archive.c_stored == []
    line.looks()
    assert sorted(line.delivers()) == [("sent", ""), ("superseded", CHANGED)]
    assert len(line.outbox.deliveries(None, 9)) == 2
    assert line.ledger.due() == []


def test_a_prior_that_is_deleted_after_the_hand_over_makes_no_smaller_set(tmp_path: Path) -> None:
    line = Line(tmp_path, {"kind": "node", "modality": "AI"})
    series, prior = line.arrives()
    study = line.archive.serieses[series]["ParentStudy"]
    assert line.delivers() == [("sent", "")]
    line.archive.deletes(prior)
    for _ in range(2):
        line.look(study)
    assert line.delivers() == [("sent", "")]
    line.archive.read_files[line.archive.add_instance(series)] = next(
        iter(line.archive.read_files.values())
    )
    line.look(study)
    assert line.delivers() == [("sent", ""), ("sent", "")]


def test_an_image_that_is_deleted_while_it_is_sent_makes_another_set(tmp_path: Path) -> None:
    line = Line(tmp_path, {"kind": "node", "modality": "AI"})
    series, _ = line.arrives()
    gone = line.archive.serieses[series]["Instances"][-1]
    read = line.archive.file

    def and_deletes(instance: str) -> bytes:
        if instance == gone and gone in line.archive.serieses[series]["Instances"]:
            line.archive.serieses[series]["Instances"].remove(gone)
            raise NotFoundError("Orthanc has no such resource")
        return read(instance)

    line.archive.file = and_deletes  # type: ignore[method-assign]
    assert line.delivers() == [("superseded", CHANGED)]
    line.looks()
    assert sorted(status for status, _ in line.delivers()) == ["sent", "superseded"]


def test_a_file_that_is_missing_while_orthanc_lists_its_image_is_a_dead_letter(
    tmp_path: Path,
) -> None:
    line = Line(tmp_path, {"kind": "node", "modality": "AI"})

    def missing(_: str) -> bytes:
        raise NotFoundError("Orthanc has no such resource")

    line.archive.file = missing  # type: ignore[method-assign]
    line.arrives()
    assert line.delivers() == [("dead", "an image of the set was deleted from Orthanc")]
    assert line.ledger.due() == []


def test_a_dead_letter_whose_images_are_gone_is_decided_about_again_by_a_retry(
    tmp_path: Path,
) -> None:
    line = Line(tmp_path, {"kind": "node", "modality": "AI"})
    line.archive.names = []
    _, prior = line.arrives()
    assert [status for status, _ in line.delivers()] == ["dead"]
    line.archive.names = ["AI"]
    line.archive.deletes(prior)
    (dead,) = line.outbox.deliveries("dead", 9)
    assert line.outbox.retry(dead["id"])
    line.delivers()
    line.looks()
    assert sorted(line.delivers()) == [("sent", ""), ("superseded", CHANGED)]


def test_a_set_whose_current_study_is_gone_ends_without_another(tmp_path: Path) -> None:
    line = Line(tmp_path, {"kind": "node", "modality": "AI"})
    series, _ = line.arrives()
    study = line.archive.serieses[series]["ParentStudy"]
    line.archive.deletes(series)
    del line.archive.studies[study]
    line.delivers()
    line.looks()
    assert [status for status, _ in line.delivers()] == ["superseded"]
    assert line.ledger.due() == []


def test_a_prior_that_comes_back_makes_the_former_set_the_wanted_one_again(
    tmp_path: Path,
) -> None:
    line = Line(tmp_path, {"kind": "node", "modality": "AI"})
    series, prior = line.arrives()
    study = line.archive.serieses[series]["ParentStudy"]
    kept = line.archive.deletes(prior)
    line.delivers()
    line.looks()
    line.archive.comes_back(kept)
    line.look(study)
    ends = line.delivers(2)
    assert sorted(status for status, _ in ends) == ["sent", "superseded"]
    assert len(line.archive.c_stored) == 7


def test_what_no_deidentifier_made_does_not_leave() -> None:
    class Lookalike:
        def to_bytes(self) -> bytes:
            return b"Doe^Jane"

    with pytest.raises(GateRefusedError, match="not a Lookalike"):
        leaving(cast("DeidentifiedScan", Lookalike()))
