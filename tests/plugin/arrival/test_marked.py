# SPDX-License-Identifier: AGPL-3.0-or-later
"""The mark is found in every encoding that de-identification writes, and nowhere else."""

from __future__ import annotations

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from deid import Deidentifier
from plugin.arrival.marked import says_identity_removed
from tests.deid.made_scans import KEY, ct, file_of


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_the_mark_is_found_in_every_encoding(syntax: str) -> None:
    original = file_of(ct(PatientIdentityRemoved="NO"), syntax)
    assert not says_identity_removed(original)
    assert says_identity_removed(Deidentifier(KEY).deidentify(original).to_bytes())


@pytest.mark.parametrize("broken", [b"", b"DICM", bytes(128) + b"DICM", bytes(400)])
def test_what_is_no_file_is_not_marked(broken: bytes) -> None:
    assert not says_identity_removed(broken)


def test_a_damaged_deflated_file_is_not_marked() -> None:
    file = Deidentifier(KEY).deidentify(file_of(ct(), DeflatedExplicitVRLittleEndian)).to_bytes()
    end = 144 + int.from_bytes(file[140:144], "little")
    assert not says_identity_removed(file[:end] + b"\xff" * 100)
