# SPDX-License-Identifier: Apache-2.0
"""Options of heat maps over REST: order, subset, masks, saliency, several in one picture."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from plugin.configuration.heat_maps import HeatMapSection
from plugin.web import create_app
from plugin.web.services import Services
from tests.plugin.web.fake_archive import CHEST_MODEL
from tests.plugin.web.small_site import COLUMNS, ROWS, Site


def address(site: Site, rest: str) -> str:
    return f"/instances/{site.chest}/sidelight/{rest}"


def pixels(answer: httpx.Response, mode: str = "RGBA") -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert(mode))


def keys(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["key"] for item in answer.json()["heatmaps"]]


@pytest.fixture
def configured(site: Site) -> Iterator[TestClient]:
    section = HeatMapSection(
        SmoothingByFinding={"nodule": 0.0},
        Regions={"nodule": "body"},
        Order="preference",
        Preference=("cardiomegaly", "nodule"),
    )
    app = create_app(
        site.archive, site.queue, dict, lambda: [CHEST_MODEL], Services(heat_maps=section)
    )
    with TestClient(app) as client:
        yield client


def test_the_order_is_by_probability_severity_or_the_sites_preference(
    site: Site, configured: TestClient
) -> None:
    by_severity = keys(site.get(address(site, "heatmaps?order=severity")))
    assert by_severity[0] == "pneumothorax"
    assert by_severity[-1] == "cardiomegaly"
    preferred = keys(configured.get(address(site, "heatmaps")))
    assert preferred[:2] == ["cardiomegaly", "nodule"]
    assert keys(configured.get(address(site, "heatmaps?order=probability")))[0] == "pneumothorax"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("present=true", ["pneumothorax"]),
        ("threshold=0.3", ["pneumothorax", "nodule"]),
        ("threshold=0.31", ["pneumothorax"]),
        ("threshold=1", []),
    ],
)
def test_only_a_subset_is_listed_where_it_is_asked_for(
    site: Site, query: str, expected: list[str]
) -> None:
    assert keys(site.get(address(site, f"heatmaps?{query}"))) == expected


def test_smoothing_has_a_strength_per_finding(site: Site, configured: TestClient) -> None:
    path = address(site, "heatmaps/nodule?level=16")
    patches = pixels(site.get(path + "&smooth=false"))
    assert (pixels(configured.get(path)) == patches).all()
    assert (pixels(site.get(path)) != patches).any()
    assert (pixels(site.get(path + "&strength=0")) == patches).all()
    half = pixels(site.get(path + "&strength=0.5"))
    assert (half != patches).any()
    assert (half != pixels(site.get(path))).any()


def test_where_no_mask_is_found_the_map_is_whole_and_a_header_says_why(site: Site) -> None:
    path = address(site, "heatmaps/nodule?opacity=1")
    masked = site.get(path + "&mask=lungs")
    assert masked.headers["Sidelight-Mask"] == "none"
    assert masked.headers["Sidelight-Warning"].startswith("no mask of the lungs: ")
    assert (pixels(masked) == pixels(site.get(path))).all()
    said = site.get(address(site, "masks/lungs")).json()
    assert (said["masked"], said["runs"]) == (False, [])
    assert said["warning"] == masked.headers["Sidelight-Warning"]


def test_a_mask_that_is_found_takes_the_colour_away_outside(site: Site) -> None:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    breast = (x / 40.0) ** 2 + ((y - 48) / 40.0) ** 2 < 1
    buffer = io.BytesIO()
    Image.fromarray((breast * 180).astype(np.uint8)).save(buffer, "PNG")
    site.archive.pictures[site.chest] = buffer.getvalue()
    answer = site.get(address(site, "heatmaps/nodule?opacity=1&mask=breast"))
    assert answer.headers["Sidelight-Mask"] == "breast"
    assert "Sidelight-Warning" not in answer.headers
    alpha = pixels(answer)[:, :, 3]
    assert (alpha[:, -10:] == 0).all()
    assert alpha[40:56, :20].min() > 0
    said = site.get(address(site, "masks/breast")).json()
    inside = np.repeat(np.arange(len(said["runs"])) % 2 == 1, said["runs"])
    assert inside.reshape(said["rows"], said["columns"])[48, 5]


def test_a_saliency_map_has_one_colour(site: Site) -> None:
    shown = pixels(site.get(address(site, "heatmaps/pneumothorax?style=saliency&opacity=1")))
    assert set(np.unique(shown[:, :, 3])) == {0, 255}
    more = pixels(
        site.get(address(site, "heatmaps/pneumothorax?style=saliency&opacity=1&threshold=0.1"))
    )
    assert (more[:, :, 3] > 0).sum() > (shown[:, :, 3] > 0).sum() > 0


def test_the_composite_shows_present_findings_or_those_that_are_named(site: Site) -> None:
    alone = pixels(site.get(address(site, "composite")), "RGB")
    named = pixels(site.get(address(site, "composite?findings=pneumothorax")), "RGB")
    assert (alone == named).all()
    both = pixels(site.get(address(site, "composite?findings=pneumothorax,nodule")), "RGB")
    assert (both != named).any()


@pytest.mark.parametrize(
    "query",
    ["findings=gout", "findings=", "findings=nodule,nodule", "style=dots", "mask=brain", "level=7"],
)
def test_what_the_composite_does_not_understand_is_named(site: Site, query: str) -> None:
    answer = site.get(address(site, f"composite?{query}"))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")
    assert answer.json()["parameter"] == query.partition("=")[0]


def test_the_display_says_how_values_become_grey(site: Site) -> None:
    shown = site.get(address(site, "display")).json()
    assert (shown["rows"], shown["columns"], shown["grey"]) == (ROWS, COLUMNS, True)
    assert shown["windows"] == [{"centre": 3000.0, "width": 4000.0, "name": ""}]
    assert shown["links"]["pixels"].endswith("/image-uint16")
    site.archive.tags[site.chest] |= {
        "PixelRepresentation": "1", "RescaleSlope": "2", "RescaleIntercept": "-1024",
        "PhotometricInterpretation": "MONOCHROME1", "WindowWidth": "40\\0\\80",
        "WindowCenter": "1\\2\\3", "WindowCenterWidthExplanation": "A\\B\\C",
    }  # fmt: skip
    shown = site.get(address(site, "display")).json()
    assert (shown["slope"], shown["intercept"], shown["inverted"]) == (2.0, -1024.0, True)
    assert shown["links"]["pixels"].endswith("/image-int16")
    assert [one["name"] for one in shown["windows"]] == ["A", "C"]


def test_an_unreadable_header_leads_to_defaults_and_not_to_an_error(site: Site) -> None:
    site.archive.tags[site.chest] = {"Rows": "x", "WindowWidth": "nan", "PixelSpacing": "1\\y"}
    shown = site.get(address(site, "display")).json()
    assert (shown["windows"], shown["spacing"], shown["slope"]) == ([], None, 1.0)
    regions = site.get(address(site, "regions")).json()
    assert regions["regions"][0]["area_mm2"] is None
