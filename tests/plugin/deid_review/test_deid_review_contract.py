# SPDX-License-Identifier: AGPL-3.0-or-later
"""A reviewer's requests are answered as the description says, whatever they hold."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS, load_all_checks

from plugin.web import description
from tests.plugin.deid_review.reviewed import Reviewed
from tests.plugin.deid_review.served import app_of, logged_in_as

load_all_checks()
FOLDER = tempfile.TemporaryDirectory(prefix="sidelight-test-")
NODE = Reviewed(Path(FOLDER.name))
ITEM = NODE.waiting()
NODE.desk.terms.propose((), "anna")
schema = schemathesis.openapi.from_dict(
    {**json.loads(description.document()), "security": [], "servers": []}
)
schema.app = logged_in_as(app_of(NODE), "anna")


@schema.include(path_regex="/sidelight/deid/").parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_to_a_reviewer_is_as_described(case: schemathesis.Case) -> None:
    if "item" in case.path_parameters:
        case.path_parameters["item"] = ITEM.id
    # No schema knows which tags an image has or how large it is.
    left_out = {"positive_data_acceptance"}
    case.call_and_validate(checks=[one for one in CHECKS.get_all() if one.__name__ not in left_out])
