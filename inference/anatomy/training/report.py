# SPDX-License-Identifier: Apache-2.0
"""The report page of a training, and the model card."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from inference.anatomy.regions import format_regions
from inference.anatomy.training.assessment import Assessment, Criteria

_WORST = 25
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 2rem}th,td{padding:.25rem .75rem;text-align:left;
border-bottom:1px solid #ddd}td.n{text-align:right;font-variant-numeric:tabular-nums}
.fit{color:#17692b}.unfit{color:#a11}svg{background:#fafafa;border:1px solid #ddd}
"""


def page(found: Assessment, described: dict[str, Any], criteria: Criteria) -> str:
    """The report as one HTML page without scripts or outside parts.

    It shows descriptions of held-out headers: it belongs where the headers came from.
    """
    reasons = found.shortfalls(criteria)
    verdict = (
        '<p class="fit">Fit for use.</p>'
        if not reasons
        else f'<p class="unfit">Not fit for use: {escape("; ".join(reasons))}.</p>'
    )
    parts = [
        f"<h1>Anatomy model: {escape(str(described.get('family', 'unknown')))}</h1>",
        verdict,
        f"<p>{_summary(found)}</p>",
        "<h2>Regions</h2>",
        _table(
            ("region", "headers", "recall", "precision"),
            [
                (name, str(f.headers), _share(f.recall), _share(f.precision))
                for name, f in found.regions.items()
            ],
        ),
        "<h2>Calibration</h2>",
        _curve(found),
        "<h2>Confusion</h2>",
        _table(
            ("right", "answered", "times"),
            [(meant, said, str(count)) for meant, said, count in found.confusion],
        ),
        "<h2>Worst headers</h2>",
        _worst(found),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Anatomy model</title>'
        f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _summary(found: Assessment) -> str:
    return (
        f"{found.exact:.1%} of {len(found.outcomes)} held-out headers exactly right; expected "
        f"calibration error {found.calibration_error:.3f}."
    )


def model_card(found: Assessment, described: dict[str, Any]) -> str:
    """What the model is for, what it was made of and how good it is, as Markdown."""
    groups = described.get("groups") or ["(too many to list)"]
    return "\n".join(
        [
            f"# Anatomy from metadata: {described.get('family')}",
            "",
            "Answers which of ten body regions a series shows, from its tags, with a confidence.",
            "Not a medical device; it chooses which models run and how images are sorted.",
            "",
            f"- Trained on {described.get('headers')} distinct headers of: {', '.join(groups)}.",
            f"- Lexicon SHA-256 `{described.get('lexicon')}`.",
            f"- Held out, by group: {_summary(found)}",
            "- Weak where text names no anatomy and the sequence names are new; on animals; on",
            "  languages that the lexicon has not.",
            "",
        ]
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return "<p>None.</p>"
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = [
        "<tr>" + "".join(f"<td{_kind(value)}>{escape(value)}</td>" for value in row) + "</tr>"
        for row in rows
    ]
    return f"<table><tr>{cells}</tr>{''.join(lines)}</table>"


def _kind(value: str) -> str:
    return ' class="n"' if value[:1].isdigit() else ""


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _curve(found: Assessment) -> str:
    dots = "".join(
        f'<circle cx="{20 + 200 * sure:.1f}" cy="{220 - 200 * right:.1f}" '
        f'r="{2 + 10 * (count / len(found.outcomes)) ** 0.5:.1f}" fill="#2457a6" fill-opacity=".7">'
        f"<title>{count} headers: confidence {sure:.2f}, right {right:.2f}</title></circle>"
        for sure, right, count in found.bins
    )
    return (
        '<svg width="260" height="250" role="img" aria-label="share right against confidence">'
        '<line x1="20" y1="220" x2="220" y2="20" stroke="#999"/>'
        f'{dots}<text x="60" y="243" font-size="12">confidence</text>'
        '<text x="-150" y="14" font-size="12" transform="rotate(-90)">share right</text></svg>'
    )


def _worst(found: Assessment) -> str:
    wrong = sorted((one for one in found.outcomes if not one.right), key=lambda o: -o.confidence)
    rows = [
        (
            " | ".join(str(value) for value in one.example.values.values() if value),
            "/".join(sorted(format_regions(right) for right in one.example.right)),
            format_regions(one.answer) or "nothing",
            f"{one.confidence:.2f}",
        )
        for one in wrong[:_WORST]
    ]
    return _table(("header", "right", "answered", "confidence"), rows)
