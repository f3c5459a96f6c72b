# SPDX-License-Identifier: AGPL-3.0-or-later
"""Copies by rule: de-identified, each once, whatever happens in between."""

from __future__ import annotations

import base64
import gc
import io
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydicom
import pytest

from deid import DeidentificationKey, Deidentifier, Policy
from deid.policy import Documents
from deid.profile_files import load as load_profile
from plugin.archive import ArchiveError, NotFoundError
from plugin.configuration.copy_table import CopyRule, CopyTable
from plugin.copies.carrier import Carrier
from plugin.copies.deciding import CopyDecider
from plugin.copies.explanation import CopyExplanation
from plugin.copies.matching import CopyMatcher
from plugin.copies.sending import Batch, CopySender
from plugin.copies.transports import transport_for
from plugin.dispatch.dispatcher import Dispatcher
from plugin.dispatch.ledger import Ledger
from plugin.doors.outbox import Outbox, Patience
from plugin.doors.postman import Postman
from plugin.quarantine import Quarantine
from plugin.results.private import PRIVATE_CREATOR, PRIVATE_GROUP, STANDARDIZED_COPY
from plugin.review_copies import REVIEW, ReviewCopies
from tests.deid.made_scans import PIPELINE, ROOT, ct, file_of
from tests.plugin.routing.stow_server import StowServer
from tests.plugin.routing.tables import Archive

KEY = DeidentificationKey(bytes(range(32)))
POLICY = Policy(scanned_forms=Documents.REVIEW, secondary_captures=Documents.REVIEW)
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


class Orthanc(Archive):
    """Orthanc whose files are small CT slices with a name in them."""

    def __init__(self) -> None:
        super().__init__()
        self.short: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, str] = {}
        self.sent: list[pydicom.Dataset] = []
        self.names = ["archive"]
        self.breaks_after = 10_000

    def short_tags(self, instance: str, /) -> dict[str, Any]:
        return self.short[instance]

    def content_digest(self, instance: str, /) -> str:
        if instance not in self.read_files:
            raise NotFoundError("gone")
        return self.versions.get(instance, "first")

    def sop_class(self, instance: str, /) -> str:
        return str(self.short[instance]["0008,0016"])

    def modalities(self) -> list[str]:
        return self.names

    def send_file(self, modality: str, dicom: bytes) -> None:
        if len(self.sent) >= self.breaks_after:
            raise ArchiveError("Orthanc answers 500 to POST /modalities/…")
        self.sent.append(pydicom.dcmread(io.BytesIO(dicom)))

    def study_identifiers(self) -> list[str]:
        return list(self.studies)

    def peers(self) -> list[str]:
        return self.names

    def send_file_to_peer(self, peer: str, dicom: bytes) -> None:
        self.send_file(peer, dicom)

    def scan(self, slices: int = 3, **attributes: Any) -> tuple[str, str]:
        """A study of one series; both identifiers."""
        study, series = self.ct(f"s{len(self.studies)}", slices=slices)
        self.fill(series, **attributes)
        return study, series

    def fill(self, series: str, **attributes: Any) -> None:
        for instance in self.serieses[series]["Instances"]:
            if instance in self.read_files:
                continue
            values = {
                "PatientName": "Doe^Jane", "SOPInstanceUID": f"{ROOT}.{len(self.read_files)}",
                "StationName": "CT1", "SeriesDescription": "Lung 1mm", "Rows": 2, "Columns": 2,
                "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0,
                "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
                "PixelData": bytes(8), **attributes,
            }  # fmt: skip
            one = ct(**values)
            self.read_files[instance] = file_of(one)
            self.short[instance] = {
                f"{element.tag.group:04x},{element.tag.element:04x}": str(element.value)
                for element in one
                if element.tag.group != 0x7FE0
            }


