# SPDX-License-Identifier: AGPL-3.0-or-later
"""The OpenAPI file says what the routes do, no more and no less."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks
from starlette.routing import Route

from plugin.routes import ROUTES
from plugin.web import description
from plugin.web.worklist import STATUSES
from tests.plugin.web.small_site import Site, small_site

DOCUMENT: dict[str, Any] = json.loads(description.document())


def described() -> set[tuple[str, str]]:
    methods = {"get", "post", "put", "delete"}
    return {
        (path, method.upper())
        for path, item in DOCUMENT["paths"].items()
        for method in methods & set(item)
    }


def without_converter(path: str) -> str:
    return re.sub(r"{(\w+):\w+}", r"{\1}", path)


def test_every_route_is_described_and_every_description_is_a_route(site: Site) -> None:
    served = {
        (without_converter(route.path), method)
        for route in site.app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served == described()


def test_orthanc_forwards_exactly_the_described_routes() -> None:
    forwarded = {(without_converter(r.path), m) for r in ROUTES for m in r.methods}
    assert forwarded == described()


def test_every_operation_says_what_unknown_users_and_wrong_methods_get() -> None:
    for path, method in described():
        responses = DOCUMENT["paths"][path][method.lower()]["responses"]
        assert {"400", "401", "405", "500", "503"} <= set(responses), path
        # The status is put together in Orthanc, and waits for the web process for seconds only.
        assert ("504" in responses) == (path != "/sidelight/status"), path
        if "{id}" in path:
            assert "404" in responses


def test_every_reference_leads_somewhere_and_no_part_is_unused() -> None:
    text = json.dumps(DOCUMENT)
    used = set(re.findall(r'"#/components/(\w+)/(\w+)"', text))
    there = {
        (kind, name)
        for kind, parts in DOCUMENT["components"].items()
        if kind != "securitySchemes"
        for name in parts
    }
    assert used == there


def test_the_statuses_of_the_worklist_are_those_of_the_code() -> None:
    assert tuple(DOCUMENT["components"]["schemas"]["OutcomeName"]["enum"]) == STATUSES


def test_examples_obey_their_schemas() -> None:
    checked = 0
    for media in media_types(DOCUMENT):
        if "example" in media:
            schema = {**media["schema"], "components": DOCUMENT["components"]}
            jsonschema_rs.validate(schema, media["example"])
            checked += 1
    assert checked


def media_types(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield from part.get("content", {}).values() if isinstance(part.get("content"), dict) else ()
    children = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    yield from itertools.chain.from_iterable(media_types(child) for child in children)


# -- schemathesis --------------------------------------------------------------------------------


load_all_checks()
SITE = small_site()
# Authentication is Orthanc's: here every request has passed it already.
schema = schemathesis.openapi.from_dict({**DOCUMENT, "security": [], "servers": []})
schema.app = SITE.app

# Which levels and findings there are, and that a review says something, no schema can say.
NEEDS_MORE_THAN_A_SCHEMA = {
    "heatMap",
    "matrix",
    "composite",
    "review",
    "closeRemediation",
    "overrideAnatomy",
    "decideDeidReview",
    "orderBackfill",
}


def checks_of(operation: str) -> list[Any]:
    left_out = {"positive_data_acceptance"} if operation in NEEDS_MORE_THAN_A_SCHEMA else set()
    return [check for check in CHECKS.get_all() if check.__name__ not in left_out]


def call_and_check(case: schemathesis.Case) -> None:
    operation = case.operation.definition.raw["operationId"]
    case.call_and_validate(checks=checks_of(operation))


@schema.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_described(case: schemathesis.Case) -> None:
    call_and_check(case)


@schema.include(path_regex=r"\{id\}").parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.parametrize("which", ["chest", "head", "new"])
def test_every_answer_about_a_known_scan_is_as_described(
    case: schemathesis.Case, which: str
) -> None:
    kind = case.path.split("/")[1]
    suffix = {"studies": "_study", "series": "_series", "instances": ""}[kind]
    case.path_parameters["id"] = getattr(SITE, which + suffix)
    if "finding" in case.path_parameters:
        case.path_parameters["finding"] = "nodule"
    call_and_check(case)
