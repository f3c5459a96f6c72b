# SPDX-License-Identifier: Apache-2.0
import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import inference
from inference.client import InferenceClient, InferenceError, InferenceUnavailableError
from inference.contract import Outcome
from inference.versions import Versions
from tests.inference.service.running_service import DEIDENTIFIED, chest_file, until

SHIPPED = Path(inference.__file__).parent / "models" / "chest-phantom"
SECRET = "UNREPEATABLE"


@pytest.fixture
def client(tmp_path):
    with InferenceClient(f"unix:{tmp_path / 's'}") as client:
        yield client


@pytest.fixture(scope="session")
def shipped(start_service, tmp_path_factory):
    """The service with the bundle of the repository."""
    path = tmp_path_factory.mktemp("service") / "s"
    process = start_service("--socket", str(path), "--models", str(SHIPPED), "--device", "cpu")
    process.event("models-loaded")
    with InferenceClient(f"unix:{path}", timeout=60) as client:
        yield process, client


def test_it_says_when_it_is_ready_and_loads_models_after_that(shipped):
    process, client = shipped
    names = [line.split('"event": ')[1].split(",")[0] for line in process.lines[:2]]
    assert names == ['"ready"', '"models-loaded"']
    assert process.event("ready")["pid"] == process.process.pid
    assert client.health().model_dump(include={"status", "contract", "device", "models"}) == {
        "status": "ok",
        "contract": 1,
        "device": "cpu",
        "models": ("chest-phantom",),
    }


def test_the_shipped_model_analyses_a_deidentified_radiograph(shipped, deidentified_file):
    _, client = shipped
    (description,) = client.models()
    answer = client.analyse(description.name, [deidentified_file])
    assert answer.outcome in set(Outcome) - {Outcome.FAILED, Outcome.REFUSED}
    assert answer.digest == description.digest
    for image in answer.images:
        assert {one.key for one in image.classes} == {one.key for one in description.classes}
        assert all(set(one.maps) == set(description.levels) for one in image.classes)


def test_no_line_of_the_log_holds_anything_of_a_request(shipped):
    process, client = shipped
    files = [
        chest_file(StudyDescription=SECRET, PatientID=SECRET),
        chest_file(removed="NO", PatientName=SECRET),
        chest_file(StudyDate="20260101", PatientID=SECRET).replace(b"20260101", b"notadate"),
        SECRET.encode() * 100,
    ]
    for content in files:
        with contextlib.suppress(InferenceError):
            client.analyse("chest-phantom", [content])
    for value in ({SECRET: SECRET}, [SECRET], SECRET):
        client.recognize_anatomy(DEIDENTIFIED | {"00081030": {"Value": [value]}})
    assert client.health().status == "ok"
    time.sleep(0.2)
    assert SECRET not in "".join(process.lines)


def test_the_socket_opens_before_the_models_are_loaded_and_only_its_owner_may_connect(
    start_service, tmp_path, client
):
    process = start_service("--socket", str(tmp_path / "s"))
    until(lambda: client.health().status == "starting")
    assert client.recognize_anatomy(DEIDENTIFIED).regions == ()
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    assert process.event("ready")["address"] == str(tmp_path / "s")


def test_the_socket_gets_the_permissions_that_were_asked_for(start_service, tmp_path):
    process = start_service("--socket", str(tmp_path / "s"), "--socket-mode", "0660")
    process.event("ready")
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o660


def test_it_ends_when_its_standard_input_does(start_service, tmp_path):
    process = start_service("--socket", str(tmp_path / "s"), "--lifeline", "stdin")
    process.event("ready")
    process.process.stdin.close()
    assert process.process.wait(20) == 0
    assert not (tmp_path / "s").exists()


