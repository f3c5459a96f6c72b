# SPDX-License-Identifier: Apache-2.0
"""``ohif_drawn``, ``ohif_hydrated``, ``ohif_page_errors`` and ``geometry_px``: results in OHIF.

Every outcome, and findings in other modalities, in a real browser in front of a real Orthanc, in
the release that Orthanc's OHIF plugin ships and in the newest. Hydration also in Node, by the
adapters of both releases, of every report of every sample.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pydicom

from benchmarks.conformance_samples import Sample, analysed, answer, model, samples
from benchmarks.report import say
from inference.contract import Outcome
from plugin.results import ResultOptions, build_scan
from tests.viewers.archive import ViewerArchive
from tests.viewers.examination import NEAR, Seen, examine
from tests.viewers.hydration import ADAPTERS, hydrate
from tests.viewers.ohif_page import ohif
from tests.viewers.ohif_releases import RELEASES, NotAvailableError
from tests.viewers.studies import modality_studies, outcome_studies


def measure(
    folder: Path, *, quick: bool, figures: dict[str, float], details: dict[str, object]
) -> None:
    """Fill in the figures; where a viewer can't be fetched they stay out, and a detail says why."""
    try:
        seen = _in_browsers(folder, quick=quick)
        made, expected = _in_node(folder, quick=quick, details=details)
    except NotAvailableError as error:
        details["viewers_left_out"] = str(error)
        return
    every = [one for found in seen.values() for one in found]
    expected_in_browser = sum(one.expected for one in every)
    figures["ohif_drawn"] = sum(one.drawn for one in every) / expected_in_browser
    hydrated = made + sum(one.hydrated for one in every)
    figures["ohif_hydrated"] = hydrated / (expected + expected_in_browser)
    figures["ohif_page_errors"] = sum(len(one.errors) for one in every)
    figures["geometry_px"] = round(max(one.worst_px for one in every), 3)
    details["ohif"] = {name: [asdict(one) for one in found] for name, found in seen.items()}


def _in_browsers(folder: Path, *, quick: bool) -> dict[str, list[Seen]]:
    """What was seen of each study in each release; ``quick`` looks at chests in one release."""
    studies = list(outcome_studies(folder / "chests"))
    if not quick:
        studies += modality_studies(folder / "others")
    seen: dict[str, list[Seen]] = {}
    with ViewerArchive(folder / "archive") as archive:
        for study in studies:
            archive.store(study)
        for release in RELEASES[:1] if quick else RELEASES:
            with ohif(release, archive.client, folder / f"profile-{release.version}") as page:
                pictures = folder / "pictures"
                seen[release.version] = [_told(examine(page, study, pictures)) for study in studies]
    return seen


def _told(seen: Seen) -> Seen:
    say(
        f"{seen.study}: {seen.drawn} drawn and {seen.hydrated} hydrated of {seen.expected}, "
        f"{len(seen.errors)} errors, {seen.worst_px:.3f} px"
    )
    return seen


def _in_node(folder: Path, *, quick: bool, details: dict[str, object]) -> tuple[int, int]:
    """Measurements made in their place, and measurements expected, over both adapters."""
    reports = folder / "reports"
    reports.mkdir()
    outlines = dict(_reports(samples(folder / "samples", quick=quick, left_out={}), reports))
    made = 0
    for adapters in ADAPTERS.values():
        measured, complaints = hydrate(reports, adapters)
        details[f"adapters_{adapters}_complaints"] = complaints[:10]
        for name, wanted in outlines.items():
            found = [one.outline for one in measured.get(name, [])]
            made += sum(_is_among(outline, found) for outline in wanted)
    expected = len(ADAPTERS) * sum(len(wanted) for wanted in outlines.values())
    details["adapters_reports"] = len(outlines)
    say(f"{made} of {expected} measurements by the adapters alone")
    return made, expected


def _reports(scans: Sequence[Sample], folder: Path) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Write the report of every outcome of every scan; file name, and the outlines in it."""
    for sample in scans:
        for outcome in Outcome:
            if not sample.header.get("Rows"):
                continue  # nothing can be placed on it: its report is text
            images = analysed(sample, outcome)
            found = tuple(one.analysis for one in images if one.analysis is not None)
            made = build_scan(images, model(), answer(outcome, found), ResultOptions())
            report = next(one for one in made if one.kind == "SR")
            name = f"{sample.name}+{outcome}".replace("/", "_")
            (folder / name).write_bytes(report.to_bytes())
            yield name, _outlines(pydicom.dcmread(io.BytesIO(report.to_bytes())))


def _outlines(report: pydicom.Dataset) -> list[np.ndarray]:
    """Outlines that the groups of a report have, ``(n, 2)`` each."""
    groups = [
        group
        for container in report.ContentSequence
        if container.ConceptNameCodeSequence[0].CodeValue == "126010"
        for group in container.ContentSequence
    ]
    return [
        np.reshape(np.array(item.GraphicData, float), (-1, 2))
        for group in groups
        for item in group.ContentSequence
        if item.ValueType == "SCOORD"
    ]


def _is_among(outline: np.ndarray, found: Sequence[np.ndarray]) -> bool:
    """Whether a measurement has these corners; the tools keep no last corner that is the first."""
    corners = np.array(sorted(map(tuple, outline[:-1])))
    for one in found:
        if len(one) == len(corners):
            same = np.array(sorted(map(tuple, one)))
            if np.abs(same - corners).max() <= NEAR:
                return True
    return False
