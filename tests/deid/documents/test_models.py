# SPDX-License-Identifier: Apache-2.0
"""3D models leave empty, or with their geometry alone."""

from __future__ import annotations

import struct
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from deid import Deidentifier
from deid.documents.models import clean_mtl, clean_obj, clean_stl
from deid.policy import Models
from deid.profile_files import load
from deid.reports.errors import ReportError
from tests.deid.made_scans import KEY, PIPELINE, ct, file_of

CORNERS = np.array([0, 0, 1, 1.5, -2, 0.25, 10, 20, 30, 4, 5, 6], "<f4")
BINARY = b"Fenwick Marigold".ljust(80) + struct.pack("<I", 1) + CORNERS.tobytes() + b"FE"
ASCII = b"""solid Fenwick
 facet normal 0 0 1
  outer loop
   vertex 1.5 -2 0.25
   vertex 1e1 20 30
   vertex 4 5 6
  endloop
 endfacet
endsolid Fenwick
"""
OBJ = b"""# made for Fenwick
mtllib fenwick.mtl
o Fenwick skull
v 1.0 2.0 3.0
v 4 5 6
v 7 8 9 # Fenwick
usemtl Fenwick
f 1//1 2//1 3//1
comment by Fenwick
"""
MTL = b"newmtl Fenwick\nKd 0.8 0.7 0.6\nmap_Kd fenwick.png\nillum 2\n"


def renamed(name: str) -> str:
    return f"N{len(name)}"


@pytest.mark.parametrize("content", [BINARY, ASCII], ids=["binary", "ASCII"])
def test_an_stl_keeps_its_triangles_and_nothing_else(content: bytes) -> None:
    made = clean_stl(content, renamed)
    assert made[:80] == bytes(80)
    assert made[80:84] == struct.pack("<I", 1)
    assert np.array_equal(np.frombuffer(made, "<f4", 12, 84), CORNERS)
    assert made[-2:] == bytes(2)


@pytest.mark.parametrize(
    "content",
    [
        b"Fenwick",
        ASCII.replace(b"endfacet", b"endfacet\nFenwick"),
        BINARY[:84] + b"Fenwick Marigold of Quince Alley 17, Elmtown 1948x" + b"",
        BINARY[:84] + np.full(12, np.nan, "<f4").tobytes() + b"\0\1",
    ],
)
def test_an_stl_with_more_than_numbers_is_refused(content: bytes) -> None:
    with pytest.raises(ReportError):
        clean_stl(content, renamed)


def test_an_obj_keeps_points_and_surfaces_and_its_names_become_stand_ins() -> None:
    assert clean_obj(OBJ, renamed).decode().splitlines() == [
        "o N13", "v 1.0 2.0 3.0", "v 4 5 6", "v 7 8 9", "usemtl N7", "f 1//1 2//1 3//1",
    ]  # fmt: skip


def test_a_material_has_the_name_that_the_model_calls_it_by() -> None:
    assert clean_mtl(MTL, renamed) == b"newmtl N7\nKd 0.8 0.7 0.6\nillum 2\n"


def test_a_point_that_can_not_be_read_refuses_the_model() -> None:
    with pytest.raises(ReportError):
        clean_obj(b"v 1 2 58204117.0\n", renamed)


def left(content: bytes, number: int, models: Models) -> bytes:
    dataset = ct(
        SOPClassUID=f"1.2.840.10008.5.1.4.1.1.104.{number}", Modality="M3D",
        EncapsulatedDocument=content + b"\0" * (len(content) % 2),
        EncapsulatedDocumentLength=len(content),
    )  # fmt: skip
    policy = replace(load("basic").policy, models=models)
    scan = Deidentifier(KEY, PIPELINE, policy).deidentify(file_of(dataset))
    made = dcmread(BytesIO(scan.to_bytes()))
    return bytes(made.EncapsulatedDocument)


def test_models_leave_empty_by_default_and_clean_where_the_site_asks() -> None:
    assert load("basic").policy.models is Models.EMPTY
    assert len(left(OBJ, 4, Models.EMPTY)) < 8
    made = left(OBJ, 4, Models.CLEAN)
    assert b"v 1.0 2.0 3.0" in made
    assert b"enwick" not in made
    assert left(BINARY, 3, Models.CLEAN)[84:132] == CORNERS.tobytes()
    assert len(left(b"Fenwick!", 3, Models.CLEAN)) < 8
