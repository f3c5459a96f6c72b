# SPDX-License-Identifier: Apache-2.0
"""Measure a bundle and write ``figures.json``, plots and ``index.html``."""

from __future__ import annotations

from pathlib import Path

from inference.bundles import Bundle, BundleError
from inference.heatmap.assessment.figures import Figures, assess
from inference.heatmap.assessment.page import page
from inference.heatmap.assessment.plots import write_plots
from inference.heatmap.assessment.seen import see
from inference.heatmap.datasets.images import SiteSet
from inference.heatmap.engine import HeatMapEngine
from inference.heatmap.evaluation import Operating
from inference.heatmap.phantom_set import PhantomSet


def write_report(bundle: Bundle, data: SiteSet | PhantomSet, out: Path) -> Figures:
    """Run a bundle on labelled images and write what came of it.

    Raises
    ------
    BundleError
        It is not of Sidelight's own network.
    ImportError
        matplotlib is not installed.
    """
    engine = bundle.engine
    if not isinstance(engine, HeatMapEngine):
        raise BundleError("only bundles of Sidelight's own network are measured here")
    operating = {
        one.key: Operating(engine.settings.calibration[one.key], one.threshold, one.patch_threshold)
        for one in bundle.manifest.classes
    }
    seen = see(engine.network, data, operating, engine.settings.correlations)
    figures = assess(seen, operating)
    out.mkdir(parents=True, exist_ok=True)
    plots = write_plots(figures, seen, out)
    (out / "figures.json").write_text(figures.model_dump_json(indent=2) + "\n", encoding="utf-8")
    text = page(bundle.manifest.title, bundle.digest, figures, plots)
    (out / "index.html").write_text(text, encoding="utf-8")
    return figures
