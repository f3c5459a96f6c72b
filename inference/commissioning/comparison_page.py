# SPDX-License-Identifier: Apache-2.0
"""A comparison as one HTML page that needs nothing else."""

from __future__ import annotations

from html import escape

from inference.bundles import Bundle
from inference.commissioning.comparison import Comparison, Difference
from inference.commissioning.figures import ClassFigures, Figures
from inference.contract import FindingClass
from inference.manifest import COMPARISON, COMPARISON_PAGE

_STYLE = """
:root{color-scheme:light dark;--line:#8885;--better:#1a7f4b;--worse:#c0362c;--quiet:#777}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:68rem;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p.note{color:var(--quiet);max-width:48rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}thead th{font-weight:600;vertical-align:bottom}
.better{color:var(--better)}.worse{color:var(--worse)}.alike{color:var(--quiet)}
svg{display:block;margin-left:auto}code{font-size:.9em}
"""

_HALF = 60
_FULL_SCALE = 0.1


def comparison_page(comparison: Comparison, classes: tuple[FindingClass, ...]) -> str:
    """The page, as HTML text.

    Parameters
    ----------
    comparison:
        What to show.
    classes:
        Of the new version, for their names.
    """
    names = {c.key: c.name for c in classes}
    old, new = comparison.old, comparison.new
    title = f"{new.name}: {new.version} against {old.version}"
    rows = "".join(
        _row(names.get(k, k), old.figures.classes[k], new.figures.classes[k], difference)
        for k, difference in comparison.differences.items()
    )
    missing = _missing(comparison, names)
    promote = escape(f"sidelight models promote {new.name} {new.version}")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p class="note">{comparison.images} held-out images. A class is better or worse where the 95&nbsp;%
interval of the difference in AUC leaves out zero. Mended and broken count images on which only the
new, only the old version is right.</p>
<h2>As a whole</h2>
<table><thead><tr><th>figure</th><th>{escape(old.version)}</th><th>{escape(new.version)}</th>
</tr></thead><tbody>{_overall(old.figures, new.figures)}</tbody></table>
<h2>By class</h2>
<table><thead><tr><th>class</th><th>n</th><th>AUC<br>{escape(old.version)}</th>
<th>AUC<br>{escape(new.version)}</th><th>difference<br>(95&nbsp;%)</th><th></th>
<th>pointing</th><th>ECE</th><th>mended</th><th>broken</th></tr></thead>
<tbody>{rows}</tbody></table>
{missing}
<p class="note">Digests: <code>{old.digest[:16]}</code> (old), <code>{new.digest[:16]}</code>
(new). Promote with <code>{promote}</code>, or say no with <code>reject</code>.</p>
</body></html>
"""


def keep_comparison(comparison: Comparison, new: Bundle) -> None:
    """Keep a comparison beside the new bundle, as figures and as a page."""
    text = comparison.model_dump_json(indent=2) + "\n"
    (new.folder / COMPARISON).write_text(text, encoding="utf-8")
    made = comparison_page(comparison, new.manifest.classes)
    (new.folder / COMPARISON_PAGE).write_text(made, encoding="utf-8")


def _overall(old: Figures, new: Figures) -> str:
    lines = (
        ("AUC, mean of classes", old.auc, new.auc, 3),
        ("pointing game", old.pointing, new.pointing, 3),
        ("expected calibration error", old.calibration_error, new.calibration_error, 3),
        ("milliseconds per image", old.milliseconds, new.milliseconds, 1),
    )
    return "".join(
        f"<tr><td>{name}</td><td>{_number(a, digits)}</td><td>{_number(b, digits)}</td></tr>"
        for name, a, b, digits in lines
    )


def _row(name: str, old: ClassFigures, new: ClassFigures, difference: Difference) -> str:
    interval = "–"
    if difference.auc is not None and difference.auc_low is not None:
        interval = f"{difference.auc:+.3f} ({difference.auc_low:+.3f} … {difference.auc_high:+.3f})"
    cells = (
        str(new.positives),
        _number(old.auc, 3),
        _number(new.auc, 3),
        f'<span class="{difference.verdict}">{interval}</span>',
        _bar(difference),
        f"{_number(old.pointing, 2)} → {_number(new.pointing, 2)}",
        f"{_number(old.calibration_error, 3)} → {_number(new.calibration_error, 3)}",
        str(difference.mended),
        str(difference.broken),
    )
    return f"<tr><td>{escape(name)}</td>{''.join(f'<td>{c}</td>' for c in cells)}</tr>"


def _bar(difference: Difference) -> str:
    """The interval around zero, up to a tenth of AUC either way."""
    if difference.auc is None or difference.auc_low is None or difference.auc_high is None:
        return ""
    low, middle, high = (
        _HALF + (_HALF - 5) * max(-1.0, min(1.0, value / _FULL_SCALE))
        for value in (difference.auc_low, difference.auc, difference.auc_high)
    )
    return (
        f'<svg class="{difference.verdict}" width="{2 * _HALF}" height="16" role="img" '
        f'aria-label="difference of AUC"><path d="M{_HALF} 0V16" stroke="var(--line)"/>'
        f'<path d="M{low:.1f} 8H{high:.1f}" stroke="currentColor" stroke-width="2"/>'
        f'<circle cx="{middle:.1f}" cy="8" r="4" fill="currentColor"/></svg>'
    )


def _missing(comparison: Comparison, names: dict[str, str]) -> str:
    parts = [
        f"Only {which} looks for {', '.join(escape(names.get(k, k)) for k in keys)}."
        for which, keys in (
            (comparison.old.version, comparison.only_old),
            (comparison.new.version, comparison.only_new),
        )
        if keys
    ]
    return f"<p>{' '.join(parts)}</p>" if parts else ""


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
