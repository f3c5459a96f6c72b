# SPDX-License-Identifier: Apache-2.0
"""Figures as pictures: ROC curves, reliability, overlap, and map value against area."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from inference.heatmap.assessment.figures import Figures
from inference.heatmap.assessment.seen import Seen


def write_plots(figures: Figures, seen: Seen, folder: Path) -> dict[str, str]:
    """Write PNG files; returns what each shows, by file name.

    Raises
    ------
    ImportError
        matplotlib is not installed (``sidelight[train]``).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    drawn: list[tuple[str, str, Callable[[Any], None]]] = [
        ("roc.png", "ROC curves", lambda axes: _roc(axes, figures, seen)),
        ("reliability.png", "Reliability after calibration", lambda a: _reliability(a, figures)),
    ]
    if any(found for found in seen.located.values()):
        drawn += [
            (
                "iobb.png",
                "Detections that overlap by more than a share",
                lambda a: _iobb(a, figures),
            ),
            ("area.png", "Mean map value and true area", lambda a: _area(a, seen)),
        ]
    for name, title, draw in drawn:
        figure = Figure(figsize=(6.4, 5.2), dpi=110, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.set_title(title)
        axes.grid(visible=True, alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="small")
        canvas: Any = FigureCanvasAgg(figure)
        canvas.print_png(folder / name)
    return {name: title for name, title, _ in drawn}


def _roc(axes: Any, figures: Figures, seen: Seen) -> None:
    for index, key in enumerate(seen.classes):
        known = np.isfinite(seen.labels[:, index])
        order = np.argsort(-seen.probabilities[known, index], kind="stable")
        hits = seen.labels[known, index][order] == 1.0
        if hits.any() and not hits.all():
            found = np.concatenate([[0.0], np.cumsum(hits) / hits.sum()])
            wrong = np.concatenate([[0.0], np.cumsum(~hits) / (~hits).sum()])
            axes.plot(wrong, found, label=f"{key} ({figures.classes[key].auc:.3f})")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(xlabel="1 - specificity", ylabel="sensitivity")


def _reliability(axes: Any, figures: Figures) -> None:
    for key, found in figures.classes.items():
        points = [(one.probability, one.frequency) for one in found.reliability]
        if points:
            label = f"{key} (ECE {found.calibration_error:.3f})"
            axes.plot(*zip(*points, strict=True), marker="o", label=label)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(xlabel="probability", ylabel="frequency of the finding", xlim=(0, 1), ylim=(0, 1))


def _iobb(axes: Any, figures: Figures) -> None:
    for key, found in figures.classes.items():
        if found.places is not None:
            thresholds = [float(text) for text in found.places.iobb]
            axes.plot(thresholds, list(found.places.iobb.values()), marker="o", label=key)
    axes.set(xlabel="IoBB above", ylabel="share of findings", ylim=(0, 1))


def _area(axes: Any, seen: Seen) -> None:
    for key, located in seen.located.items():
        if located:
            areas = [100.0 * float(one.truth.mean()) for one in located]
            values = [100.0 * float(one.map.mean()) for one in located]
            axes.scatter(areas, values, s=8, alpha=0.6, label=key)
    top = max(*axes.get_xlim(), *axes.get_ylim())
    axes.plot([0, top], [0, top], color="grey", linestyle=":")
    axes.set(xlabel="true area, % of the image", ylabel="mean patch probability, %")
