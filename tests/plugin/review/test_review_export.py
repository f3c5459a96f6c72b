# SPDX-License-Identifier: Apache-2.0
"""Reviewed images as a training set: nobody is named, and what was not judged is not absent."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deid import DeidentificationKey, Deidentifier
from plugin.review.export import export
from tests.plugin.web.made_files import read
from tests.plugin.web.small_site import COLUMNS, ROWS, Site, small_site


class OverRest:
    """The export's view of a site."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def get(self, path: str) -> Any:
        answer = self.site.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def file(self, instance: str) -> bytes:
        return self.site.archive.files[instance]


@pytest.fixture
def site() -> Site:
    return small_site()


def deidentifier(tmp_path: Path) -> Deidentifier:
    return Deidentifier(DeidentificationKey.from_file(tmp_path / "key", create=True))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def review(site: Site, **body: Any) -> None:
    path = f"/instances/{site.chest}/sidelight/reviews"
    answer = site.client.post(path, json={"user": "Dr. Vera Lind", "reason": "seen", **body})
    assert answer.status_code == 201, answer.text


PRESENT = {"finding": "nodule", "verdict": "present"}
MARK = {"finding": "nodule", "level": 16, "cells": [[8, 8]], "verdict": "too-low"}


@pytest.mark.parametrize("form", ["dicom", "png"])
def test_labels_are_what_was_judged_and_nothing_else(site: Site, tmp_path: Path, form: Any) -> None:
    review(site, verdicts=[PRESENT], marks=[MARK])
    out = tmp_path / "out"
    result = export(OverRest(site), deidentifier(tmp_path), out, form)
    assert (result.written, result.refused, result.unlabelled) == (1, {}, 0)
    (row,) = rows(out / "labels.csv")
    classes = {key: value for key, value in row.items() if key not in ("image", "patient")}
    assert classes == {
        "nodule": "1", "pneumothorax": "", "pleural-effusion": "", "consolidation": "",
        "cardiomegaly": "",
    }  # fmt: skip
    (box,) = rows(out / "boxes.csv")
    assert (box["image"], box["class"]) == (row["image"], "nodule")
    assert 0 <= float(box["left"]) < float(box["right"]) <= COLUMNS
    assert (out / "images" / row["image"]).exists()


def test_a_complete_review_labels_every_class(site: Site, tmp_path: Path) -> None:
    review(site, verdicts=[{"finding": "pneumothorax", "verdict": "absent"}], complete=True)
    export(OverRest(site), deidentifier(tmp_path), tmp_path / "out", "dicom")
    (row,) = rows(tmp_path / "out" / "labels.csv")
    assert {row[key] for key in ("nodule", "pneumothorax", "cardiomegaly")} == {"0"}
    assert rows(tmp_path / "out" / "boxes.csv") == []


def test_nobody_is_named_in_what_is_exported(site: Site, tmp_path: Path) -> None:
    review(site, verdicts=[PRESENT])
    export(OverRest(site), deidentifier(tmp_path), tmp_path / "out", "dicom")
    original = read(site.archive.files[site.chest])
    everything = b"".join(
        path.name.encode() + path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    )
    for secret in ("Doe", original.PatientID, original.AccessionNumber, original.SOPInstanceUID):
        assert str(secret).encode() not in everything, secret
    for word in (b"Vera Lind", site.chest.encode()):
        assert word not in everything


def test_a_png_has_all_bits_of_the_stored_values(site: Site, tmp_path: Path) -> None:
    review(site, verdicts=[PRESENT])
    export(OverRest(site), deidentifier(tmp_path), tmp_path / "out", "png")
    (path,) = (tmp_path / "out" / "images").iterdir()
    shown = np.asarray(Image.open(path))
    assert (shown == np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)).all()


def test_two_exports_never_mix(site: Site, tmp_path: Path) -> None:
    export(OverRest(site), deidentifier(tmp_path), tmp_path / "out", "dicom")
    with pytest.raises(FileExistsError):
        export(OverRest(site), deidentifier(tmp_path), tmp_path / "out", "dicom")


def test_an_image_on_which_nothing_was_judged_is_left_out(site: Site, tmp_path: Path) -> None:
    review(site, comment="looked at it")
    result = export(OverRest(site), deidentifier(tmp_path), tmp_path / "out", "dicom")
    assert (result.written, result.unlabelled) == (0, 1)
