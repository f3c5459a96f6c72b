# SPDX-License-Identifier: Apache-2.0
"""The report page of a training, and the model card."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from inference.anatomy.regions import format_regions
from inference.anatomy.training.assessment import Assessment, Criteria
from inference.anatomy.training.figures import coverage_at, coverage_curve, interval
from inference.anatomy.training.general import (
    GeneralFigures,
    general_shortfalls,
    shipped_general_figures,
)
from inference.anatomy.training.shown_words import shown

_WORST = 25
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 2rem}th,td{padding:.25rem .75rem;text-align:left;
border-bottom:1px solid #ddd}td.n{text-align:right;font-variant-numeric:tabular-nums}
.fit{color:#17692b}.unfit{color:#a11}svg{background:#fafafa;border:1px solid #ddd}
"""


def page(
    found: Assessment,
    described: dict[str, Any],
    criteria: Criteria,
    general: GeneralFigures,
    *,
    deidentified: bool = False,
) -> str:
    """The report as one HTML page without scripts or outside parts.

    :param general: how the model answers the headers of this package.
    :param deidentified: whether every word of the worst headers may be shown; else words that the
        lexicon does not know are dots.
    """
    reasons = found.shortfalls(criteria) + general_shortfalls(general)
    verdict = (
        '<p class="fit">Fit for use.</p>'
        if not reasons
        else f'<p class="unfit">Not fit for use: {escape("; ".join(reasons))}.</p>'
    )
    parts = [
        f"<h1>Anatomy model: {escape(str(described.get('family', 'unknown')))}</h1>",
        verdict,
        f"<p>{_summary(found)}</p>",
        f"<p>{_generally(general)}</p>",
        "<h2>Regions</h2>",
        _table(
            ("region", "headers", "recall", "95 % interval", "precision", "95 % interval"),
            [
                (
                    name,
                    str(f.headers),
                    _share(f.recall),
                    _range(f.both, f.headers),
                    _share(f.precision),
                    _range(f.both, f.answered),
                )
                for name, f in found.regions.items()
            ],
        ),
        "<h2>Calibration</h2>",
        _curve(found),
        "<h2>Coverage and accuracy</h2>",
        _coverage(found),
        "<h2>Confusion</h2>",
        _table(
            ("right", "answered", "times"),
            [(meant, said, str(count)) for meant, said, count in found.confusion],
        ),
        "<h2>Worst headers</h2>",
        _worst(found, deidentified=deidentified),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Anatomy model</title>'
        f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _summary(found: Assessment) -> str:
    return (
        f"{found.exact:.1%} of {len(found.outcomes)} held-out headers exactly right; expected "
        f"calibration error {found.calibration_error:.3f}. Every group counting alike, by which "
        f"the model is judged: {found.exact_by_group:.1%} and "
        f"{found.calibration_error_by_group:.3f}."
    )


def _generally(general: GeneralFigures) -> str:
    return (
        f"General headers, one of each imaginary department ({general.headers}): "
        f"{general.in_words}; the shipped model: {shipped_general_figures().in_words}."
    )


def model_card(found: Assessment, described: dict[str, Any], general: GeneralFigures) -> str:
    """What the model is for, what it was made of and how good it is, as Markdown."""
    groups = described.get("groups") or ["groups that are not named here"]
    general_too = described.get("general_headers")
    beside = [f"- Beside them {general_too} general headers of this package taught."]
    return "\n".join(
        [
            f"# Anatomy from metadata: {described.get('family')}",
            "",
            "Answers which of ten body regions a series shows, from its tags, with a confidence.",
            "Not a medical device; it chooses which models run and how images are sorted.",
            "",
            f"- Trained on {described.get('headers')} distinct headers of: {', '.join(groups)}.",
            *(beside if general_too else []),
            f"- Lexicon SHA-256 `{described.get('lexicon')}`.",
            f"- Held out, by group: {_summary(found)}",
            f"- {_generally(general)}",
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


def _range(right: int, of: int) -> str:
    return "–".join(f"{end:.3f}" for end in interval(right, of)) if of else "none"


def _coverage(found: Assessment) -> str:
    """Share right (up) against share answered (across), from the surest header on."""
    points = coverage_curve(found)
    low = min(0.5, *(one.accuracy for one in points))
    line = " ".join(
        f"{30 + 200 * one.coverage:.1f},{220 - 200 * (one.accuracy - low) / (1 - low + 1e-9):.1f}"
        for one in points
    )
    return (
        '<svg width="260" height="250" role="img" aria-label="share right against share answered">'
        '<path d="M30 20V220H230" fill="none" stroke="#999"/>'
        f'<polyline points="{line}" fill="none" stroke="#2457a6" stroke-width="2"/>'
        f'<text x="2" y="24" font-size="11">1.0</text><text x="2" y="220" font-size="11">{low:.1f}'
        '</text><text x="70" y="243" font-size="12">share answered</text>'
        '<text x="-150" y="26" font-size="12" transform="rotate(-90)">share right</text></svg>'
        f"<p>{coverage_at(points, 0.97):.1%} can be answered at 0.97 right.</p>"
    )


def _worst(found: Assessment, *, deidentified: bool) -> str:
    wrong = sorted((one for one in found.outcomes if not one.right), key=lambda o: -o.confidence)
    rows = [
        (
            shown(one.example.values, deidentified=deidentified),
            "/".join(sorted(format_regions(right) for right in one.example.right)),
            format_regions(one.answer) or "nothing",
            f"{one.confidence:.2f}",
        )
        for one in wrong[:_WORST]
    ]
    return _table(("header", "right", "answered", "confidence"), rows)
