# SPDX-License-Identifier: Apache-2.0
"""The key file belongs to its owner alone, and several processes agree on it."""

from __future__ import annotations

import base64
import multiprocessing
import os
import pickle
from pathlib import Path

import pytest

from deid import DeidentificationKey, KeyFileError


def test_a_missing_key_is_made_with_256_bits_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "key"

    key = DeidentificationKey.from_file(file)

    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_bytes()) == 32
    assert list(file.parent.iterdir()) == [file]
    assert DeidentificationKey.from_file(file).derive("uid") == key.derive("uid")


def test_two_keys_and_two_domains_differ() -> None:
    one, other = DeidentificationKey.generate(), DeidentificationKey.generate()

    assert len({one.derive("uid"), one.derive("patient"), other.derive("uid")}) == 3


def test_a_missing_key_is_an_error_where_none_may_be_made(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="can't read"):
        DeidentificationKey.from_file(tmp_path / "key", create=False)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_bytes(os.urandom(32))
    file.chmod(mode)

    with pytest.raises(KeyFileError, match="chmod 600"):
        DeidentificationKey.from_file(file)


@pytest.mark.parametrize("length", [0, 1, 31])
def test_a_short_key_is_refused(tmp_path: Path, length: int) -> None:
    file = tmp_path / "key"
    file.write_bytes(bytes(length))
    file.chmod(0o600)

    with pytest.raises(KeyFileError, match="fewer than 32"):
        DeidentificationKey.from_file(file)
    with pytest.raises(KeyFileError):
        DeidentificationKey(bytes(length))


def test_the_secret_shows_nowhere() -> None:
    key = DeidentificationKey(b"S" * 32)

    assert "S" * 8 not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)


def _derive(file: str, start: object, answers: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    answers.put(DeidentificationKey.from_file(file).derive("uid"))  # type: ignore[attr-defined]


def test_processes_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, answers = context.Event(), context.Queue()
    arguments = (str(tmp_path / "key"), start, answers)
    processes = [context.Process(target=_derive, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    start.set()
    found = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(timeout=60)

    assert len(found) == 1


@pytest.mark.parametrize(
    "text",
    [
        bytes(range(32)).hex(),
        base64.b64encode(bytes(range(32))).decode(),
        f" {bytes(range(32)).hex()}\n",
    ],
)
def test_a_key_in_the_environment_is_the_same_as_in_a_file(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_bytes(bytes(range(32)))
    file.chmod(0o600)
    monkeypatch.setenv("SITE_KEY", text)
    read = DeidentificationKey.from_file("env:SITE_KEY")
    assert read.derive("uid") == DeidentificationKey.from_file(file).derive("uid")
    assert DeidentificationKey.from_file(Path("env:SITE_KEY")).derive("uid") == read.derive("uid")


@pytest.mark.parametrize("text", ["", "secret", "0001", "x" * 64 + "!"])
def test_a_variable_that_holds_no_key_is_refused_unquoted(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITE_KEY", text)
    with pytest.raises(KeyFileError) as caught:
        DeidentificationKey.from_file("env:SITE_KEY")
    assert not text or text not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 64, b"abc" * 20])
def test_a_file_of_one_pattern_is_no_key(tmp_path: Path, secret: bytes) -> None:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_bytes(secret)
    with pytest.raises(KeyFileError, match="no secret"):
        DeidentificationKey.from_file(file)


def test_a_variable_of_one_pattern_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROS", bytes(32).hex())
    with pytest.raises(KeyFileError, match="ZEROS holds a few bytes over and over"):
        DeidentificationKey.from_file("env:ZEROS")
