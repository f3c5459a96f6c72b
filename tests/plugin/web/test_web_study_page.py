# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the page of a study says beside its scans, in a real browser."""

from __future__ import annotations

import pytest

from plugin.doors.outbox import NewDelivery
from tests.plugin.web.test_web_page import OUTPUT, Hospital, in_a_browser, served

__all__ = ["served"]

pytestmark = in_a_browser


def test_a_study_leads_to_its_hanging(served: Hospital) -> None:
    served.open_study("Lindqvist")
    study = served.study("Lindqvist")
    served.page.run("document.querySelector('.patient a[href^=\"#hanging\"]').click()")
    assert served.page.wait_for("location.hash") == f"#hanging={study}"
    served.page.wait_for("document.querySelectorAll('figure.box').length")
    assert served.page.complaints == []


@pytest.mark.parametrize(
    ("ends", "way"),
    [
        (lambda _outbox, _delivery: None, "waits to be sent"),
        (lambda outbox, delivery: outbox.sent(delivery), "sent"),
    ],
)
def test_a_scan_without_a_model_says_where_its_study_goes(
    served: Hospital, ends: object, way: str
) -> None:
    study = served.study("Okafor")
    door = "application-follow-up"
    served.outbox.note([NewDelivery(way, "study", door, "study", study, study, 0, "node AI")])
    delivery = served.outbox.due(door)
    assert delivery is not None
    ends(served.outbox, delivery)  # type: ignore[operator]
    served.open_study("Okafor")
    served.page.wait_for("document.querySelector('.chip') !== null")
    served.page.press("n")
    said = "document.querySelector('.saying')?.innerText"
    served.page.wait_for(f"{said}?.includes('Handed over')")
    assert f"The study goes to follow-up ({way})" in served.page.run(said)
    assert "No model of this site" in served.page.run(said)
    card = served.page.run("document.querySelector('.rail.left').innerText")
    assert f"follow-up, node AI: {way}" in card
    assert served.page.run("(r => r.scrollWidth <= r.clientWidth)(document.querySelector('.left'))")
    served.page.screenshot(OUTPUT / "page-handed-over.png")
