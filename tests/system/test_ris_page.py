# SPDX-License-Identifier: AGPL-3.0-or-later
"""The integration page does what it says: every block of code on it is run."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pydicom
import pytest

from benchmarks.conformance_doors import phantoms_with
from benchmarks.receivers import wait_for
from plugin.configuration import read
from tests.system.hospital import SECRET, Hospital, hospital
from tests.system.pacs import ROOT, finished, store

PAGE = ROOT / "docs" / "ris-integration.md"


class Block(NamedTuple):
    """A block of code, the answer that the page shows for it, and its line."""

    language: str
    text: str
    shown: Any
    line: int


def blocks() -> list[Block]:
    text = PAGE.read_text(encoding="utf-8")
    found = list(re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    made = []
    for index, match in enumerate(found):
        after = found[index + 1] if index + 1 < len(found) else None
        shown = None
        if match[1] == "sh" and after and after[1] == "json" and "Sidelight" not in after[2]:
            shown = json.loads(after[2])
        made.append(Block(match[1], match[2], shown, text.count("\n", 0, match.start()) + 1))
    return made


BLOCKS = blocks()
COMMANDS = [block for block in BLOCKS if block.language == "sh"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hospital, dict[str, str]]]:
    """A hospital with one study that has findings, and the variables of the page."""
    folder = tmp_path_factory.mktemp("ris")
    files = phantoms_with("pneumothorax,nodule,pleural-effusion", folder / "phantoms", 4)
    with hospital(folder) as opened:
        server = opened.server
        server.wait_ready()
        opened.listener.answers = ["AE"] * 5
        for file in files:
            scans = finished(server, store(server, file.read_bytes())["ParentStudy"])["scans"]
            if scans[0]["status"] == "findings":
                accession = str(pydicom.dcmread(file).AccessionNumber)
                break
        else:
            pytest.fail("the model found nothing on any of the phantoms")
        wait_for(lambda: bool(opened.deliveries("dead")), 60.0)
        wait_for(opened.settled)
        variables = {
            "ORTHANC": server.url,
            "ORTHANC_USER": f"{server.user}:{server.password}",
            "ORTHANC_HOST": "127.0.0.1",
            "ORTHANC_DICOM": str(server.dicom_port),
            "ACCESSION": accession,
        }
        yield opened, variables


def run(block: Block, variables: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, f"line {block.line}: {done.stderr}"
    return done.stdout


def assert_has(answer: Any, shown: Any, where: str = "answer") -> None:
    """Everything that is shown has its place, of the same type, in the answer."""
    if isinstance(shown, dict):
        for key, value in shown.items():
            assert key in answer, f"{where}.{key}"
            assert_has(answer[key], value, f"{where}.{key}")
    elif isinstance(shown, list) and shown:
        assert answer, where
        assert_has(answer[0], shown[0], f"{where}[0]")
    elif not isinstance(shown, list):
        kinds = (int, float) if isinstance(shown, float) else type(shown)
        assert isinstance(answer, kinds), where


@pytest.mark.parametrize("block", COMMANDS, ids=lambda block: f"line-{block.line}")
def test_a_command_of_the_page_runs_and_answers_what_is_shown(
    place: tuple[Hospital, dict[str, str]], block: Block
) -> None:
    output = run(block, place[1])
    assert output.strip(), f"line {block.line}: no answer"
    if block.shown is not None:
        assert_has(json.loads(output), block.shown)
    if "findscu" in block.text:
        assert place[1]["ACCESSION"] in output
        assert "STAT" in output
        assert "AI suspects" in output


def test_every_answer_of_the_page_belongs_to_a_command_or_a_configuration() -> None:
    answers = [b for b in BLOCKS if b.language == "json" and "Sidelight" not in b.text]
    assert len(answers) == sum(block.shown is not None for block in COMMANDS)
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize(
    "block",
    [b for b in BLOCKS if b.language == "json" and '"Sidelight"' in b.text],
    ids=lambda block: f"line-{block.line}",
)
def test_a_configuration_of_the_page_is_valid(block: Block) -> None:
    assert read(json.loads(block.text)["Sidelight"]).doors


def test_the_message_of_the_page_is_built_like_those_that_are_sent(
    place: tuple[Hospital, dict[str, str]],
) -> None:
    (block,) = [b for b in BLOCKS if b.language == "hl7"]
    sent = place[0].listener.messages[-1].decode("utf-8").split("\r")
    assert shapes(block.text.splitlines()) <= shapes(sent)


def shapes(lines: list[str]) -> set[tuple[str, ...]]:
    """Segment names; of an OBX its type, scheme, and which of its fields hold something."""
    found = set()
    for line in lines:
        fields = line.split("|")
        if fields[0] == "OBX":
            filled = [str(n) for n in (5, 6, 7, 8, 11) if len(fields) > n and fields[n]]
            found.add(("OBX", fields[2], fields[3].split("^")[2], *filled))
        elif fields[0]:
            found.add((fields[0],))
    return found


def test_the_receiver_of_the_page_knows_our_signature(
    place: tuple[Hospital, dict[str, str]],
) -> None:
    (block,) = [b for b in BLOCKS if b.language == "python"]
    names: dict[str, Any] = {}
    exec(compile(block.text, str(PAGE), "exec"), names)  # noqa: S102 - the page's own code
    check = names["is_from_sidelight"]
    for posted in place[0].receiver.posted:
        signature = posted.headers["x-sidelight-signature"]
        assert check(SECRET, signature, posted.body)
        assert not check(SECRET, signature, posted.body + b" ")
        assert not check("another secret of the test", signature, posted.body)
        assert not check(SECRET, signature, posted.body, seconds=-1.0)


def test_all_links_of_the_page_lead_to_a_heading() -> None:
    text = PAGE.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings
