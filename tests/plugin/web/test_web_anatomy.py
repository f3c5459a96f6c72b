# SPDX-License-Identifier: AGPL-3.0-or-later
"""Anatomy over REST: read, overridden by a reviewer, and searched by."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from plugin.anatomy import (
    Agreement,
    AnatomyBook,
    AnatomyOverride,
    RecognizedAnatomy,
    SeriesAnatomy,
    Witness,
)
from plugin.anatomy.ledger import AnatomyLedger, Lesson
from plugin.anatomy.records import OverrideLog
from plugin.archive import NotFoundError
from plugin.routes import USER_HEADER
from plugin.states import Metadata
from plugin.web import assembly
from plugin.web.anatomy_doubts import AnatomyDoubts
from tests.plugin.web.fake_archive import HEAD
from tests.plugin.web.small_site import Site

DISPUTED = Agreement(
    witnesses=(
        Witness(name="metadata", regions=("head",), confidence=0.6, application="bleeds"),
        Witness(name="pixels", regions=("chest",), confidence=0.9),
    ),
    rules=("another-application",),
    review="tags and pixels would choose different applications",
)
NECK = {"regions": ["neck"], "reason": "labelled chest, is a neck", "user": "reader"}


def override(site: Site, series: str, body: object, **headers: str) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    path = f"/series/{series}/sidelight/anatomy"
    return site.client.post(path, json=body, headers=named)


def found(site: Site, query: str) -> list[str]:
    answer = site.get(f"/sidelight/series?{query}")
    assert answer.status_code == 200, answer.text
    return [one["series"] for one in answer.json()["series"]]


def test_an_override_is_kept_with_who_and_why_and_counts(site: Site) -> None:
    assert override(site, site.chest_series, NECK).status_code == 201
    said = site.get(f"/series/{site.chest_series}/sidelight/anatomy").json()
    assert said["anatomy"]["regions"] == ["neck"]
    assert said["anatomy"]["body_part_examined"] == "NECK"
    assert said["recognized"]["regions"] == ["chest"]
    (kept,) = said["overrides"]
    assert (kept["by"], kept["reason"]) == ("reader", "labelled chest, is a neck")


def test_an_override_is_told_to_who_makes_headers_standard(site: Site) -> None:
    told: list[tuple[str, tuple[str, ...]]] = []
    routes = next(
        route for route in site.app.routes if "anatomy" in str(getattr(route, "path", ""))
    )
    desk = routes.endpoint.__self__  # type: ignore[attr-defined]
    desk._reviewed = lambda series, known: told.append((series["ID"], known.effective.regions))
    assert override(site, site.chest_series, NECK).status_code == 201
    assert told == [(site.chest_series, ("neck",))]


def test_a_word_corrects_the_rows_to_train_with_and_is_told_to_the_next(tmp_path: Path) -> None:
    ledger = AnatomyLedger(tmp_path / "anatomy.sqlite")
    ledger.learn("s1", Lesson("metadata", {"Modality": "CT", "regions": "chest"}))
    said = AnatomyOverride(regions=("pelvis",), by="r", reason="seen", at="2026-01-01T00:00:00Z")
    known = SeriesAnatomy(RecognizedAnatomy(**dict(HEAD)), OverrideLog(overrides=(said,)))
    also: list[SeriesAnatomy] = []
    told = assembly._told_of_words(ledger, lambda _, known: also.append(known))
    told({"ID": "s1"}, known)
    (row,) = ledger.lessons("metadata")
    assert (row["regions"], row["label_source"], also) == ("pelvis", "reviewer", [known])


def test_the_user_whom_orthanc_knows_needs_no_name_in_the_body(site: Site) -> None:
    body = {"regions": ["neck"], "reason": "seen"}
    answer = override(site, site.chest_series, body, **{USER_HEADER.replace("-", "_"): "known"})
    assert answer.json()["overrides"][0]["by"] == "known"


def test_a_name_in_the_body_does_not_hide_whose_account_it_was(site: Site) -> None:
    headers = {USER_HEADER.replace("-", "_"): "known"}
    body = {**NECK, "regions": ["neck", "chest", "neck"]}
    (kept,) = override(site, site.chest_series, body, **headers).json()["overrides"]
    assert (kept["by"], kept["account"]) == ("reader", "known")
    assert kept["regions"] == ["neck", "chest"]


def test_nobody_overrides_without_a_name(site: Site) -> None:
    answer = override(site, site.chest_series, {"regions": ["neck"], "reason": "seen"})
    assert (answer.status_code, answer.json()["parameter"]) == (400, "user")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"regions": ["elbow"]}, "regions"),
        ({"regions": []}, "regions"),
        ({"reason": ""}, "reason"),
        ({"reason": " \t\n "}, "reason"),
    ],
)
def test_a_word_that_is_not_understood_is_refused_by_its_key(
    site: Site, change: dict[str, object], key: str
) -> None:
    answer = override(site, site.chest_series, NECK | change)
    assert answer.status_code == 400
    assert answer.json()["parameter"].startswith(key)


def test_a_page_of_another_origin_overrides_nothing(site: Site) -> None:
    assert override(site, site.chest_series, NECK, sec_fetch_site="cross-site").status_code == 403
    assert not site.get(f"/series/{site.chest_series}/sidelight/anatomy").json()["overridden"]


def test_a_series_that_nobody_looked_at_has_nothing_to_override(site: Site) -> None:
    assert override(site, site.new_series, NECK).status_code == 404


def test_the_study_is_queued_again_where_that_is_asked(site: Site) -> None:
    override(site, site.chest_series, NECK)
    assert site.queue.enqueued == []
    override(site, site.chest_series, NECK | {"analyse": True})
    assert site.queue.enqueued == [site.chest_study]


def test_the_study_sums_up_the_word(site: Site) -> None:
    override(site, site.chest_series, NECK)
    text = site.archive.metadatas["study", site.chest_study, int(Metadata.ANATOMY)]
    assert json.loads(text)["regions"] == ["neck"]


def test_a_withdrawn_word_leaves_what_was_recognized(site: Site) -> None:
    override(site, site.chest_series, NECK)
    answer = override(site, site.chest_series, NECK | {"regions": None}).json()
    assert answer["anatomy"] == answer["recognized"]
    assert not answer["overridden"]
    assert len(answer["overrides"]) == 2


def test_series_are_found_by_what_they_show(site: Site) -> None:
    assert found(site, "region=CHEST") == [site.chest_series]
    assert found(site, "region=HEAD&modality=CT") == [site.head_series]
    assert found(site, "region=CHEST&modality=CT") == []
    assert set(found(site, "")) == {site.chest_series, site.head_series}


def test_series_are_found_by_the_word_of_a_reviewer(site: Site) -> None:
    override(site, site.chest_series, NECK)
    assert found(site, "region=CHEST") == []
    assert found(site, "region=NECK") == [site.chest_series]
    assert found(site, "overridden=true") == [site.chest_series]


def test_series_that_are_worth_a_look_are_found(site: Site) -> None:
    assert found(site, "confidence-below=0.95") == [site.head_series]


def dispute(site: Site) -> None:
    AnatomyBook(site.archive).note(site.head_series, site.head_study, HEAD, DISPUTED)


def test_a_series_for_review_says_why_and_who_was_heard(site: Site) -> None:
    dispute(site)
    said = site.get(f"/series/{site.head_series}/sidelight/anatomy").json()
    assert said["review"] == DISPUTED.review
    assert [one["name"] for one in said["agreement"]["witnesses"]] == ["metadata", "pixels"]
    assert said["agreement"]["rules"] == ["another-application"]
    alone = site.get(f"/series/{site.chest_series}/sidelight/anatomy").json()
    assert (alone["review"], alone["agreement"]) == (None, None)


def test_series_for_review_are_found_until_a_reviewer_has_decided(site: Site) -> None:
    assert found(site, "review=true") == []
    dispute(site)
    assert found(site, "review=true") == [site.head_series]
    override(site, site.head_series, NECK)
    assert found(site, "review=true") == []
    override(site, site.head_series, NECK | {"regions": None})
    assert found(site, "review=true") == [site.head_series]


def test_series_for_review_are_counted_until_they_are_decided_or_gone(
    site: Site, tmp_path: Path
) -> None:
    ledger = AnatomyLedger(tmp_path / "anatomy.sqlite")
    doubts = AnatomyDoubts(ledger, site.archive)
    assert doubts.counts() == {"review": 0, "retraining": {"metadata": 0, "pixels": 0}}
    dispute(site)
    ledger.flag(site.head_series)
    ledger.flag("deleted-meanwhile")
    assert doubts.counts()["review"] == 1
    assert ledger.flagged(10) == [site.head_series]
    override(site, site.head_series, NECK)
    assert doubts.counts()["review"] == 0
    override(site, site.head_series, NECK | {"regions": None})
    assert doubts.counts()["review"] == 1


def test_pages_of_a_search_fit_together(site: Site) -> None:
    first = site.get("/sidelight/series?limit=1").json()
    second = site.get("/sidelight/series?limit=1&offset=1").json()
    assert (first["more"], second["more"]) == (True, False)
    assert {one["series"] for page in (first, second) for one in page["series"]} == {
        site.chest_series,
        site.head_series,
    }


@pytest.mark.parametrize("query", ["region=thorax", "region=ELBOW", "modality=ct", "where=CHEST"])
def test_a_search_that_is_not_understood_is_refused(site: Site, query: str) -> None:
    assert site.get(f"/sidelight/series?{query}").status_code == 400


@pytest.mark.parametrize("words", ["CHEST", "chest"])
def test_a_region_is_found_by_its_term_and_by_its_name(site: Site, words: str) -> None:
    found = site.get(f"/sidelight/series?region={words}").json()["series"]
    assert [one["series"] for one in found] == [site.chest_series]


STANDARD = '{"rule":"projection","entries":[],"copies":["c1"],"arrival":null}'


def standard_header(site: Site, level: str, resource: str) -> dict[str, object]:
    text = site.archive.metadata(level, resource, Metadata.STANDARD_HEADER)
    assert text is not None
    return json.loads(text)


def test_a_word_makes_the_standard_header_of_another_anatomy_outdated(site: Site) -> None:
    series = site.chest_series
    site.archive.put_metadata("series", series, Metadata.STANDARD_HEADER, STANDARD)
    override(site, series, NECK | {"regions": ["chest"]})
    assert standard_header(site, "series", series) == json.loads(STANDARD)
    override(site, series, NECK | {"analyse": True})
    assert standard_header(site, "series", series) == json.loads(STANDARD), (
        "it is made anew at once"
    )
    override(site, series, NECK | {"regions": ["head"]})
    assert standard_header(site, "series", series) == json.loads(STANDARD) | {"outdated": True}


def test_images_that_are_scans_of_their_own_have_outdated_headers_of_their_own(site: Site) -> None:
    (image,) = site.archive.series(site.head_series)["Instances"]
    book = AnatomyBook(site.archive)
    book.note(site.head_series, site.head_study, HEAD, image=image)
    site.archive.put_metadata("instance", image, Metadata.STANDARD_HEADER, STANDARD)
    override(site, site.head_series, NECK)
    assert standard_header(site, "instance", image)["outdated"] is True


def test_images_of_a_series_that_an_earlier_release_recorded_are_marked_too(site: Site) -> None:
    """It kept no images beside the anatomy."""
    (image,) = site.archive.series(site.head_series)["Instances"]
    site.archive.put_metadata("series", site.head_series, Metadata.ANATOMY, HEAD.model_dump_json())
    site.archive.put_metadata("instance", image, Metadata.STANDARD_HEADER, STANDARD)
    override(site, site.head_series, NECK)
    assert standard_header(site, "instance", image)["outdated"] is True


def test_an_image_that_is_deleted_while_headers_are_marked_is_no_error(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (image,) = site.archive.series(site.head_series)["Instances"]
    site.archive.put_metadata("instance", image, Metadata.STANDARD_HEADER, STANDARD)
    put = site.archive.put_metadata

    def gone(level: str, identifier: str, name: Metadata, value: str) -> None:
        if level == "instance":
            raise NotFoundError("gone")
        put(level, identifier, name, value)

    monkeypatch.setattr(site.archive, "put_metadata", gone)
    assert override(site, site.head_series, NECK).status_code == 201


def test_a_header_that_is_marked_as_outdated_is_read_as_before() -> None:
    from plugin.standardization import StandardHeader

    marked = json.dumps(json.loads(STANDARD) | {"outdated": True})
    assert StandardHeader.model_validate_json(marked).copies == ("c1",)
