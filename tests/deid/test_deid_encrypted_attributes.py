# SPDX-License-Identifier: Apache-2.0
"""Original values travel encrypted: their recipients read them, and nobody else."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pydicom
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from typer.testing import CliRunner

from deid import Deidentifier, Policy
from deid.commands import app
from deid.encrypted_attributes import original_attributes
from deid.errors import EncryptedAttributesError
from deid.profile_files import load
from tests.deid.made_scans import KEY, ct, file_of

NAME = "Müller^Änne"


class Recipient(NamedTuple):
    certificate: bytes
    key: bytes


def recipient(size: int = 2048, password: bytes | None = None) -> Recipient:
    key = rsa.generate_private_key(65537, size)
    return Recipient(certificate_of(key), pem(key, password))


def certificate_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "recipient")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=2))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def pem(key: rsa.RSAPrivateKey, password: bytes | None = None) -> bytes:
    locked = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, locked)


@pytest.fixture(scope="module")
def first() -> Recipient:
    return recipient()


@pytest.fixture(scope="module")
def second() -> Recipient:
    return recipient(password=b"open sesame")


def written(folder: Path, syntax: str, *recipients: Recipient) -> Path:
    scan = ct(
        SpecificCharacterSet="ISO_IR 100", PatientName=NAME, PatientID="4711",
        PatientBirthDate="19610304", AccessionNumber="ACC-9",
    )  # fmt: skip
    policy = Policy(encrypt_for=tuple(one.certificate for one in recipients))
    made = Deidentifier(KEY, policy=policy).deidentify(file_of(scan, syntax)).to_bytes()
    assert NAME.encode("latin-1") not in made
    assert b"4711" not in made
    path = folder / "made.dcm"
    path.write_bytes(made)
    return path


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_each_recipient_reads_the_originals(
    tmp_path: Path, syntax: str, first: Recipient, second: Recipient
) -> None:
    file = written(tmp_path, syntax, first, second)
    for one, password in ((first, None), (second, b"open sesame")):
        found = original_attributes(file, *one, password)
        assert str(found.PatientName) == NAME
        assert (found.PatientID, found.AccessionNumber) == ("4711", "ACC-9")
        assert found.PatientBirthDate == "19610304"
        assert "PixelData" not in found


def test_the_sequence_is_as_the_standard_has_it(tmp_path: Path, first: Recipient) -> None:
    made = pydicom.dcmread(written(tmp_path, ExplicitVRLittleEndian, first))
    (item,) = made.EncryptedAttributesSequence
    assert item.EncryptedContentTransferSyntaxUID == ExplicitVRLittleEndian
    assert made["EncryptedAttributesSequence"].VR == "SQ"
    assert made.PatientIdentityRemoved == "YES"


def test_nobody_else_reads_them(tmp_path: Path, first: Recipient, second: Recipient) -> None:
    file = written(tmp_path, ExplicitVRLittleEndian, first)
    for certificate, key, password in (
        (*second, b"open sesame"),
        (*second, b"wrong"),
        (first.certificate, recipient().key, None),
    ):
        with pytest.raises(EncryptedAttributesError) as raised:
            original_attributes(file, certificate, key, password)
        assert "4711" not in str(raised.value)


def test_a_file_without_them_says_so(tmp_path: Path, first: Recipient) -> None:
    with pytest.raises(EncryptedAttributesError, match="holds no"):
        original_attributes(written(tmp_path, ExplicitVRLittleEndian), *first)


@pytest.mark.parametrize(
    "certificate",
    [b"no certificate", recipient(1024).certificate,
     certificate_of(ec.generate_private_key(ec.SECP256R1()))],
)  # fmt: skip
def test_a_weak_or_wrong_certificate_is_refused_before_anything_is_written(
    certificate: bytes,
) -> None:
    with pytest.raises(EncryptedAttributesError):
        Deidentifier(KEY, policy=Policy(encrypt_for=(certificate,)))


def test_a_profile_names_recipients_and_the_command_shows_originals(
    tmp_path: Path, first: Recipient
) -> None:
    certificate, key = tmp_path / "one.pem", tmp_path / "key.pem"
    certificate.write_bytes(first.certificate)
    key.write_bytes(first.key)
    profile = tmp_path / "profile.toml"
    profile.write_text(f'encrypt_for = ["{certificate}"]', encoding="utf-8")
    assert load(str(profile)).policy.encrypt_for == (first.certificate,)
    file = written(tmp_path, ExplicitVRLittleEndian, first)
    command = ["originals", str(file), "--certificate", str(certificate), "--key", str(key)]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    assert "PatientID\t4711" in shown.output


def test_pseudonyms_stay_equal_where_bytes_differ(first: Recipient) -> None:
    deidentifier = Deidentifier(KEY, policy=Policy(encrypt_for=(first.certificate,)))
    one, other = (deidentifier.deidentify(file_of(ct(PatientID="4711"))) for _ in range(2))
    assert one.to_bytes() != other.to_bytes()
    read = [pydicom.dcmread(io.BytesIO(made.to_bytes())) for made in (one, other)]
    assert read[0].PatientID == read[1].PatientID
