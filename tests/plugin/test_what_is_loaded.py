# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a process has loaded when it is ready: a start must not pay for what few ever ask for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import pytest
import typer

from plugin.commands import GROUP, SUMMARIES
from plugin.configuration import Configuration
from plugin.configuration.deidentification import DeidentificationSection
from plugin.handover import Handover
from plugin.supervisor import _environment

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
LEARNING = {"matplotlib", "sklearn", "scipy.stats", "tensorboard", "onnx", "pyarrow"}
"""What only training and evaluating need."""
DRAWING = {"reportlab", "pypdf", "pypdfium2", "rapidocr_onnxruntime", "onnxruntime", "cv2"}
"""What only documents and burned-in text need."""
PIXELS = {"rapidocr_onnxruntime", "onnxruntime", "cv2", "scipy"}
DICOM = {"pydicom", "highdicom", "scipy", "PIL", "gdcm", "fhir"}
SERVING = {"starlette", "uvicorn", "fhir"}


@pytest.fixture
def handover(tmp_path: Path) -> Handover:
    # An Orthanc that is not there: nothing that a process asks it at its start may be needed.
    return Handover(
        orthanc_url="http://127.0.0.1:9",
        authorization="",
        queue_file=str(tmp_path / "queue.sqlite"),
        key_file=str(tmp_path / "key"),
        inference_url=f"unix:{tmp_path / 'inference.sock'}",
        web_socket=str(tmp_path / "web.sock"),
        stable_age=1.0,
        configuration=Configuration(),
    )


def loaded_by(arguments: list[str]) -> set[str]:
    """The modules that a Python process has loaded when it ends."""
    told = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
    ended = subprocess.run(
        [sys.executable, "-c", told + arguments[0], *arguments[1:]],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return set(ended.stderr.split())


@contextmanager
def started(log: Path, command: list[str], greeting: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process as the supervisor starts it, which says what it imports."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-v", *command],
            stdin=subprocess.PIPE, stderr=errors, cwd=ROOT,
            env=_environment(os.environ, str(ROOT)),
        )  # fmt: skip
    try:
        if greeting and process.stdin:
            process.stdin.write(greeting.encode() + b"\n")
            process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


def wait_for(socket: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not socket.exists():
        assert process.poll() is None, "it has ended"
        assert time.monotonic() < deadline, "it is not ready"
        time.sleep(0.02)


def imported(log: Path) -> set[str]:
    """Modules in what ``-v`` has written; ``-X importtime`` says nothing of ``import_module``."""
    text = log.read_text(encoding="utf-8", errors="replace")
    return set(re.findall(r"^import '([\w.]+)' #", text, re.MULTILINE))


def test_the_web_process_is_ready_before_it_has_loaded_what_reads_or_draws(
    handover: Handover, tmp_path: Path
) -> None:
    log = tmp_path / "web.log"
    with started(log, ["-m", "plugin.web"], handover.model_dump_json()) as process:
        wait_for(Path(handover.web_socket), process)
    found = imported(log)
    assert "starlette.applications" in found
    assert not found & (DICOM | DRAWING | LEARNING | {"torch"})


@pytest.mark.parametrize("pixel_text", ["leave", "sent"])
def test_the_arrival_process_is_ready_without_what_writes_results(
    pixel_text: str, handover: Handover, tmp_path: Path
) -> None:
    log, socket = tmp_path / "arrival.log", tmp_path / "arrival.sock"
    said = DeidentificationSection.model_validate({"PixelText": pixel_text})
    asked = handover.model_copy(
        update={
            "arrival_socket": str(socket),
            "arrival_token": bytes(32).hex(),
            "configuration": handover.configuration.model_copy(update={"deidentification": said}),
        }
    )
    with started(log, ["-m", "plugin.arrival"], asked.model_dump_json()) as process:
        wait_for(socket, process)
    found = imported(log)
    assert {"pydicom", "deid.deidentifier"} <= found, "the first sender would wait for it"
    needed = PIXELS if pixel_text == "sent" else set()
    assert not found & ((SERVING | DRAWING | LEARNING | {"highdicom", "scipy", "torch"}) - needed)


def test_a_worker_is_ready_with_all_that_its_first_scan_needs_and_no_more() -> None:
    found = loaded_by(["import plugin.worker.assembly"])
    assert {"pydicom", "highdicom", "plugin.results.assembly", "deid.deidentifier"} <= found
    assert not found & (SERVING | DRAWING | LEARNING | {"torch"})


def test_inference_answers_before_it_has_loaded_torch() -> None:
    found = loaded_by(["import inference.serving.process"])
    assert not found & (DICOM | DRAWING | LEARNING | {"torch"})


@pytest.mark.parametrize("deidentifies", ["deid", "plugin.gate", "plugin.results"])
def test_names_of_a_package_load_no_dicom_library(deidentifies: str) -> None:
    assert not loaded_by([f"import {deidentifies}"]) & DICOM


@pytest.mark.parametrize("package", ["deid", "plugin.results", "plugin.collecting", "plugin.web"])
def test_every_public_name_of_a_package_that_loads_later_is_there(package: str) -> None:
    code = f"import {package} as it; [getattr(it, name) for name in it.__all__]"
    assert package in loaded_by([code])
    refused = f"import {package} as it; print(hasattr(it, 'no_such_name'))"
    ended = subprocess.run(
        [sys.executable, "-c", refused], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ended.stdout.split() == ["False"]


def test_the_list_of_commands_loads_none_of_them() -> None:
    code = "import sys; sys.argv[1:] = ['--help']; from plugin.commands import main; main()"
    found = loaded_by([code])
    assert "typer" in found
    assert not found & (DICOM | DRAWING | LEARNING | {"torch", "numpy", "pydantic"})


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    points = {point.name: point for point in metadata.entry_points(group=GROUP)}
    assert set(SUMMARIES) <= set(points)
    for name, summary in SUMMARIES.items():
        shown = typer.main.get_command(points[name].load())
        assert shown.get_short_help_str(200) == summary, name


def test_anatomy_is_predicted_without_dicom_libraries(tmp_path: Path) -> None:
    table = tmp_path / "headers.csv"
    table.write_text("Modality,StudyDescription\nCT,CT THORAX\n", encoding="utf-8")
    words = ["sidelight", "anatomy", "predict", str(table), "--out", str(tmp_path / "out.csv")]
    code = f"import sys; sys.argv[:] = {words!r}; from plugin.commands import main; main()"
    found = loaded_by([code])
    assert "chest" in (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert not found & (DICOM | DRAWING | LEARNING | {"torch"})
