# SPDX-License-Identifier: AGPL-3.0-or-later
"""The description of the routes, held against the routes as Orthanc serves them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plugin.demo.server import OrthancServer
from plugin.routes import ROUTES
from tests.system.pacs import finished, store
from tests.system.test_main_line import fresh

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"

LEFT_OUT = {
    # No schema can say which levels a model has.
    "positive": ("positive_data_acceptance", "unsupported_method"),
    # Orthanc itself answers unusual methods and header names, in its own words, before a plugin is
    # asked, and takes control characters out of parameters.
    "negative": (
        "positive_data_acceptance",
        "negative_data_rejection",
        "unsupported_method",
        "content_type_conformance",
        "response_schema_conformance",
        "missing_required_header",
    ),
}
"""Checks that are not made, by the kind of data that is sent."""


def with_known_identifiers(described: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    """The description with real identifiers beside an unknown one, so that both are asked for."""
    for path, operations in described["paths"].items():
        kind = path.split("/")[1]
        if kind not in known:
            continue
        unknown = "00000000-00000000-00000000-00000000-00000000"
        parameter = {
            "name": "id", "in": "path", "required": True,
            "schema": {"type": "string", "enum": [known[kind], unknown]},
        }  # fmt: skip
        for holder in (operations, *operations.values()):
            if isinstance(holder, dict) and "parameters" in holder:
                holder["parameters"] = [
                    parameter if _is_identifier(one, described) else one
                    for one in holder["parameters"]
                ]
    return described


def without_headers(described: dict[str, Any]) -> dict[str, Any]:
    """The description without header parameters.

    Python plugin 4.0 answers 500 to a header that is not UTF-8, before Sidelight sees it.
    """
    holders = [o for operations in described["paths"].values() for o in operations.values()]
    for holder in [*described["paths"].values(), *holders]:
        if isinstance(holder, dict) and "parameters" in holder:
            holder["parameters"] = [
                one for one in holder["parameters"] if _resolved(one, described)["in"] != "header"
            ]
    return described


def _resolved(parameter: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in parameter:
        return parameter
    name = parameter["$ref"].rsplit("/", 1)[-1]
    resolved: dict[str, Any] = described["components"]["parameters"][name]
    return resolved


def _is_identifier(parameter: dict[str, Any], described: dict[str, Any]) -> bool:
    return bool(_resolved(parameter, described)["name"] == "id")


def test_every_route_is_described_and_every_described_route_is_there(
    server: OrthancServer,
) -> None:
    described = server.client.get("/sidelight/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    served = {route.path.replace(":path}", "}") for route in ROUTES}
    assert set(described["paths"]) == served
    for route in ROUTES:
        operations = described["paths"][route.path.replace(":path}", "}")]
        assert {m.lower() for m in route.methods} <= set(operations)


def test_the_routes_keep_what_the_description_promises(
    server: OrthancServer, phantoms: list[Path], tmp_path: Path
) -> None:
    if server.installation.name != "debian":
        pytest.skip("once is enough: both releases serve the same process")
    stored = store(server, fresh(phantoms[0]))
    finished(server, stored["ParentStudy"])
    schema = tmp_path / "openapi.json"
    described = server.client.get("/sidelight/openapi.json").json()
    known = {
        "studies": stored["ParentStudy"],
        "series": stored["ParentSeries"],
        "instances": stored["ID"],
    }
    described = with_known_identifiers(described, known)
    schema.write_text(json.dumps(without_headers(described)), encoding="utf-8")
    for mode, excluded in LEFT_OUT.items():
        done = subprocess.run(
            [
                str(SCHEMATHESIS), "run", str(schema), "--url", server.url,
                "--auth", f"{server.user}:{server.password}", "--checks", "all",
                "--exclude-checks", ",".join(excluded), "--max-examples", "15", "--mode", mode,
                "--phases", "examples,fuzzing", "--seed", "1", "--no-color",
            ],
            capture_output=True, text=True, check=False, timeout=280, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize("number", ["A&B/1 2+3", "AB%2A", "#1=;~"])
def test_studies_are_found_by_whatever_an_accession_number_holds(
    server: OrthancServer, phantoms: list[Path], number: str
) -> None:
    scan = fresh(phantoms[0], AccessionNumber=number)
    study = store(server, scan)["ParentStudy"]
    answer = server.client.get("/sidelight/plan", params={"AccessionNumber": number})
    assert [one["study"] for one in answer.json()["studies"]] == [study]


def test_wildcards_are_refused_however_they_are_written(server: OrthancServer) -> None:
    for query in ("AccessionNumber=A*", "AccessionNumber=A%2A"):
        answer = server.client.get(f"/sidelight/plan?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")


def test_another_method_is_answered_with_those_that_are_allowed(server: OrthancServer) -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = server.client.request(method, "/sidelight/plan")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
