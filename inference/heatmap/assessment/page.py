# SPDX-License-Identifier: Apache-2.0
"""The figures of a model as one HTML page that needs nothing but the pictures beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from inference.heatmap.assessment.figures import IOBB_THRESHOLDS, Figures, SiteFigures

_HEADS = (
    "class", "positives / known", "AUC (95 %)", "AP", "sens. / spec.", "ECE",
    "places", "pointing", "DICE", "map mean / true area", "r",
    *(f"IoBB &gt; {threshold:g}" for threshold in IOBB_THRESHOLDS),
)  # fmt: skip


def page(title: str, digest: str, figures: Figures, plots: Mapping[str, str]) -> str:
    """HTML of an evaluation.

    Parameters
    ----------
    title, digest:
        Of the bundle.
    figures:
        Measured.
    plots:
        What each picture shows, by file name.
    """
    rows = "\n".join(_row(key, found) for key, found in figures.classes.items())
    pictures = "\n".join(
        f'<figure><img src="{escape(name)}" alt="{escape(words)}"></figure>'
        for name, words in plots.items()
    )
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    places = "" if figures.dice_mean is not None else f"<p class=warning>{_NO_PLACES}</p>"
    return _PAGE.format(
        title=escape(title),
        digest=escape(digest[:16]),
        images=figures.images,
        auc=_number(figures.auc_mean),
        ece=_number(figures.ece_mean),
        pointing=_number(figures.pointing_mean),
        dice=_number(figures.dice_mean),
        places=places,
        heads=heads,
        rows=rows,
        pictures=pictures,
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _row(key: str, f: SiteFigures) -> str:
    low, high = (_number(value) for value in f.auc_interval)
    cells = [
        f"{f.positives} / {f.known}",
        f"{_number(f.auc)} ({low} to {high})",
        _number(f.average_precision),
        f"{_number(f.sensitivity, 2)} / {_number(f.specificity, 2)}",
        _number(f.calibration_error),
    ]
    if f.places is None:
        cells += ["0", *["–"] * (len(_HEADS) - 7)]
    else:
        p = f.places
        cells += [
            str(p.findings),
            _number(p.pointing, 2),
            _number(p.dice, 2),
            f"{100 * p.map_mean:.1f} % / {100 * p.true_area:.1f} %",
            _number(p.area_correlation, 2),
            *(_number(rate, 2) for rate in p.iobb.values()),
        ]
    return f'<tr><th scope="row">{escape(key)}</th>' + "".join(f"<td>{c}</td>" for c in cells)


_NO_PLACES = (
    "No test image says where its findings are: where the model looks was not measured, and AUC "
    "alone passes no model."
)

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}: evaluation</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #1c1c1c; background: #fff }}
.scroll {{ overflow-x: auto }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
th, td {{ border-bottom: 1px solid #ccc; padding: .3rem .6rem }}
th, td {{ text-align: right; white-space: nowrap }}
th:first-child {{ text-align: left }}
.pictures {{ display: flex; flex-wrap: wrap }}
figure {{ margin: 1rem 1rem 0 0; width: 38rem; max-width: 100% }}
img {{ max-width: 100% }}
.warning {{ background: #fff3cd; padding: .6rem }}
</style>
<h1>{title}</h1>
<p>Bundle {digest}…, {images} test images. Mean AUC {auc}, ECE {ece}, pointing game {pointing},
continuous DICE {dice}.</p>
{places}
<div class="scroll"><table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
<p>AUC: area under the ROC curve with DeLong's interval (of an area of exactly 1, by
the rule of three). AP: average precision. ECE: expected
calibration error over ten bins. Places: present findings whose place is known. Pointing: the
highest patch lies on the finding. IoBB: share of the detection's bounding box that the finding
covers. r: correlation of mean patch probability and true area. Unknown labels count nowhere.</p>
<div class="pictures">
{pictures}
</div>
</html>
"""
