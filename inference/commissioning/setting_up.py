# SPDX-License-Identifier: Apache-2.0
"""Set a bundle up with labelled images: calibration, thresholds, what is usual, and criteria.

What is written is a bundle of its own, with its own digest. Its recorded answers are taken anew.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from inference.bundles import Bundle, BundleError, commission, read_bundle
from inference.commissioning.acceptance import examine
from inference.commissioning.cases import LabelledSet
from inference.commissioning.criteria import Criteria
from inference.commissioning.shift import bins_of
from inference.contract import FindingClass
from inference.heatmap.calibration import Calibration, fit_calibration
from inference.heatmap.engine import FAMILIARITY_PREFIX, Prediction
from inference.heatmap.familiarity import Familiarity, FamiliarityLimits
from inference.heatmap.metrics import best_patch_threshold, best_threshold
from inference.imported.structure import small_images
from inference.manifest import (
    CARD,
    COMPARISON,
    COMPARISON_PAGE,
    MANIFEST,
    WEIGHTS,
    BundleManifest,
    Commissioning,
    CommissioningCase,
    write_manifest,
)
from inference.trust import SIGNATURE

LEAST_PER_KIND = 5
_BESIDE = (COMPARISON, COMPARISON_PAGE)
LEAST_FOR_FAMILIARITY = 60

_PASSING = 0.998
# Held-out images lie farther than those that the distance was fitted to.
_MARGIN = 1.25


@dataclass(frozen=True)
class SetUp:
    """A bundle after it was set up.

    Attributes
    ----------
    bundle:
        As written.
    calibrated:
        Keys of the classes that had enough labels of both kinds.
    familiar:
        Whether it abstains from images unlike those it was set up with.
    """

    bundle: Bundle
    calibrated: tuple[str, ...]
    familiar: bool


def calibrate(bundle: Bundle, data: LabelledSet, out: Path, version: str = "") -> SetUp:
    """Fit calibration, thresholds, deciles and, for an imported bundle, familiarity.

    Parameters
    ----------
    bundle:
        What to set up; it is not changed unless ``out`` is its folder.
    data:
        Images of the site; a class is calibrated if at least ``LEAST_PER_KIND`` images show it and
        as many do not. Familiarity needs ``LEAST_FOR_FAMILIARITY`` images.
    out:
        Folder of the bundle that is written.
    version:
        Of it; empty: the same.

    Raises
    ------
    BundleError
        The bundle that was made does not pass; nothing is written then.
    """
    seen = bundle.engine.predict(data.images)
    fitted, classes, calibrated = _fitted(bundle.manifest, data, seen)
    manifest = _changed(
        _with_calibration(bundle.manifest, fitted, classes),
        reference=_reference(bundle.engine.keys, _calibrated(fitted, bundle, seen.pooled)),
        version=version or bundle.manifest.version,
    )
    tensors, limits = _familiarity(bundle, data.images, seen.features)
    if limits is not None:
        manifest = _with_limits(manifest, limits)
    made = _Writing(bundle, out).write(manifest, tensors)
    return SetUp(made, calibrated, limits is not None)


def _fitted(
    manifest: BundleManifest, data: LabelledSet, seen: Prediction
) -> tuple[dict[str, Calibration], tuple[FindingClass, ...], tuple[str, ...]]:
    """Calibrations and classes, fitted where labels suffice, and the keys of those fitted."""
    fitted = dict(manifest.calibration)
    classes, calibrated = [], []
    for index, described in enumerate(manifest.classes):
        given = data.labels.get(described.key, np.full(len(data), np.nan, np.float32))
        known = np.isfinite(given)
        labels = given[known] > 0.5
        if min(labels.sum(), (~labels).sum()) < LEAST_PER_KIND:
            classes.append(described)
            continue
        calibrated.append(described.key)
        pooled = seen.pooled[known, index]
        fitted[described.key] = fit_calibration(pooled, labels)
        maps = [(seen.maps[0][n, index], t) for n, t in data.truth.get(described.key, {}).items()]
        classes.append(_thresholds(described, fitted[described.key].apply(pooled), labels, maps))
    return fitted, tuple(classes), tuple(calibrated)


def record_reference(bundle: Bundle, images: NDArray[np.float32], out: Path) -> Bundle:
    """Record the deciles of a bundle's probabilities on usual images, and nothing else.

    Raises
    ------
    BundleError
        The bundle does not pass.
    """
    engine = bundle.engine
    reference = _reference(engine.keys, engine.probabilities(engine.predict(images).pooled))
    return _Writing(bundle, out).write(_changed(bundle.manifest, reference=reference), {})


def set_criteria(bundle: Bundle, criteria: Criteria, out: Path) -> Bundle:
    """Give a bundle criteria, if it meets them.

    Raises
    ------
    BundleError
        It does not meet them itself.
    """
    verdict = examine(bundle, criteria)
    if verdict.failures:
        raise BundleError(f"it does not meet them itself: {'; '.join(verdict.failures)}")
    return _Writing(bundle, out).write(_changed(bundle.manifest, criteria=criteria), {})


def add_version(bundle: Bundle, directory: Path, version: str = "") -> Bundle:
    """Put a bundle beside the other versions of its model, as ``directory/NAME/VERSION``.

    It keeps its signature unless it gets another version.

    Raises
    ------
    FileExistsError
        This version is there already.
    BundleError
        It does not pass.
    """
    manifest = _changed(bundle.manifest, version=version or bundle.manifest.version)
    out = directory / manifest.name / manifest.version
    if out.exists():
        raise FileExistsError(f"{manifest.name} {manifest.version} is there already")
    commission(bundle)
    same = manifest == bundle.manifest
    aside = out.parent / f".{out.name}.part"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for name in (*manifest.files, CARD, *_BESIDE, *((MANIFEST, SIGNATURE) if same else ())):
        if (bundle.folder / name).exists():
            shutil.copy2(bundle.folder / name, aside / name)
    if not same:
        write_manifest(aside, manifest)
    aside.replace(out)
    return read_bundle(out)


class _Writing:
    """Writes a changed bundle, aside first."""

    def __init__(self, bundle: Bundle, out: Path) -> None:
        self._bundle = bundle
        self._out = out

    def write(self, manifest: BundleManifest, tensors: dict[str, torch.Tensor]) -> Bundle:
        """Write with further tensors, take the recorded answers anew, and commission."""
        aside = self._out.absolute().parent / f".{self._out.name}.part"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        try:
            for name in (*manifest.files, CARD):
                if (self._bundle.folder / name).exists():
                    shutil.copy2(self._bundle.folder / name, aside / name)
            if tensors:
                _add_tensors(aside / WEIGHTS, tensors)
            write_manifest(aside, manifest)
            answers = read_bundle(aside).engine.commissioning_answers()
            write_manifest(aside, _with_answers(manifest, answers))
            commission(read_bundle(aside))
            self._put_in_place(aside, manifest)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return read_bundle(self._out)

    def _put_in_place(self, aside: Path, manifest: BundleManifest) -> None:
        """File by file, ``model.json`` last; a signature of what was there no longer holds."""
        self._out.mkdir(parents=True, exist_ok=True)
        (self._out / SIGNATURE).unlink(missing_ok=True)
        for name in (*manifest.files, CARD, MANIFEST):
            if (aside / name).exists():
                (aside / name).replace(self._out / name)


def _thresholds(
    described: FindingClass,
    probabilities: NDArray[np.float32],
    labels: NDArray[np.bool_],
    maps: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> FindingClass:
    update: dict[str, Any] = {"threshold": round(best_threshold(probabilities, labels), 4)}
    if len(maps) >= LEAST_PER_KIND:
        patches, truth = (np.stack(part) for part in zip(*maps, strict=True))
        update["patch_threshold"] = best_patch_threshold(patches, truth)
    return described.model_copy(update=update)


def _calibrated(
    fitted: dict[str, Calibration], bundle: Bundle, pooled: NDArray[np.float32]
) -> NDArray[np.float32]:
    """``(N, C)`` probabilities by new calibrations."""
    columns = [fitted[k].apply(pooled[:, i]) for i, k in enumerate(bundle.engine.keys)]
    return np.stack(columns, axis=1)


def _reference(
    keys: tuple[str, ...], probabilities: NDArray[np.float32]
) -> dict[str, tuple[float, ...]]:
    """Deciles by class; classes whose probabilities are all the same have none."""
    found: dict[str, tuple[float, ...]] = {}
    for index, key in enumerate(keys):
        deciles = np.quantile(probabilities[:, index], np.arange(1, 10) / 10.0)
        rounded = tuple(float(f"{value:.6g}") for value in deciles)
        if bins_of(rounded) is not None:
            found[key] = rounded
    return found


def _familiarity(
    bundle: Bundle, images: NDArray[np.float32], features: NDArray[np.float32]
) -> tuple[dict[str, torch.Tensor], FamiliarityLimits | None]:
    """Of an imported bundle, fitted to one half of the images and limited by the other."""
    if bundle.manifest.imported is None or len(images) < LEAST_FOR_FAMILIARITY:
        return {}, None
    thumbs = small_images(images)
    fitted = Familiarity.fit(features[::2], thumbs[::2])
    limits = fitted.limits(features[1::2], thumbs[1::2], _PASSING)
    wider = {name: round(value * _MARGIN, 4) for name, value in limits.model_dump().items()}
    arrays = fitted.to_arrays().items()
    tensors = {FAMILIARITY_PREFIX + k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays}
    return tensors, FamiliarityLimits(**wider)


def _add_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    together = {**load_file(path), **tensors}
    save_file(together, path)
    path.chmod(0o644)


def _with_calibration(
    manifest: BundleManifest,
    fitted: dict[str, Calibration],
    classes: tuple[FindingClass, ...],
) -> BundleManifest:
    if manifest.imported:
        settings = manifest.imported.model_copy(update={"calibration": fitted})
        return _changed(manifest, imported=settings, classes=classes)
    # Correlations were learned from the old probabilities, and the thresholds leave them out.
    update = {"calibration": fitted, "correlations": None}
    return _changed(manifest, trained=manifest.heatmap.model_copy(update=update), classes=classes)


def _with_limits(manifest: BundleManifest, limits: FamiliarityLimits) -> BundleManifest:
    if manifest.imported is None:
        raise ValueError("only imported bundles get limits afterwards")
    settings = manifest.imported.model_copy(update={"familiarity": limits})
    return _changed(manifest, imported=settings)


def _with_answers(manifest: BundleManifest, answers: list[dict[str, float]]) -> BundleManifest:
    cases = tuple(CommissioningCase(probabilities=answer) for answer in answers)
    tolerance = manifest.commissioning.tolerance
    return _changed(manifest, commissioning=Commissioning(tolerance=tolerance, cases=cases))


def _changed(manifest: BundleManifest, **update: Any) -> BundleManifest:
    """A copy with other parts, checked as a whole."""
    copy = manifest.model_copy(update=update)
    return BundleManifest.model_validate_json(copy.model_dump_json(by_alias=True))