class Line:
    """From a change in Orthanc to a destination, for one rule."""

    def __init__(self, folder: Path, destination: dict[str, Any], **rule: Any) -> None:
        self.folder, self.archive = folder, Orthanc()
        self.rule = CopyRule.model_validate({"name": "a", "destination": destination, **rule})
        self.outbox = Outbox(folder / "outbox.sqlite", Patience(3, 0.0, 3600.0))
        self.ledger = Ledger(folder / "copies.sqlite")
        self.quarantine = Quarantine(folder / "quarantine")
        self.pending = 0
        self.dispatcher.step()  # the first look remembers where the changes begin

    @property
    def matcher(self) -> CopyMatcher:
        return CopyMatcher(self.archive, CopyTable.model_validate({"copy": [self.rule]}))

    @property
    def dispatcher(self) -> Dispatcher:
        decider = CopyDecider(self.archive, self.matcher)
        return Dispatcher(self.archive, decider, self.ledger, self.outbox, lambda _: self.pending)

    @property
    def postman(self) -> Postman[Batch]:
        aside = ReviewCopies.of(KEY, PIPELINE, POLICY, self.quarantine)
        sender = CopySender(
            self.rule,
            self.archive,
            self.matcher,
            Deidentifier(KEY, PIPELINE, POLICY),
            transport_for(self.rule, self.archive),
            self.ledger,
            lambda original, kind, where: aside.keep(original, kind, where, level="instance"),
        )
        return Postman(sender.door, self.outbox, sender.load, sender.send)

    def stable(self, study: str) -> None:
        self.archive.becomes_stable(study)
        self.dispatcher.step()

    def delivers(self, rounds: int = 3) -> list[tuple[str, str]]:
        for _ in range(rounds):
            self.postman.step()
        return [(one["status"], one["reason"]) for one in self.outbox.deliveries(None, 20)]

    def told(self, study: str) -> dict[str, Any]:
        (entry,) = CopyExplanation(self.matcher, self.outbox, self.ledger).of(study)
        return entry


NODE = {"kind": "node", "modality": "archive"}
PEER = {"kind": "peer", "peer": "archive"}


@pytest.mark.parametrize("destination", [NODE, PEER])
def test_a_stable_study_goes_out_without_identity_and_once(
    tmp_path: Path, destination: dict[str, Any]
) -> None:
    line = Line(tmp_path, destination)
    study, _ = line.archive.scan()
    for _ in range(2):
        line.stable(study)
        assert line.delivers() == [("sent", "")]
    assert len(line.archive.sent) == 3
    assert all(one.PatientIdentityRemoved == "YES" for one in line.archive.sent)
    assert "Doe" not in "".join(map(str, line.archive.sent))
    told = line.told(study)
    assert (told["decision"], told["instances"]["sent"]) == ("copied", 3)


@pytest.mark.parametrize(
    ("destination", "key"), [(NODE, "DicomModalities"), (PEER, "OrthancPeers")]
)
def test_a_destination_that_orthanc_does_not_know_is_said(
    tmp_path: Path, destination: dict[str, Any], key: str
) -> None:
    line = Line(tmp_path, destination)
    line.archive.names = []
    study, _ = line.archive.scan()
    line.stable(study)
    reason = f"Orthanc's {key} has no archive; add it and send again"
    assert line.delivers() == [("dead", reason)]
    assert line.archive.sent == []


def test_what_comes_later_goes_out_alone(tmp_path: Path) -> None:
    line = Line(tmp_path, NODE)
    study, series = line.archive.scan()
    line.stable(study)
    line.delivers()
    line.archive.add_instance(series)
    line.archive.fill(series)
    line.stable(study)
    assert [status for status, _ in line.delivers()] == ["sent", "sent"]
    assert len({one.SOPInstanceUID for one in line.archive.sent}) == len(line.archive.sent) == 4


def test_after_a_broken_transfer_only_the_rest_is_sent(tmp_path: Path) -> None:
    line = Line(tmp_path, NODE)
    study, _ = line.archive.scan(slices=4)
    line.archive.breaks_after = 2
    line.stable(study)
    assert line.delivers(1)[0][0] == "queued"
    line.archive.breaks_after = 100
    assert line.delivers() == [("sent", "")]
    assert len({one.SOPInstanceUID for one in line.archive.sent}) == len(line.archive.sent) == 4


class Original(bytes):
    """A file that says whether somebody still holds it; bytes know no weak references."""

    held = 0

    def __init__(self, _content: bytes) -> None:
        Original.held += 1

    def __del__(self) -> None:
        Original.held -= 1


def test_no_original_is_held_while_a_receiver_takes_its_time(tmp_path: Path) -> None:
    line = Line(tmp_path, NODE)
    study, _ = line.archive.scan()
    read, send = line.archive.file, line.archive.send_file
    left: list[int] = []

    def send_file(modality: str, dicom: bytes) -> None:
        gc.collect()
        left.append(Original.held)
        send(modality, dicom)

    line.archive.file = lambda instance: Original(read(instance))  # type: ignore[method-assign]
    line.archive.send_file = send_file  # type: ignore[method-assign]
    line.stable(study)
    assert line.delivers() == [("sent", "")]
    assert left == [0, 0, 0]


