# SPDX-License-Identifier: AGPL-3.0-or-later
"""Heat maps over REST: index, pictures, matrices."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.plugin.web.fake_archive import DISCLAIMER, analysis_of
from tests.plugin.web.small_site import COLUMNS, ROWS, Site


def address(site: Site, rest: str = "") -> str:
    return f"/instances/{site.chest}/sidelight/heatmaps{rest}"


def pixels(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png"
    picture = Image.open(io.BytesIO(answer.content))
    return np.asarray(picture.convert("RGBA") if picture.mode == "P" else picture)


def test_the_index_is_ranked_by_global_probability(site: Site) -> None:
    index = site.get(address(site)).json()
    probabilities = [item["probability"] for item in index["heatmaps"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert index["heatmaps"][0]["key"] == "pneumothorax"
    assert index["disclaimer"] == DISCLAIMER
    assert (index["rows"], index["columns"]) == (ROWS, COLUMNS)


def test_every_link_of_the_index_answers(site: Site) -> None:
    for item in site.get(address(site)).json()["heatmaps"]:
        for link in item["links"].values():
            assert site.get(link).status_code == 200


@pytest.mark.parametrize("query", ["", "?overlay=true", "?smooth=false", "?level=16"])
def test_a_picture_has_the_size_of_the_rendered_image(site: Site, query: str) -> None:
    assert pixels(site.get(address(site, "/nodule" + query))).shape[:2] == (ROWS, COLUMNS)


def test_the_heat_map_lies_where_the_finding_is(site: Site) -> None:
    alpha = pixels(site.get(address(site, "/pneumothorax")))[:, :, 3]
    y, x = np.unravel_index(alpha.argmax(), alpha.shape)
    assert (x / COLUMNS, y / ROWS) == pytest.approx((0.25, 0.25), abs=0.03)


def test_an_overlay_keeps_the_image_where_nothing_is_found(site: Site) -> None:
    picture = pixels(site.get(address(site, "/pneumothorax?overlay=true&opacity=1")))
    assert picture.shape == (ROWS, COLUMNS, 3)
    for corner, grey in (((0, -1), 200), ((-1, 0), 20), ((-1, -1), 90)):
        assert picture[corner].astype(int) == pytest.approx(grey, abs=12)
    assert np.ptp(picture[ROWS // 4, COLUMNS // 4].astype(int)) > 40


def test_opacity_zero_shows_the_rendered_image_itself(site: Site) -> None:
    picture = pixels(site.get(address(site, "/pneumothorax?overlay=true&opacity=0")))
    rendered = np.asarray(Image.open(io.BytesIO(site.archive.pictures[site.chest])).convert("RGB"))
    assert (picture == rendered).all()


@pytest.mark.parametrize("overlay", ["true", "false"])
def test_a_narrower_picture_keeps_the_proportions(site: Site, overlay: str) -> None:
    query = f"/nodule?width=32&overlay={overlay}"
    assert pixels(site.get(address(site, query))).shape[:2] == (48, 32)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("overlay=yes", "overlay"),
        ("smooth=1", "smooth"),
        ("opacity=1.01", "opacity"),
        ("opacity=nan", "opacity"),
        ("opacity=", "opacity"),
        ("opacity=1_0", "opacity"),
        ("level=63", "level"),
        ("level=064", "level"),
        ("width=0", "width"),
        ("width=99999", "width"),
    ],
)
def test_a_bad_parameter_is_named(site: Site, query: str, parameter: str) -> None:
    answer = site.get(address(site, f"/nodule?{query}"))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")
    assert answer.json()["parameter"] == parameter


def test_an_unknown_finding_is_404_and_lists_the_known_ones(site: Site) -> None:
    answer = site.get(address(site, "/gout"))
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-finding")
    assert "pneumothorax" in answer.json()["message"]


def test_without_application_there_is_no_heat_map_and_the_answer_says_why(site: Site) -> None:
    for rest in ("", "/nodule", "/nodule/matrix"):
        answer = site.get(f"/instances/{site.head}/sidelight/heatmaps{rest}")
        assert (answer.status_code, answer.json()["code"]) == (404, "no-heatmap")
        assert "no application for CT HEAD" in answer.json()["message"]


def test_a_matrix_is_the_same_as_json_and_as_npy(site: Site) -> None:
    stored = analysis_of({site.chest: (ROWS, COLUMNS)}, {"nodule": (0.75, 0.75, 0.1, 0.3)})
    item = next(c for c in stored.analysis.images[0].classes if c.key == "nodule")
    for level in (64, 16):
        path = address(site, f"/nodule/matrix?level={level}")
        as_json = site.get(path).json()
        as_npy = np.load(io.BytesIO(site.get(path, Accept="application/x-npy").content))
        assert as_npy.dtype == np.float32
        assert (as_npy == item.maps[level].array()).all()
        assert (np.array(as_json["values"], np.float32) == as_npy).all()
        assert (as_json["rows"], as_json["columns"]) == (level, level)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/x-npy", "application/x-npy"),
        ("application/json;q=0.5, application/x-npy", "application/x-npy"),
        ("application/x-npy;q=0.1, */*;q=0.5", "application/json"),
        ("application/json;q=0, */*", "application/x-npy"),
        ("APPLICATION/JSON ; Q=1", "application/json"),
        ("", "application/json"),
    ],
)
def test_the_matrix_comes_in_the_form_that_accept_prefers(
    site: Site, accept: str, media: str
) -> None:
    answer = site.get(address(site, "/nodule/matrix"), Accept=accept)
    assert answer.headers["Content-Type"] == media
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "nonsense", ";;,,"])
def test_a_form_that_is_not_there_is_406(site: Site, accept: str) -> None:
    answer = site.get(address(site, "/nodule/matrix"), Accept=accept)
    assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")


def test_entity_tags_tell_every_variant_apart(site: Site) -> None:
    queries = ["", "?overlay=true", "?opacity=0.5", "?smooth=false", "?level=32", "?width=32"]
    tags = {site.get(address(site, "/nodule" + query)).headers["ETag"] for query in queries}
    tags |= {
        site.get(address(site, "/nodule/matrix"), Accept=f"application/{kind}").headers["ETag"]
        for kind in ("json", "x-npy")
    }
    tags.add(site.get(address(site, "/cardiomegaly")).headers["ETag"])
    assert len(tags) == len(queries) + 3


def test_a_repeated_analysis_changes_the_entity_tag(site: Site) -> None:
    tag = site.get(address(site, "/nodule")).headers["ETag"]
    again = analysis_of({site.chest: (ROWS, COLUMNS)}, {"nodule": (0.5, 0.5, 0.1, 0.6)})
    site.archive.set_findings("instance", site.chest, again)
    assert site.get(address(site, "/nodule"), If_None_Match=tag).status_code == 200
