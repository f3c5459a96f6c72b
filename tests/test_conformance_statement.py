# SPDX-License-Identifier: Apache-2.0
"""The conformance statement says what the code does: no more, no less."""

from __future__ import annotations

import ast
import re
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from pydicom import charset
from pydicom import uid as uids
from pydicom.pixels import get_decoder
from pydicom.uid import UID_dictionary

from inference.contract import (
    AnalysisAnswer,
    ClassProbability,
    CodedConcept,
    FindingClass,
    ImageAnalysis,
    MapExtent,
    ModelDescription,
    Outcome,
    ProbabilityMap,
    ScanCategory,
)
from plugin.configuration.standardization import StandardAttribute
from plugin.results import ResultOptions, build
from plugin.results.codes import PRIVATE_SCHEME
from plugin.results.identity import CHARACTER_SET
from plugin.results.objects import AdditionalKind, Kind, SegmentationForm
from plugin.results.private import PRIVATE_CREATOR, PRIVATE_GROUP, PrivateElement
from plugin.results.segmentation import LABEL_MAP_STORAGE
from plugin.results.viewer_profiles import PROFILES
from plugin.states import Attachment, Metadata
from plugin.worker import sop_classes
from tests.plugin.results.samples import SOURCES

ROOT = Path(__file__).resolve().parents[1]
STATEMENT = (ROOT / "docs" / "conformance-statement.md").read_text(encoding="utf-8")
STORAGE = "1.2.840.10008.5.1.4.1.1"


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its head."""
    below = STATEMENT.split(f"\n{heading}\n", 1)[1]
    found = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert found is not None, heading
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[0].splitlines()]
    return rows[2:]


WRITTEN = table("### 3.1 SOP classes")


def name_of(uid: str) -> str:
    if uid == LABEL_MAP_STORAGE:
        return "Label Map Segmentation Storage"  # newer than pydicom 3.0
    return str(UID_dictionary[uid][0])


# -- read ------------------------------------------------------------------------------------------


def test_classes_that_are_analysed_as_series_are_those_of_the_code() -> None:
    rows = table("### 2.1 Read slice by slice, analysed as a series")
    assert {uid for _, uid in rows} == set(sop_classes._VOLUMES)
    for name, uid in rows:
        assert name_of(uid) == name


def test_classes_that_are_never_analysed_are_those_of_the_code() -> None:
    rows = table("### 2.2 Never analysed")
    beginnings = {prefix.replace("\u2026", STORAGE) for prefix, _ in rows}
    assert beginnings == set(sop_classes._WITHOUT_PIXELS)
    for uid in (u for u in UID_dictionary if u.startswith(STORAGE)):
        left_out = uid.startswith(tuple(beginnings)) and uid != f"{STORAGE}.481.1"
        assert sop_classes.is_image(uid) is not left_out, uid


def test_transfer_syntaxes_are_those_that_can_be_decoded() -> None:
    decodable = set()
    for uid, entry in UID_dictionary.items():
        if entry[1] != "Transfer Syntax":
            continue
        try:
            decoder = get_decoder(uids.UID(uid))
        except NotImplementedError:
            continue
        if decoder.is_available:
            decodable.add(uid)
    assert {uid for _, uid in table("### 2.4 Transfer syntaxes")} == decodable


def test_character_sets_are_those_that_can_be_decoded() -> None:
    listed = {
        term.strip() for row in table("## 5 Character sets") for term in row[0].split(",")
    } - {"(none)"}
    known = {name for name in charset.python_encoding if name}
    assert listed == known


# -- written ---------------------------------------------------------------------------------------


def test_every_kind_of_object_has_its_row_and_every_row_is_a_kind() -> None:
    assert {kind for kind, *_ in WRITTEN} == set(get_args(Kind))


def test_every_row_has_the_name_that_belongs_to_its_uid() -> None:
    for _, name, uid, _ in WRITTEN:
        assert name_of(uid) == name


def test_every_class_that_is_really_written_has_its_row() -> None:
    listed = {(kind, uid) for kind, _, uid, _ in WRITTEN}
    written = set()
    for source, outcome, form, profile in product(
        ("DX", "US, RGB", "CT with its plane"), Outcome, get_args(SegmentationForm), PROFILES
    ):
        for one in made(source, outcome, form, profile):
            written.add((one.kind, str(one.dataset.SOPClassUID)))
            assert one.dataset.file_meta.TransferSyntaxUID == uids.ExplicitVRLittleEndian
            assert one.dataset.SpecificCharacterSet == CHARACTER_SET
    assert written <= listed


def test_every_class_that_the_code_of_the_results_names_is_in_the_statement() -> None:
    """A module for a new kind of object names its SOP class; the statement must too."""
    named: dict[str, str] = {}
    for path in (ROOT / "plugin" / "results").glob("*.py"):
        if path.name == "source.py":
            continue  # names classes of originals
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "id", getattr(node, "attr", ""))
            if isinstance(node, ast.Name | ast.Attribute) and name.endswith("Storage"):
                named[name] = path.name
    assert named
    for name, module in named.items():
        assert f"{getattr(uids, name)}" in STATEMENT, f"{name} of {module}"


def made(source: str, outcome: Outcome, form: SegmentationForm, profile: str) -> list:  # type: ignore[type-arg]
    header = SOURCES[source]()
    spot = np.zeros((64, 64), np.float32)
    spot[20:40, 20:40] = 0.9
    judged = outcome in (Outcome.FINDINGS, Outcome.NO_FINDINGS)
    present = outcome is Outcome.FINDINGS
    model = ModelDescription(
        name="m", version="1", title="M", disclaimer="Not for clinical use.", digest="ab" * 32,
        works_on="instance", levels=(64,),
        categories=(ScanCategory(modalities=("DX",), regions=("chest",)),),
        classes=(
            FindingClass(
                key="nodule", name="Nodule", threshold=0.5, patch_threshold=0.5,
                code=CodedConcept(value="27925004", scheme="SCT", meaning="Nodule"),
            ),
        ),
    )  # fmt: skip
    side = float(max(header.Rows, header.Columns))
    image = ImageAnalysis(
        sop_instance_uid="1.2.3", rows=header.Rows, columns=header.Columns,
        extent=MapExtent(left=0, top=0, right=side, bottom=side),
        classes=(
            ClassProbability(
                key="nodule", probability=0.9 if present else 0.1, present=present,
                maps={64: ProbabilityMap.of(spot)},
            ),
        ),
    )  # fmt: skip
    answer = AnalysisAnswer(
        model="m", version="1", digest="ab" * 32, outcome=outcome, images=(image,) if judged else ()
    )
    options = ResultOptions(
        segmentation=form,
        viewer_profile=profile,
        additional=get_args(AdditionalKind),  # type: ignore[arg-type]
    )
    return build(header, model, answer, image if judged else None, options)


# -- private attributes, codes, Orthanc -----------------------------------------------------------


@pytest.mark.parametrize("document", ["conformance-statement.md", "results.md"])
def test_private_attributes_are_those_of_the_code(document: str) -> None:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    listed = set(re.findall(rf"\| \({PRIVATE_GROUP:04X},xx([0-9A-F]{{2}})\) \| LO \|", text))
    assert listed == {f"{int(element):02X}" for element in PrivateElement}
    assert f"`{PRIVATE_CREATOR}`" in text


def test_the_private_coding_scheme_is_named() -> None:
    assert f"`{PRIVATE_SCHEME}`" in STATEMENT


def test_numbers_of_metadata_and_attachments_are_those_of_the_code() -> None:
    rows = table("## 6 Beside DICOM: what lies in Orthanc")
    listed = {(int(number), kind) for number, kind, *_ in rows}
    assert listed == {(int(one), "metadata") for one in Metadata} | {
        (int(one), "attachment") for one in Attachment
    }


def test_attributes_that_a_copy_may_change_are_those_of_the_configuration() -> None:
    rows = table("### 3.3 Copies with a standard header")
    listed = {name.replace(" ", "") for name, *_ in rows}
    assert listed == {*get_args(StandardAttribute), "Laterality"}
