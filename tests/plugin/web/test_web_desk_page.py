# SPDX-License-Identifier: AGPL-3.0-or-later
"""The worklist in a real browser: urgency and its reasons, filters, the plan; all by keyboard."""

from __future__ import annotations

import pytest

from tests.plugin.web.test_web_page import OUTPUT, Hospital, in_a_browser, served

__all__ = ["served"]

pytestmark = in_a_browser


def rows(served: Hospital) -> list[str]:
    names = "[...document.querySelectorAll('tbody .row-link')].map(one => one.textContent)"
    return list(served.page.run(names))


def resize(served: Hospital, width: int, height: int) -> None:
    served.page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=height, deviceScaleFactor=1, mobile=False,
    )  # fmt: skip


def test_the_most_urgent_study_stands_first_and_says_why(served: Hospital) -> None:
    served.open_worklist()
    first = served.page.run("document.querySelector('tbody tr .why').innerText")
    assert "Time-critical" in first
    assert "within 15 min" in first
    assert "Pneumothorax 91 %: a pneumothorax can come under tension" in first


def test_a_study_without_a_result_is_not_rated_and_says_why(served: Hospital) -> None:
    served.open_worklist()
    text = served.page.run(
        "[...document.querySelectorAll('tbody tr')]"
        ".find(row => row.textContent.includes('Novak')).querySelector('.why').innerText"
    )
    assert "Not rated" in text
    assert "gives no opinion" in text
    why = served.page.run(
        "[...document.querySelectorAll('tbody tr')]"
        ".find(row => row.textContent.includes('Garcia')).querySelector('.leading').innerText"
    )
    assert why == "The pixel data is truncated"
    order = rows(served)
    assert order.index("Novak, Petra") < order.index("Abdi, Leyla"), "before those without findings"


@pytest.mark.parametrize("outcome", ["In progress", "Abstained", "Failed"])
def test_every_outcome_is_a_key_away(served: Hospital, outcome: str) -> None:
    served.open_worklist()
    tabs = served.page.run(
        "[...document.querySelectorAll('.tab')].map(tab => tab.firstChild.textContent)"
    )
    served.page.press(str(tabs.index(outcome) + 1))
    served.page.wait_for("document.querySelectorAll('tbody tr').length === 1")
    chip = served.page.run("document.querySelector('tbody .chip').textContent")
    assert chip == outcome
    served.page.press("1")
    served.page.wait_for("document.querySelectorAll('tbody tr').length > 4")


def test_the_urgent_ones_alone_by_one_key(served: Hospital) -> None:
    served.open_worklist()
    everybody = rows(served)
    served.page.press("u")
    served.page.wait_for(f"document.querySelectorAll('tbody tr').length < {len(everybody)}")
    assert rows(served)[0] == "Okafor, Amara"
    assert "Tanaka, Hiroshi" not in rows(served)
    served.page.press("u")
    served.page.wait_for(f"document.querySelectorAll('tbody tr').length === {len(everybody)}")


def test_first_and_last_study_by_key(served: Hospital) -> None:
    served.open_worklist()
    served.page.wait_for("document.activeElement.classList.contains('row-link')")
    served.page.press("End")
    assert served.page.run("document.activeElement.textContent") == rows(served)[-1]
    served.page.press("Home")
    assert served.page.run("document.activeElement.textContent") == rows(served)[0]


def test_why_a_study_ran_opens_by_key_and_closes_again(served: Hospital) -> None:
    served.open_worklist()
    served.page.wait_for("document.activeElement.classList.contains('row-link')")
    served.page.press("w")
    text = served.page.wait_for(
        "document.querySelector('dialog.plan[open] section') &&"
        " document.querySelector('dialog.plan').innerText"
    )
    assert "phantom-chest 1.0.0 is made for CR CHEST PA" in text
    assert "Would not run: no application for CT HEAD" in text
    assert "works on instance, the scan is series" in text or "does not fit" in text
    assert "follow-up" in text
    assert "Matched: current series: 1, prior studies: 0" in text
    assert "Not handed over so far" in text
    served.page.screenshot(OUTPUT / "page-plan.png")
    served.page.press("Escape")
    served.page.wait_for("!document.querySelector('dialog.plan').open")
    served.page.press("j")
    assert served.page.run("document.activeElement.classList.contains('row-link')")
    assert served.page.complaints == []


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080)])
def test_nothing_is_cut_off_at_usual_sizes(served: Hospital, width: int, height: int) -> None:
    resize(served, width, height)
    try:
        served.open_worklist()
        served.page.screenshot(OUTPUT / f"page-worklist-{width}.png")
        wider = served.page.run(
            "[document.documentElement, document.querySelector('.worklist-body')]"
            ".map(one => one.scrollWidth - one.clientWidth)"
        )
        assert max(wider) <= 0
        cut = served.page.run(
            "[...document.querySelectorAll('.reason, .row-link, .urgency')]"
            ".filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth)"
            ".map(one => one.textContent)"
        )
        assert cut == []
    finally:
        resize(served, 1600, 1000)