def test_it_does_not_outlive_a_parent_that_is_killed(tmp_path, client):
    code = (
        "import subprocess, sys, time; "
        f"p = subprocess.Popen([sys.executable, '-m', 'inference.service', '--socket', "
        f"{str(tmp_path / 's')!r}, '--lifeline', 'stdin'], stdin=subprocess.PIPE, "
        "stderr=subprocess.DEVNULL); print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        child = int(parent.stdout.readline())
        until(lambda: bool(client.health()))
        parent.kill()
        parent.wait(5)
        until(lambda: not _alive(child), seconds=20)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_it_outlives_the_thread_that_started_it(tmp_path):
    code = (
        "import subprocess, sys, threading, time\n"
        "def start():\n"
        "    global p\n"
        "    p = subprocess.Popen([sys.executable, '-m', 'inference.service', '--socket', "
        f"{str(tmp_path / 's')!r}, '--lifeline', 'stdin'], stdin=subprocess.PIPE, "
        "stderr=subprocess.PIPE)\n"
        "    assert b'ready' in p.stderr.readline()\n"
        "thread = threading.Thread(target=start); thread.start(); thread.join()\n"
        "time.sleep(0.5); print(p.poll()); p.stdin.close(); print(p.wait(20))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["None", "0"]


def test_sigterm_ends_it_within_three_seconds_and_removes_the_socket(
    start_service, tmp_path, client
):
    process = start_service("--socket", str(tmp_path / "s"))
    process.event("models-loaded")
    client.health()
    started = time.monotonic()
    process.process.send_signal(signal.SIGTERM)
    assert process.process.wait(5) == 0
    assert time.monotonic() - started < 3.0
    assert not (tmp_path / "s").exists()
    assert process.event("stopped")


def test_what_a_killed_service_left_is_replaced_but_a_live_one_is_not(
    start_service, tmp_path, client
):
    arguments = ("--socket", str(tmp_path / "s"))
    first = start_service(*arguments)
    first.event("ready")
    second = start_service(*arguments)
    assert "another service" in str(second.event("not-started")["reason"])
    assert second.process.wait(5) == 2
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait(5)
    assert (tmp_path / "s").is_socket()
    start_service(*arguments).event("ready")
    assert client.health()


def test_a_bundle_that_cannot_be_served_is_named_in_health(start_service, tmp_path, client):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.json").write_text("{}")
    process = start_service("--socket", str(tmp_path / "s"), "--models", str(tmp_path))
    process.event("models-loaded")
    health = client.health()
    assert health.status == "ok"
    assert health.models == ()
    assert set(health.rejected) == {"broken"}


def test_a_tcp_service_may_require_a_token_from_a_file(start_service, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    process = start_service("--port", "0", "--token-file", str(tmp_path / "token"))
    address = f"http://{process.event('ready')['address']}"
    assert httpx.get(f"{address}/v1/health", trust_env=False).status_code == 401
    allowed = {"Authorization": "Bearer s3cret"}
    response = httpx.get(f"{address}/v1/health", headers=allowed, trust_env=False)
    assert response.status_code == 200
    assert "s3cret" not in "".join(process.lines)


def test_a_device_that_is_not_there_is_said_and_ends_it(start_service, tmp_path, client):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    process = start_service("--socket", str(tmp_path / "s"), "--device", "cuda")
    assert "--device cpu" in str(process.event("no-device")["reason"])
    assert process.process.wait(10) == 3
    with pytest.raises(InferenceUnavailableError):
        client.health()


def test_a_roll_back_is_taken_up_by_the_running_service(start_service, tmp_path):
    directory = tmp_path / "models"
    for version in ("0.8.0", "0.9.0"):
        folder = directory / "chest-phantom" / version
        shutil.copytree(SHIPPED, folder)
        content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        content["version"] = version
        (folder / "model.json").write_text(json.dumps(content), encoding="utf-8")
    versions = Versions(directory / "chest-phantom")
    versions.promote("0.8.0", "a reader").promote("0.9.0", "a reader")
    process = start_service("--socket", str(tmp_path / "s"), "--models", str(directory))
    process.event("models-loaded")
    with InferenceClient(f"unix:{tmp_path / 's'}", timeout=60) as client:
        assert client.models()[0].version == "0.9.0"
        versions.roll_back("a reader")
        until(lambda: client.models()[0].version == "0.8.0")


def test_a_bundle_that_is_not_the_pinned_one_is_named_in_health(start_service, tmp_path):
    pin = f"chest-phantom={'0' * 64}"
    process = start_service("--socket", str(tmp_path / "s"), "--models", str(SHIPPED), "--pin", pin)
    process.event("models-loaded")
    with InferenceClient(f"unix:{tmp_path / 's'}", timeout=60) as client:
        health = client.health()
        assert health.models == ()
        assert "not the pinned one" in health.rejected["chest-phantom"]


def test_what_commissioning_found_is_kept_in_the_state_folder(start_service, tmp_path):
    state = tmp_path / "state"
    process = start_service(
        "--socket", str(tmp_path / "s"), "--models", str(SHIPPED), "--state", str(state)
    )
    process.event("models-loaded")
    assert (state / "last-served" / "chest-phantom" / "model.json").exists()