def test_a_replaced_instance_goes_out_again(tmp_path: Path) -> None:
    line = Line(tmp_path, NODE)
    study, series = line.archive.scan(slices=1)
    line.stable(study)
    line.delivers()
    (instance,) = line.archive.serieses[series]["Instances"]
    line.archive.versions[instance] = "second"
    line.stable(study)
    assert [status for status, _ in line.delivers()] == ["sent", "sent"]
    assert len(line.archive.sent) == 2


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({"modalities": ["CT"], "regions": ["chest"]}, True),
        ({"modalities": ["MR"]}, False),
        ({"regions": ["head"]}, False),
        ({"stations": ["ct?"], "descriptions": ["*LUNG*"]}, True),
        ({"stations": ["ct2"]}, False),
        ({"descriptions": ["bone*"]}, False),
        ({"sop_classes": ["1.2.840.10008.5.1.4.1.1.2"]}, True),
        ({"sop_classes": [CAPTURE]}, False),
    ],
)
def test_every_condition_decides(tmp_path: Path, when: dict[str, Any], fits: bool) -> None:
    line = Line(tmp_path, NODE, when=when)
    study, _ = line.archive.scan()
    line.stable(study)
    assert bool(line.delivers()) is fits
    told = line.told(study)
    assert told["series"][0]["fits"] is fits
    assert "Lung" not in str(told)


def test_while_its_region_is_not_known_yet_nothing_goes_out(tmp_path: Path) -> None:
    line = Line(tmp_path, NODE, when={"regions": ["chest"]})
    study, _ = line.archive.scan()
    line.pending = 1
    line.stable(study)
    assert line.delivers() == []
    line.pending = 0
    line.stable(study)
    assert line.delivers() == [("sent", "")]


def own(line: Line, study: str) -> str:
    series = line.archive.series_of(study, slices=1)
    line.archive.fill(series, Modality="SR")
    (instance,) = line.archive.serieses[series]["Instances"]
    line.archive.short[instance][f"{PRIVATE_GROUP:04x},0010"] = PRIVATE_CREATOR
    return series


@pytest.mark.parametrize(("results", "sent"), [("exclude", 2), ("include", 3)])
def test_own_results_go_along_where_the_rule_says_so(
    tmp_path: Path, results: str, sent: int
) -> None:
    line = Line(tmp_path, NODE, results=results, when={"modalities": ["CT"]})
    study, _ = line.archive.scan(slices=2)
    own(line, study)
    line.stable(study)
    line.delivers()
    assert len(line.archive.sent) == sent


def test_a_scan_with_a_standard_header_beside_the_scan_itself_does_not_go_twice(
    tmp_path: Path,
) -> None:
    line = Line(tmp_path, NODE, results="include", when={"modalities": ["CT"]})
    study, _ = line.archive.scan(slices=2)
    (instance,) = line.archive.serieses[own(line, study)]["Instances"]
    line.archive.short[instance]["0018,a001"] = [{"0018,a003": STANDARDIZED_COPY}]
    line.stable(study)
    line.delivers()
    assert [one.Modality for one in line.archive.sent] == ["CT", "CT"]
    assert "a copy with a standard header" in str(line.told(study))


def test_copies_of_others_are_not_copied_again(tmp_path: Path) -> None:
    line = Line(tmp_path, NODE)
    study, _ = line.archive.scan(PatientIdentityRemoved="YES")
    line.stable(study)
    assert line.delivers() == []
    assert "de-identified already" in str(line.told(study))


def test_what_may_not_leave_is_a_dead_letter_and_holds_up_nothing(tmp_path: Path) -> None:
    line = Line(tmp_path, NODE)
    study, series = line.archive.scan(slices=2)
    line.archive.add_instance(series)
    line.archive.fill(series, BurnedInAnnotation="YES")
    line.stable(study)
    ((status, reason),) = line.delivers()
    assert (status, reason) == ("dead", "1 of 3 images may not leave: 1 x BurnedInAnnotationError")
    assert len(line.archive.sent) == 2


def test_a_document_for_review_waits_in_the_quarantine(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="plugin")
    line = Line(tmp_path, NODE)
    study, series = line.archive.scan(slices=1)
    line.archive.add_instance(series)
    line.archive.fill(series, SOPClassUID=CAPTURE, ConversionType="SD")
    line.stable(study)
    assert line.delivers() == [("sent", "")]
    assert line.told(study)["instances"] == {"sent": 1, "dropped": 0, "review": 1}
    (entry,) = line.quarantine.entries()
    assert entry.kind == "scanned form"
    assert entry.errors[0].startswith(REVIEW)
    (kept,) = (tmp_path / "quarantine").glob("*.dcm")
    assert b"Doe" not in kept.read_bytes()
    assert pydicom.dcmread(kept).BurnedInAnnotation == "YES"
    # Nothing has failed: a person is asked.
    assert [one.levelname for one in caplog.records if "scanned form" in one.message] == ["INFO"]
    assert "failed" not in caplog.text


