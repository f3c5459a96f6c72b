# SPDX-License-Identifier: Apache-2.0
"""``dciodvfy_errors``, ``dcmpschk_errors``, ``sr_template_errors``, ``rerun_new_instances`` and
``objects_ms_2048``: objects of every kind, outcome and scan before validators, and their time.

A validator that isn't installed leaves its figure out.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import httpx
import pydicom

from benchmarks.conformance_samples import Sample, analysed, answer, judged, model, samples
from benchmarks.report import say
from benchmarks.scans import c_store, chest_phantoms
from inference.contract import Outcome
from plugin.demo.server import OrthancServer
from plugin.results import ResultObject, ResultOptions, build, build_scan
from plugin.results.external_validators import PIXELMED, external_errors, is_installed
from plugin.results.objects import AdditionalKind, Validator
from plugin.results.viewer_profiles import ProfileName

EVERY_KIND: tuple[AdditionalKind, ...] = get_args(AdditionalKind)
PROFILES: tuple[ProfileName, ...] = get_args(ProfileName)
JUDGEMENTS = (Outcome.FINDINGS, Outcome.NO_FINDINGS)
ROUNDS = 25
JAVA = Path(__file__).with_name("ValidateReports.java")
_LIMITS = [f"-Djdk.xml.xpath{what}=0" for what in ("ExprOpLimit", "TotalOpLimit", "ExprGrpLimit")]


def measure(
    folder: Path, *, quick: bool, figures: dict[str, float], details: dict[str, object]
) -> None:
    """Fill in the figures."""
    left_out: dict[str, str] = {}
    scans = samples(folder, quick=quick, left_out=left_out)
    details["samples"] = [sample.name for sample in scans]
    details["left_out"] = left_out
    figures["objects_ms_2048"] = _milliseconds(folder, details)
    _validate(folder, scans, figures, details, quick=quick)
    figures["rerun_new_instances"] = _rerun(folder)


def _milliseconds(folder: Path, details: dict[str, object]) -> float:
    """SEG, SR and PR of one image, from the answer to the bytes that are stored."""
    (path,) = chest_phantoms(folder / "large", 1, 2048, 6)
    header = pydicom.dcmread(path, stop_before_pixels=True)
    image = judged(header, present=True)
    taken, worked = [], []
    for _ in range(ROUNDS):
        start, busy = time.perf_counter(), time.process_time()
        made = build(header, model(), answer(Outcome.FINDINGS, (image,)), image, ResultOptions())
        for one in made:
            one.to_bytes()
        taken.append(1000 * (time.perf_counter() - start))
        worked.append(1000 * (time.process_time() - busy))
    details["objects_ms_2048_all"] = [round(value, 1) for value in taken]
    # On a machine that does other things too, the processor's time says more than the clock.
    details["objects_ms_2048_processor"] = round(statistics.median(worked[5:]), 1)
    # The first rounds load and cache.
    return round(statistics.median(taken[5:]), 1)


def _validate(
    folder: Path,
    scans: Sequence[Sample],
    figures: dict[str, float],
    details: dict[str, object],
    *,
    quick: bool,
) -> None:
    checked: Counter[str] = Counter()
    errors: dict[str, list[str]] = {"dciodvfy": [], "dcmpschk": []}
    tools: list[Validator] = [name for name in ("dciodvfy", "dcmpschk") if is_installed(name)]
    reports: list[Path] = []
    with ThreadPoolExecutor(2) as pool:
        for name, made in _all_objects(scans):
            verdicts = pool.map(lambda one: external_errors(one, tools), made)
            for one, found in zip(made, verdicts, strict=True):
                checked[one.kind] += 1
                for error in found:
                    errors[error.split(":", 1)[0]].append(f"{name}, {one.kind}: {error}")
            if not quick or name.startswith(f"{scans[0].name},"):
                reports += _write_reports(folder, name, made)
    for tool in tools:
        figures[f"{tool}_errors"] = len(errors[tool])
        details[f"{tool}_first_errors"] = errors[tool][:10]
        say(f"{tool}: {len(errors[tool])} errors in {sum(checked.values())} objects")
    details["objects_checked"] = dict(checked)
    if is_installed("pixelmed"):
        _templates(_distinct(reports, 4 if quick else 48), figures, details)


def _all_objects(scans: Sequence[Sample]) -> Iterator[tuple[str, list[ResultObject]]]:
    """Name and objects: every outcome of every scan, and every profile of the first one."""
    for number, sample in enumerate(scans):
        for profile in PROFILES if number == 0 else PROFILES[:1]:
            for outcome in Outcome:
                if outcome in JUDGEMENTS and not sample.header.get("Rows"):
                    continue  # a header without an image can only be refused or fail
                options = ResultOptions(additional=EVERY_KIND, viewer_profile=profile)
                images = analysed(sample, outcome)
                judgements = tuple(one.analysis for one in images if one.analysis is not None)
                made = build_scan(
                    images, model(), answer(outcome, judgements), options, sample.rendering
                )
                yield f"{sample.name}, {profile}, {outcome}", made


def _write_reports(folder: Path, name: str, made: Sequence[ResultObject]) -> list[Path]:
    paths = []
    for one in made:
        if one.kind == "SR":
            path = folder / f"{name.replace(', ', '+').replace('/', '_')}.dcm"
            path.write_bytes(one.to_bytes())
            paths.append(path)
    return paths


def _distinct(reports: Sequence[Path], most: int) -> list[Path]:
    """All shapes first: every outcome and profile of one scan, then the findings of others.

    PixelMed takes some ten seconds for each report.
    """
    first = reports[0].name.split("+")[0] if reports else ""
    shapes = [path for path in reports if path.name.startswith(first)]
    others = [path for path in reports if path not in shapes and "+findings" in path.name]
    return (shapes + others)[:most]


def _templates(
    reports: Sequence[Path], figures: dict[str, float], details: dict[str, object]
) -> None:
    command = ["java", *_LIMITS, "-cp", str(PIXELMED), str(JAVA), *(str(path) for path in reports)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or done.stdout.count("validation complete") < len(reports):
        details["sr_template_problem"] = done.stderr[-500:] or "no verdict on some reports"
        return
    lines = [line for line in done.stdout.splitlines() if line.startswith("Error")]
    known = [line for line in lines if _newer_than_tables(line)]
    figures["sr_template_errors"] = len(lines) - len(known)
    details["sr_template_reports"] = [path.stem for path in reports]
    details["sr_template_first_errors"] = [line for line in lines if line not in known][:10]
    details["sr_template_newer_than_tables"] = len(known)
    say(f"PixelMed: {figures['sr_template_errors']} errors in {len(reports)} reports")


def _newer_than_tables(line: str) -> bool:
    """(43468-8, LN) joined CID 100 after Debian's PixelMed of 2022; pydicom's tables have it."""
    return "43468-8" in line and "not found in context group 100" in line


def _rerun(folder: Path) -> int:
    """New instances in a real Orthanc when a study is analysed a second time."""
    files = chest_phantoms(folder / "rerun", 6, 512, 77)
    configuration = {"Sidelight": {"Results": {"Additional": list(EVERY_KIND)}}}
    with OrthancServer(folder / "rerun-orthanc", configuration) as server:
        server.wait_ready(300.0)
        c_store(server.dicom_port, files)
        studies = _finished(server, len(files))
        before = _instances(server)
        newest = server.client.get("/changes?last").json()["Last"]
        times = {one: _finished_at(server, one) for one in studies}
        for study in studies:
            server.client.post(f"/studies/{study}/sidelight/analyse").raise_for_status()
        for study in studies:
            _finished_after(server, study, times[study])
        changes = server.client.get(f"/changes?since={newest}&limit=5000").json()["Changes"]
        new = [one for one in changes if one["ChangeType"] == "NewInstance"]
        say(f"{before} instances before, {_instances(server)} after, {len(new)} new")
        return max(len(new), _instances(server) - before)


def _finished(server: OrthancServer, count: int) -> list[str]:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        studies: list[str] = server.client.get("/studies").json()
        done = [study for study in studies if _finished_at(server, study)]
        if len(done) >= count:
            return done
        time.sleep(0.3)
    raise RuntimeError("the analyses did not end within three minutes")


def _finished_after(server: OrthancServer, study: str, before: str) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if _finished_at(server, study) > before:
            return
        time.sleep(0.3)
    raise RuntimeError("the second analysis did not end within three minutes")


def _finished_at(server: OrthancServer, study: str) -> str:
    reply = server.client.get(f"/studies/{study}/sidelight")
    if reply.status_code != httpx.codes.OK:
        return ""
    scans = reply.json()["scans"]
    return min((str(scan["finished_at"]) for scan in scans), default="")


def _instances(server: OrthancServer) -> int:
    return int(server.client.get("/statistics").json()["CountInstances"])
