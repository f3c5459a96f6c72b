# SPDX-License-Identifier: Apache-2.0
import json
import shutil
import stat

import pytest
from typer.testing import CliRunner

from inference.bundles import BundleError, read_bundle, shipped_models
from inference.commands_models import models
from inference.loading import load_bundles
from inference.trust import KeyFileError, Trust, make_key, read_signature, sign

run = CliRunner().invoke


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "models" / "chest-phantom"
    shutil.copytree(shipped_models() / "chest-phantom", target)
    return target


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "signing.pem"
    return path, make_key(path)


def altered(folder, threshold=0.123):
    path = folder / "model.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["classes"][0]["threshold"] = threshold
    path.write_text(json.dumps(content), encoding="utf-8")


def vouched(folder, trust):
    registry = load_bundles([folder], trust=trust, commissioned=False)
    return registry.vouched.get("chest-phantom"), registry.rejected.get("chest-phantom", "")


def test_a_bundle_signed_by_a_trusted_key_is_served(folder, key):
    sign(read_bundle(folder), key[0])
    assert vouched(folder, Trust(keys=(key[1],), require=True)) == ("signed", "")


def test_a_bundle_altered_after_it_was_signed_is_refused_even_where_nothing_is_required(
    folder, key
):
    sign(read_bundle(folder), key[0])
    altered(folder)
    assert "was altered" in vouched(folder, Trust())[1]


def test_weights_exchanged_after_signing_are_refused(folder, key):
    sign(read_bundle(folder), key[0])
    with (folder / "weights.safetensors").open("r+b") as weights:
        weights.seek(-4, 2)
        weights.write(b"\x00\x00\x00\x00")
    assert "was altered" in vouched(folder, Trust(keys=(key[1],)))[1]


def test_a_signature_of_another_bundle_does_not_fit(folder, key, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    altered(other)
    sign(read_bundle(other), key[0])
    shutil.copy(other / "signature.json", folder / "signature.json")
    assert "was altered" in vouched(folder, Trust(keys=(key[1],)))[1]


def test_an_unsigned_bundle_is_refused_where_a_signature_is_required(folder):
    assert "not signed" in vouched(folder, Trust(require=True))[1]
    assert vouched(folder, Trust()) == ("unsigned", "")


def test_a_key_that_nobody_trusts_does_not_count_where_a_signature_is_required(folder, key):
    sign(read_bundle(folder), key[0])
    _, reason = vouched(folder, Trust(keys=("A" * 43 + "=",), require=True))
    assert "not trusted here" in reason
    assert vouched(folder, Trust()) == ("unsigned", "")


def test_a_pinned_digest_does_for_a_signature_and_another_digest_is_refused(folder):
    pinned = Trust({"chest-phantom": (read_bundle(folder).digest,)}, require=True)
    assert vouched(folder, pinned) == ("pinned", "")
    altered(folder)
    assert "not the pinned one" in vouched(folder, pinned)[1]


def test_several_digests_can_be_pinned_for_versions_side_by_side(folder):
    first = read_bundle(folder).digest
    altered(folder)
    pinned = Trust({"chest-phantom": (first, read_bundle(folder).digest)})
    assert vouched(folder, pinned) == ("pinned", "")


@pytest.mark.parametrize("text", ["{", '{"format": 1}', '{"format": 2}'])
def test_a_damaged_signature_is_named(folder, text):
    (folder / "signature.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=r"signature\.json is damaged"):
        read_signature(folder)
    assert "damaged" in vouched(folder, Trust())[1]


def test_a_private_key_is_for_its_owner_only_and_never_overwritten(key):
    assert stat.S_IMODE(key[0].stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        make_key(key[0])


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_file_that_is_no_key_is_named(folder, tmp_path, content):
    path = tmp_path / "wrong.pem"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match=r"wrong\.pem"):
        sign(read_bundle(folder), path)


def test_the_commands_make_a_key_sign_and_verify(folder, tmp_path):
    path = tmp_path / "key.pem"
    public = run(models, ["keygen", str(path)]).output.strip()
    assert run(models, ["verify", str(folder)]).exit_code == 1
    assert run(models, ["sign", str(folder), "--key", str(path)]).exit_code == 0
    said = run(models, ["verify", str(folder), "--key", public])
    assert said.exit_code == 0
    assert "unaltered" in said.output
    assert public in run(models, ["show", str(folder)]).output.replace("\n", "")
    altered(folder)
    assert "was altered" in run(models, ["verify", str(folder)]).output


def test_a_digest_can_be_verified_without_a_signature(folder):
    digest = read_bundle(folder).digest
    assert run(models, ["verify", str(folder), "--digest", digest]).exit_code == 0
    assert run(models, ["verify", str(folder), "--digest", "0" * 64]).exit_code == 1