def test_a_deleted_study_is_no_dead_letter(tmp_path: Path) -> None:
    line = Line(tmp_path, NODE)
    study, _ = line.archive.scan()
    line.stable(study)
    line.archive.read_files.clear()
    del line.archive.studies[study]
    assert line.delivers()[0][0] == "superseded"


def test_an_instance_goes_out_as_soon_as_it_is_there(tmp_path: Path) -> None:
    line = Line(tmp_path, NODE, at="instance", when={"modalities": ["CT"]})
    _, series = line.archive.scan(slices=2)
    for instance in line.archive.serieses[series]["Instances"]:
        line.archive.change_list.append({"ChangeType": "NewInstance", "ID": instance})
    line.dispatcher.step()
    assert [status for status, _ in line.delivers()] == ["sent", "sent"]
    assert len(line.archive.sent) == 2


def test_a_folder_gets_whole_files_by_the_new_uids(tmp_path: Path) -> None:
    out = tmp_path / "out"
    line = Line(tmp_path, {"kind": "folder", "path": str(out)})
    study, _ = line.archive.scan()
    line.stable(study)
    assert line.delivers(1)[0][0] == "queued", "the folder is not there yet"
    out.mkdir()
    assert line.delivers() == [("sent", "")]
    files = sorted(out.rglob("*.dcm"))
    assert len(files) == 3
    one = pydicom.dcmread(files[0])
    place = f"{one.StudyInstanceUID}/{one.SeriesInstanceUID}/{one.SOPInstanceUID}.dcm"
    assert files[0] == out / place


def test_a_dicomweb_server_gets_all_and_a_forgotten_one_again(tmp_path: Path) -> None:
    with StowServer() as server:
        secret = tmp_path / "secret"
        secret.write_text("Bearer x\n")
        destination = {
            "kind": "dicomweb", "url": server.url, "authorization_file": str(secret),
        }  # fmt: skip
        line = Line(tmp_path, destination)
        study, _ = line.archive.scan()
        server.forgets = 1
        line.stable(study)
        assert line.delivers() == [("sent", "")]
        assert len(server.stored) == 3
        assert server.authorization == "Bearer x"


def test_another_orthanc_gets_files_over_rest(tmp_path: Path) -> None:
    posted: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, self.headers["Authorization"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        secret = tmp_path / "secret"
        secret.write_text("Basic " + base64.b64encode(b"a:b").decode())
        url = f"http://127.0.0.1:{server.server_port}"
        line = Line(tmp_path, {"kind": "orthanc", "url": url, "authorization_file": str(secret)})
        study, _ = line.archive.scan()
        line.stable(study)
        assert line.delivers() == [("sent", "")]
    finally:
        server.shutdown()
        server.server_close()
    assert [(path, given) for path, given, _ in posted] == [("/instances", "Basic YTpi")] * 3
    assert not any(b"Doe" in body for _, _, body in posted)


def test_a_rule_whose_profile_cannot_be_used_waits_and_goes_on_when_it_is_mended(
    tmp_path: Path,
) -> None:
    line = Line(tmp_path, NODE)
    study, _ = line.archive.scan(slices=1)
    line.stable(study)
    profile = tmp_path / "own.toml"
    profile.write_text('options = ["nonsense"]', encoding="utf-8")

    def sender() -> CopySender:
        made = load_profile(str(profile))
        deidentifier = Deidentifier(KEY, sorted(made.options), made.policy)
        to = transport_for(line.rule, line.archive)
        return CopySender(line.rule, line.archive, line.matcher, deidentifier, to, line.ledger)

    carrier = Carrier(line.rule.name, sender)
    carrier.prepare()
    postman = Postman("copy-a", line.outbox, carrier.load, carrier.send)
    postman.step()
    (waiting,) = line.outbox.deliveries(None, 20)
    assert waiting["status"] == "queued"
    assert "profile or key can't be used: " in waiting["reason"]
    assert line.archive.sent == []
    profile.write_text("options = []", encoding="utf-8")
    postman.step()
    assert [one["status"] for one in line.outbox.deliveries(None, 20)] == ["sent"]
    assert len(line.archive.sent) == 1
