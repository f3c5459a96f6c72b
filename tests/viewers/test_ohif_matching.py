# SPDX-License-Identifier: AGPL-3.0-or-later
"""Exported hangings in OHIF's own matching, in Node: which display set lands in which viewport."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from plugin.configuration.hanging_table import Hanging, read_hangings
from plugin.hanging.filling import FilledBox, HungStudy
from plugin.hanging.ohif import protocol, study_protocol
from plugin.hanging.shown import Shown
from plugin.routing.facts import facts
from tests.plugin.web.fake_archive import CHEST
from tests.viewers.ohif_releases import NotAvailableError, ohif_core

SCRIPT = Path(__file__).with_name("matching.cjs")
SHIPPED = {one.name: one for one in read_hangings().hangings}
_AX = {"orientation": "axial"}
TWO_PRIORS = Hanging.model_validate({
    "name": "two-priors", "description": "Two priors", "modalities": ["CT"], "regions": ["chest"],
    "rows": 1, "columns": 3,
    "box": [{"at": [1, 1 + prior], "prior": prior, **_AX} for prior in range(3)],
})  # fmt: skip


def display_set(name: str, study: str, modality: str, **tags: str) -> dict[str, str]:
    """As OHIF makes one, and finds the tags of its first image."""
    own = {"StudyInstanceUID": study, "SeriesInstanceUID": name, "SOPInstanceUID": f"{name}.1"}
    return {"name": name, "Modality": modality, **own, **tags}


def ct(name: str, study: str, words: str = "Chest axial") -> dict[str, str]:
    return display_set(name, study, "CT", SeriesDescription=words, BodyPartExamined="CHEST")


def breast(name: str, series: str) -> dict[str, str]:
    """Side and view in one name: ``L CC``."""
    side, view = name.split()
    tags = {"ViewPosition": view, "ImageLaterality": side, "BodyPartExamined": "BREAST"}
    return display_set(name, "now", "MG", **tags, SeriesInstanceUID=series)


SERIES = [
    ct("now-cor", "now", "Chest cor"),
    ct("now-ax", "now"),
    ct("p1", "before"),
    ct("p2", "old"),
]
VIEWS = [breast(name, "all") for name in ("R CC", "L CC", "R MLO", "L MLO")]
NO_PRIOR = [None, None]


def filled(hanging: Hanging, shown: Sequence[dict[str, str] | None]) -> HungStudy:
    boxes = []
    for box, one in zip(hanging.boxes, shown, strict=False):
        known = None
        if one is not None:
            uids = {"study": one["StudyInstanceUID"], "series": one["SeriesInstanceUID"]}
            if one["Modality"] == "MG":
                uids["instance"] = one["SOPInstanceUID"]
            anatomy = CHEST.model_copy(update={"modality": one["Modality"]})
            known = Shown(one["StudyInstanceUID"], one["name"], "", facts(anatomy, {}, 1), uids)
        boxes.append(FilledBox(box, *hanging.place(box), known))
    return HungStudy(hanging, tuple(sorted(boxes, key=lambda one: (one.row, one.column))))


def hung(
    displayed: Sequence[dict[str, str]], *protocols: dict[str, Any], studies: Sequence[str] = ()
) -> list[str | None]:
    """What hangs where once OHIF has applied the protocols, one after the other."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    try:
        bundle = ohif_core()
    except NotAvailableError as error:
        pytest.skip(f"OHIF's services can't be fetched: {error}")
    opened = studies or list(dict.fromkeys(one["StudyInstanceUID"] for one in displayed))
    modalities = sorted({one["Modality"] for one in displayed})
    asked = {
        "studies": [{"StudyInstanceUID": uid, "ModalitiesInStudy": modalities} for uid in opened],
        "displaySets": displayed, "protocols": protocols,
    }  # fmt: skip
    done = subprocess.run(
        ["node", str(SCRIPT), str(bundle)], input=json.dumps([asked]),
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    (found,) = json.loads(done.stdout)
    return list(found)


def test_two_priors_hang_beside_the_current_study() -> None:
    _, now, before, old = SERIES
    assert hung(SERIES, protocol(TWO_PRIORS)) == ["now-ax", "p1", "p2"]
    made = study_protocol(filled(TWO_PRIORS, [now, before, old]))
    assert hung(SERIES, made) == ["now-ax", "p1", "p2"]


@pytest.mark.parametrize(
    ("studies", "expected"),
    [
        (["old", "before", "now"], ["now-ax", "p1", "p2"]),
        (["now", "old"], ["now-ax", None, "p2"]),
        (["before"], [None, "p1", None]),
    ],
)
def test_the_protocol_of_a_study_holds_in_whatever_order_studies_are_opened(
    studies: list[str], expected: list[str | None]
) -> None:
    _, now, before, old = SERIES
    made = study_protocol(filled(TWO_PRIORS, [now, before, old]))
    displayed = [one for one in SERIES if one["StudyInstanceUID"] in studies]
    assert hung(displayed, made, studies=studies) == expected


def test_the_protocol_of_a_study_takes_the_place_of_that_of_the_rules() -> None:
    coronal, _, before, old = SERIES
    made = study_protocol(filled(TWO_PRIORS, [coronal, before, old]))
    assert hung(SERIES, protocol(TWO_PRIORS), made) == ["now-cor", "p1", "p2"]


def test_the_rules_hang_no_breast_in_the_box_of_the_other() -> None:
    made = protocol(SHIPPED["mammography"])
    expected: list[str | None] = ["R CC", "L CC", *NO_PRIOR, "R MLO", "L MLO", *NO_PRIOR]
    assert hung(VIEWS, made) == expected
    assert hung(VIEWS[:3], made) == [*expected[:5], None, *NO_PRIOR]


def test_the_rules_hang_raw_mammograms_only_where_there_are_no_others() -> None:
    made = protocol(SHIPPED["mammography"])
    raw = {
        **breast("R CC", "raw"),
        "name": "raw",
        "SOPInstanceUID": "raw",
        "PresentationIntentType": "FOR PROCESSING",
    }
    for displayed in ([raw, *VIEWS], [*VIEWS, raw]):
        assert hung(displayed, made)[:2] == ["R CC", "L CC"]
    assert hung([raw, *VIEWS[1:]], made)[:2] == ["raw", "L CC"]


def test_an_image_that_is_gone_leaves_its_box_empty() -> None:
    made = study_protocol(filled(SHIPPED["mammography"], VIEWS))
    assert hung(VIEWS, made)[:2] == ["R CC", "L CC"]
    assert hung(VIEWS[:3], made)[4:6] == ["R MLO", None]
