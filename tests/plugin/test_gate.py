# SPDX-License-Identifier: AGPL-3.0-or-later
"""The gate: nothing but a DeidentifiedScan leaves the PHI zone."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from deid import DeidentificationKey, DeidentifiedScan, Deidentifier
from inference.contract import AnatomyAnswer
from plugin.gate import Gate, GateRefusedError


class Recorder:
    """Inference that notes what it is sent."""

    def __init__(self) -> None:
        self.received: list[Any] = []

    def recognize_anatomy(self, header: dict[str, Any]) -> AnatomyAnswer:
        self.received.append(header)
        return AnatomyAnswer(
            modality="CT", regions=(), codes=(), body_part_examined=None, confidence=0.0
        )

    def recognize_study(self, headers: list[dict[str, Any]]) -> list[AnatomyAnswer]:
        return [self.recognize_anatomy(header) for header in headers]

    def recognize_pixels(self, instances: list[bytes]) -> None:
        self.received += instances

    def analyse(self, model: str, instances: list[bytes]) -> None:
        self.received += instances


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def gate(recorder: Recorder) -> Gate:
    return Gate(recorder)  # type: ignore[arg-type]


@pytest.fixture
def scan(tmp_path: Path) -> DeidentifiedScan:
    key = DeidentificationKey.from_file(tmp_path / "key", create=True)
    return Deidentifier(key).deidentify(Path(str(get_testdata_file("CT_small.dcm"))))


def test_a_deidentified_scan_passes(gate: Gate, recorder: Recorder, scan: DeidentifiedScan) -> None:
    gate.recognize_anatomy(scan)
    gate.analyse("model", [scan])
    assert (gate.passed, gate.refused) == (2, 0)
    sent = pydicom.dcmread(io.BytesIO(recorder.received[1]))
    assert sent.PatientIdentityRemoved == "YES"


def test_of_a_study_every_header_is_checked_before_one_leaves(
    gate: Gate, recorder: Recorder, scan: DeidentifiedScan
) -> None:
    assert len(gate.recognize_study([scan, scan])) == 2
    assert (gate.passed, len(recorder.received)) == (2, 2)
    with pytest.raises(GateRefusedError):
        gate.recognize_study([scan, scan.dataset])  # type: ignore[list-item]
    assert len(recorder.received) == 2


@pytest.mark.parametrize("kind", ["dataset", "bytes", "header", "nothing"])
def test_anything_else_is_refused_logged_and_counted(
    gate: Gate, recorder: Recorder, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(get_testdata_file("CT_small.dcm"))
    original = pydicom.dcmread(path)
    other = {
        "dataset": original,
        "bytes": Path(path).read_bytes(),
        "header": original.to_json_dict(),
        "nothing": None,
    }[kind]
    with caplog.at_level(logging.ERROR), pytest.raises(GateRefusedError):
        gate.analyse("model", [other])  # type: ignore[list-item]
    with pytest.raises(GateRefusedError):
        gate.recognize_pixels([other])  # type: ignore[list-item]
    assert recorder.received == []
    assert gate.refused == 2
    assert "refused" in caplog.text
    assert str(original.PatientName) not in caplog.text


def test_no_subclass_can_hand_out_something_else() -> None:
    with pytest.raises(TypeError):

        class Forged(DeidentifiedScan):
            def to_bytes(self) -> bytes:
                return b"the original"
