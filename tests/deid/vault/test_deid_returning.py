# SPDX-License-Identifier: Apache-2.0
"""Results made from de-identified studies find their patients again."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
import typer
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian
from typer.testing import CliRunner

from deid import DeidentificationKey, Deidentifier
from deid.commands import app
from deid.errors import (
    NotDicomError,
    TruncatedFileError,
    UnknownLinkError,
    UnreadableSourceError,
    VaultAccessError,
    VaultError,
)
from deid.vault.links import Links
from deid.vault.returning import returned
from deid.vault.sealing import Cost
from tests.deid.made_scans import ROOT, ct, file_of

sidelight = typer.Typer()
sidelight.add_typer(app, name="deid")
sidelight.command("other")(lambda: None)

PHRASE = "link's long phrase"
ENVIRONMENT = {
    "SIDELIGHT_VAULT_CURATOR": "curator's long phrase",
    "SIDELIGHT_VAULT_REIDENTIFIER": "reidentifier's phrase",
    "SIDELIGHT_VAULT_AUDITOR": "auditor's long phrase",
    "SIDELIGHT_VAULT_LINK": PHRASE,
}
ASKED = ("--by", "Dr. A", "--reason", "return of results")
LINKS = Links(
    "2.25.1",
    {"PatientID": "4711", "PatientName": "Müller^Jörg", "StudyInstanceUID": "1.2.3"},
    {"2.25.1": "1.2.3", "2.25.2": "1.2.3.4", "2.25.3": "1.2.3.5"},
)


def run(*arguments: object, **environment: str):
    return CliRunner(env=ENVIRONMENT | environment).invoke(
        sidelight, ["deid", *map(str, arguments)]
    )


def result_on(study: str, series: str, instance: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = instance
    listed = Dataset()
    listed.SeriesInstanceUID = series
    listed.ReferencedSOPSequence = Sequence([reference])
    result = ct(
        StudyInstanceUID=study,
        SeriesInstanceUID=f"{ROOT}.9.1",
        SOPInstanceUID=f"{ROOT}.9.2",
        PatientID="ABCD",
        PatientName="ABCD",
        PatientIdentityRemoved="YES",
        ContentDate="20260102",
    )
    result.ReferencedSeriesSequence = Sequence([listed])
    return result


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a vault, and a study of three images de-identified into it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "in").mkdir()
    for at in range(3):
        content = file_of(
            ct(
                SOPInstanceUID=f"{ROOT}.3.{at}",
                SpecificCharacterSet="ISO_IR 100",
                PatientName="Müller^Jörg",
                AccessionNumber="A-99",
                StudyDate="20200304",
            )
        )
        (folder / "in" / f"{at}.dcm").write_bytes(content)
    made = run("vault", "create", folder / "vault.db", "--project", "lungs")
    assert made.exit_code == 0, made.output
    done = run(
        folder / "in", folder / "out", "--key-file", folder / "key", "--vault", folder / "vault.db"
    )
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def result_file(site: Path, tmp_path: Path) -> Path:
    image = pydicom.dcmread(next((site / "out").rglob("*.dcm")))
    result = result_on(image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID)
    file = tmp_path / "result.dcm"
    file.write_bytes(file_of(result))
    return file


def assert_is_home(folder: Path) -> None:
    (file,) = folder.glob("*.dcm")
    back = pydicom.dcmread(file)
    assert (back.PatientID, str(back.PatientName)) == ("4711", "Müller^Jörg")
    assert (back.AccessionNumber, back.StudyDate) == ("A-99", "20200304")
    assert back.StudyInstanceUID == f"{ROOT}.1"
    (listed,) = back.ReferencedSeriesSequence
    assert listed.SeriesInstanceUID == f"{ROOT}.2"
    assert listed.ReferencedSOPSequence[0].ReferencedSOPInstanceUID.startswith(f"{ROOT}.3.")
    assert (back.SOPInstanceUID, back.ContentDate) == (f"{ROOT}.9.2", "20260102")
    assert "PatientIdentityRemoved" not in back


def test_a_result_returns_through_the_vault(site: Path, result_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "home"
    done = run("return", result_file, "--out", out, "--vault", site / "vault.db", *ASKED)

    assert done.exit_code == 0, done.output
    assert_is_home(out)
    audit = run("vault", "audit", site / "vault.db").output
    assert "linked" in audit
    assert "return of results" in audit


def test_a_result_returns_by_the_link_file_alone(
    site: Path, result_file: Path, tmp_path: Path
) -> None:
    study = pydicom.dcmread(result_file).StudyInstanceUID
    link, out = tmp_path / "link.json", tmp_path / "home"
    made = run("vault", "link", site / "vault.db", study, "--out", link, *ASKED)
    assert made.exit_code == 0, made.output
    assert link.stat().st_mode & 0o777 == 0o600
    assert not any(word in link.read_text() for word in ("4711", "Jörg", ROOT))

    done = run("return", result_file, "--out", out, "--link", link)

    assert done.exit_code == 0, done.output
    assert_is_home(out)


def test_a_patients_pseudonym_is_revealed_on_the_command_line(site: Path) -> None:
    pseudonym = pydicom.dcmread(next((site / "out").rglob("*.dcm"))).PatientID

    shown = run("vault", "reveal", site / "vault.db", "patient", pseudonym, *ASKED)
    refused = run(
        "vault", "reveal", site / "vault.db", "patient", pseudonym, *ASKED,
        SIDELIGHT_VAULT_REIDENTIFIER="some wrong phrase",
    )  # fmt: skip

    assert '"PatientID": "4711"' in shown.output
    assert refused.exit_code == 2
    assert "4711" not in refused.output


def test_a_role_gets_a_new_pass_phrase_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "vault.db"
    new = "another long phrase"
    assert run("vault", "create", file, "--project", "lungs").exit_code == 0
    changed = run("vault", "passphrase", file, "auditor", SIDELIGHT_VAULT_NEW=new)
    assert changed.exit_code == 0, changed.output
    assert run("vault", "audit", file).exit_code == 2
    assert "changed" in run("vault", "audit", file, SIDELIGHT_VAULT_AUDITOR=new).output


def test_a_vault_is_rotated_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "vault.db"
    new = {"curator": "a curator's new one", "reidentifier": "a reidentifier's new one"}
    assert run("vault", "create", file, "--project", "lungs").exit_code == 0
    phrases = {f"SIDELIGHT_VAULT_NEW_{role.upper()}": text for role, text in new.items()}
    rotated = run("vault", "rotate", file, *ASKED, **phrases)
    assert rotated.exit_code == 0, rotated.output
    assert "0 entries" in rotated.output
    assert run("vault", "rotate", file, *ASKED, **phrases).exit_code == 2
    assert "key rotated" in run("vault", "audit", file).output


def test_a_run_that_had_no_vault_is_done_again_for_one(site: Path, tmp_path: Path) -> None:
    arguments = (site / "in", tmp_path / "out", "--key-file", site / "key")
    assert run(*arguments).exit_code == 0

    with_vault = run(*arguments, "--vault", site / "vault.db")
    again = run(*arguments, "--vault", site / "vault.db")

    assert "earlier run" not in with_vault.output
    assert "3 of those written were there from an earlier run" in again.output


def test_a_returned_result_of_another_study_or_an_image_is_refused(
    site: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.dcm").write_bytes(file_of(result_on("2.25.77", "2.25.2", "2.25.3")))
    image = next((site / "out").rglob("*.dcm"))

    for file in (tmp_path / "other.dcm", image):
        out = tmp_path / "home"
        done = run("return", file, "--out", out, "--vault", site / "vault.db", *ASKED)
        assert done.exit_code == 1
        assert "UnknownLinkError" in done.output
        assert not out.exists()


def test_references_at_any_depth_and_in_lists_lead_to_originals() -> None:
    result = result_on("2.25.1", "2.25.2", "2.25.3")
    result.RelatedSeriesSequence = Sequence([Dataset()])
    result.FailedSOPInstanceUIDList = ["2.25.3", "1.9.9"]

    back = pydicom.dcmread(io.BytesIO(returned(file_of(result), LINKS).content))

    listed = back.ReferencedSeriesSequence[0]
    assert listed.SeriesInstanceUID == "1.2.3.4"
    assert listed.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.5"
    assert list(back.FailedSOPInstanceUIDList) == ["1.2.3.5", "1.9.9"]


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(NotDicomError):
        returned(b"no DICOM file", LINKS)
    with pytest.raises(UnknownLinkError, match="another study"):
        returned(file_of(result_on("2.25.8", "2.25.2", "2.25.3")), LINKS)
    image = ct(StudyInstanceUID="2.25.1", SOPInstanceUID="2.25.3")
    with pytest.raises(UnknownLinkError, match="archive"):
        returned(file_of(image), LINKS)


def test_a_link_file_opens_with_its_pass_phrase_and_unchanged_alone(tmp_path: Path) -> None:
    file = tmp_path / "link.json"
    LINKS.save(file, PHRASE, Cost(memory=64, iterations=1, lanes=1))
    assert Links.load(file, PHRASE) == LINKS
    with pytest.raises(VaultError, match="can't write"):
        LINKS.save(file, PHRASE)
    with pytest.raises(VaultAccessError):
        Links.load(file, "another long phrase")

    text = file.read_text()
    file.write_text(text.replace("2.25.1", "2.25.9"))
    with pytest.raises(VaultAccessError):
        Links.load(file, PHRASE)
    for broken in ("{}", "no JSON", text.replace('"memory": 64', '"memory": 99999999')):
        file.write_text(broken)
        with pytest.raises(VaultError, match="no link file"):
            Links.load(file, PHRASE)


def test_a_reason_with_line_ends_makes_no_record_of_its_own(site: Path) -> None:
    forged = "why\n2026-01-01T00:00:00+00:00\tcurator\tDr. B\trevealed"
    run("vault", "reveal", site / "vault.db", "patient", "X", "--by", "Dr. A", "--reason", forged)

    lines = run("vault", "audit", site / "vault.db").output.splitlines()

    assert lines[-1].endswith("why\\n2026-01-01T00:00:00+00:00\\tcurator\\tDr. B\\trevealed")
    assert all(len(line.split("\t")) == 6 for line in lines)


@pytest.mark.parametrize(
    "instance", ["../../../home", "/etc/1.2", "1.2/3", "7", "1." * 40 + "1", ""]
)
def test_a_result_whose_uid_is_none_names_no_file(instance: str) -> None:
    content = file_of(result_on("2.25.1", "2.25.2", "2.25.3"))
    old, at = f"{ROOT}.9.2".encode(), content.rindex(b"\x08\0\x18\0UI")
    new = (instance + "\0" * (len(instance) % 2)).encode()
    start = content[:at] + b"\x08\0\x18\0UI" + len(new).to_bytes(2, "little") + new
    changed = start + content[at + 8 + len(old) + len(old) % 2 :]
    with pytest.raises(UnreadableSourceError, match="no SOP Instance UID"):
        returned(changed, LINKS)


def test_a_damaged_result_is_refused_without_a_word_of_it() -> None:
    content = file_of(result_on("2.25.1", "2.25.2", "2.25.3"))
    with pytest.raises(TruncatedFileError):
        returned(content[:-5], LINKS)
    broken = ct(StudyInstanceUID="2.25.1", Rows=3)
    whole = file_of(broken)
    at = whole.index(b"US\2\0\3\0")
    with pytest.raises(UnreadableSourceError, match="damaged") as refused:
        returned(whole[:at] + b"FD" + whole[at + 2 :], LINKS)
    assert refused.value.__cause__ is None


def test_a_private_reference_of_unknown_vr_leads_to_the_original() -> None:
    result = result_on("2.25.1", "2.25.2", "2.25.3")
    result.private_block(0x0099, "ACME", create=True).add_new(1, "UI", "2.25.3")

    content = returned(file_of(result, ImplicitVRLittleEndian), LINKS).content

    assert pydicom.dcmread(io.BytesIO(content))[0x00991001].value.rstrip(b"\0") == b"1.2.3.5"


@pytest.fixture(scope="module")
def two_studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with two studies of one patient that share a frame of reference, another's one."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "in").mkdir()
    for number, patient in ((1, "4711"), (2, "4711"), (3, "4712")):
        content = file_of(
            ct(
                PatientID=patient,
                StudyInstanceUID=f"{ROOT}.{number}",
                SeriesInstanceUID=f"{ROOT}.{number}.1",
                SOPInstanceUID=f"{ROOT}.{number}.1.1",
                FrameOfReferenceUID=f"{ROOT}.99",
            )
        )
        (folder / "in" / f"{number}.dcm").write_bytes(content)
    run("vault", "create", folder / "vault.db", "--project", "lungs")
    done = run(
        folder / "in", folder / "out", "--key-file", folder / "key", "--vault", folder / "vault.db"
    )
    assert done.exit_code == 0, done.output
    return folder


def test_a_result_that_refers_to_the_patients_prior_study_comes_back_with_both(
    two_studies: Path, tmp_path: Path
) -> None:
    images = [pydicom.dcmread(file) for file in (two_studies / "out").rglob("*.dcm")]
    deidentifier = Deidentifier(DeidentificationKey.from_file(two_studies / "key"))
    new, prior, foreign = (
        next(i for i in images if i.SOPInstanceUID == deidentifier.uid(f"{ROOT}.{number}.1.1"))
        for number in (2, 1, 3)
    )
    result = result_on(new.StudyInstanceUID, prior.SeriesInstanceUID, prior.SOPInstanceUID)
    result.FrameOfReferenceUID = new.FrameOfReferenceUID
    result.FailedSOPInstanceUIDList = [new.SOPInstanceUID, foreign.SOPInstanceUID]
    (tmp_path / "result.dcm").write_bytes(file_of(result))

    out = tmp_path / "home"
    done = run(
        "return", tmp_path / "result.dcm", "--out", out, "--vault", two_studies / "vault.db", *ASKED
    )

    assert done.exit_code == 0, done.output
    (file,) = out.iterdir()
    back = pydicom.dcmread(file)
    assert back.FrameOfReferenceUID == f"{ROOT}.99"
    assert back.ReferencedSeriesSequence[0].SeriesInstanceUID == f"{ROOT}.1.1"
    # An object of another patient does not belong into this one's study.
    assert list(back.FailedSOPInstanceUIDList) == [f"{ROOT}.2.1.1", foreign.SOPInstanceUID]
    assert (out.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert prior.StudyInstanceUID in run("vault", "audit", two_studies / "vault.db").output


def test_a_home_that_can_not_be_written_stops_the_return(
    site: Path, result_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("a file")
    done = run(
        "return",
        result_file,
        "--out",
        tmp_path / "home" / "in",
        "--vault",
        site / "vault.db",
        *ASKED,
    )
    assert done.exit_code == 3
    assert "can't write" in done.output
