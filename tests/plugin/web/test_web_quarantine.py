# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was kept aside is on REST, with its reason and without anything of the patient."""

from __future__ import annotations

from plugin.quarantine import QuarantinedObject
from tests.plugin.web.small_site import Site


def keep(site: Site, number: int) -> None:
    site.quarantine.keep(
        b"object",
        QuarantinedObject(
            kind="SEG",
            sop_instance_uid=f"2.25.{number}",
            errors=("dciodvfy: Error - something", "and more"),
            level="instance",
            resource=site.chest,
            model="chest",
            model_version="1.0",
            quarantined_at="2026-03-04T00:00:00.000+00:00",
        ),
    )


def test_an_empty_quarantine_is_an_empty_list(site: Site) -> None:
    answer = site.get("/sidelight/quarantine")
    assert answer.status_code == 200
    assert answer.json() == {"count": 0, "objects": []}


def test_the_newest_comes_first_with_its_reasons(site: Site) -> None:
    for number in range(3):
        keep(site, number)
    found = site.get("/sidelight/quarantine?limit=2").json()
    assert found["count"] == 3
    assert [one["sop_instance_uid"] for one in found["objects"]] == ["2.25.2", "2.25.1"]
    first = found["objects"][0]
    assert first["errors"][0] == "dciodvfy: Error - something"
    assert first["links"]["scan"] == f"/instances/{site.chest}"


def test_a_limit_that_is_no_number_is_refused(site: Site) -> None:
    assert site.get("/sidelight/quarantine?limit=all").status_code == 400
