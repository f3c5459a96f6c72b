# SPDX-License-Identifier: Apache-2.0
"""From folders and tables to a bundle."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inference.bundles import Bundle, read_bundle
from inference.commissioning.cases import LabelledSet
from inference.commissioning.comparison import Comparison, compare
from inference.commissioning.comparison_page import keep_comparison
from inference.contract import FindingClass
from inference.heatmap.assessment.figures import Figures, assess
from inference.heatmap.assessment.seen import see, seen_of, squares_of
from inference.heatmap.context import Context
from inference.heatmap.datasets.images import SiteSet, find_files, in_volumes, read_site_set
from inference.heatmap.datasets.labelled import SPLITS, LabelTable, Split
from inference.heatmap.datasets.splits import split_by_patient
from inference.heatmap.engine import own_network
from inference.heatmap.evaluation import Operating
from inference.heatmap.familiarity import Familiarity, thumbnails
from inference.heatmap.site.bundle import Naming, SiteModel, digest_of, write_site_bundle
from inference.heatmap.site.operating_points import Known, site_operating_points
from inference.heatmap.site.plan import SitePlan
from inference.heatmap.site.processes import Processes, joined_processes
from inference.heatmap.site.progress import Progress
from inference.heatmap.site.trainer import SiteTrainer
from inference.imported.finding_codes import FindingCodes

CHECKPOINT = "checkpoint.pt"
_SETTING = 3000
"""Validation images that set thresholds, and training images that say what is familiar, at most."""
_FAMILIAR_SHARE = 0.998


@dataclass(frozen=True)
class Material:
    """What to learn from.

    Attributes
    ----------
    table, folder:
        Labels and boxes, and where the images lie.
    codes:
        Of the classes.
    start:
        A bundle whose network, classes and categories are the start.
    """

    table: LabelTable
    folder: Path
    codes: FindingCodes
    start: Bundle | None = None


def train_on_site(
    plan: SitePlan, material: Material, naming: Naming, out: Path, progress: Progress
) -> Figures | None:
    """Read, train until nothing is gained, and write the bundle of the best epoch.

    Squares and the checkpoint are in ``<out>.unfinished`` meanwhile: after a kill the same command
    goes on; a finished run leaves nothing there.

    Returns
    -------
    Figures on the test images; None in all processes but the first.

    Raises
    ------
    DatasetError
        Tables or images can't be used, or a patient is in two splits.
    ModelImportError
        A class has no code.
    OtherPlanError
        An unfinished run beside ``out`` has another plan or other images.
    """
    table, classes = coded_table(material)
    splits = split_by_patient(table, plan.seed)
    unfinished = out.with_name(out.name + ".unfinished")
    with joined_processes() as processes:
        sets = _read(splits, material.folder, plan, unfinished, processes, progress)
        start = None if material.start is None else own_network(material.start)
        trainer = SiteTrainer(plan, sets["training"], sets["validation"], processes, start)
        if (unfinished / CHECKPOINT).exists():
            trainer.resume(unfinished / CHECKPOINT)
            progress.say(f"going on after epoch {trainer.epochs_done}")
        _epochs(trainer, unfinished / CHECKPOINT, progress)
        if not processes.first:
            return None
        figures = _finish(trainer, sets, (material, classes, naming), out)
    shutil.rmtree(unfinished)
    return figures


def coded_table(material: Material) -> tuple[LabelTable, tuple[FindingClass, ...]]:
    """Coded classes, and the table with their keys as names."""
    coded = material.codes.classes(material.table.classes, {})
    table = _renamed(material.table, tuple(one.key for one in coded))
    if material.start is None:
        return table, tuple(coded)
    classes = material.start.manifest.classes
    return _ordered(table, tuple(one.key for one in classes)), classes


def _renamed(table: LabelTable, keys: tuple[str, ...]) -> LabelTable:
    key = dict(zip(table.classes, keys, strict=True))
    images = tuple(
        replace(i, boxes=tuple(b._replace(finding=key[b.finding]) for b in i.boxes))
        for i in table.images
    )
    return LabelTable(keys, images)


def _ordered(table: LabelTable, keys: tuple[str, ...]) -> LabelTable:
    """Columns in the order of ``keys``: one that the table lacks is unknown, others are left."""
    place = {key: index for index, key in enumerate(table.classes)}
    images = tuple(
        replace(
            image,
            labels=tuple(image.labels[place[k]] if k in place else np.nan for k in keys),
            boxes=tuple(box for box in image.boxes if box.finding in keys),
        )
        for image in table.images
    )
    return LabelTable(keys, images)


def _read(
    splits: Mapping[Split, LabelTable],
    folder: Path,
    plan: SitePlan,
    cache: Path,
    processes: Processes,
    progress: Progress,
) -> dict[Split, SiteSet]:
    """Every split's images; the first process reads, the others find the squares made."""
    if not processes.first:
        processes.wait()
    workers = os.cpu_count() or 1
    sets: dict[Split, SiteSet] = {}
    for split in SPLITS:
        table = splits[split]
        find_files(folder, table)
        with progress.reading(split, len(table.images)) as advance:
            alone = read_site_set(
                table, folder, plan.input_size, cache, workers=workers, advance=advance
            )
            sets[split] = in_volumes(alone, folder, plan.slices)
    if processes.first:
        processes.wait()
    return sets


def _epochs(trainer: SiteTrainer, checkpoint: Path, progress: Progress) -> None:
    steps = trainer.steps_per_epoch
    with progress.training(trainer.plan.epochs * steps, trainer.epochs_done * steps) as shown:
        while not trainer.finished:
            epoch = trainer.epoch(shown.step)
            shown.epoch(epoch, trainer.training.table.classes)
            if trainer.processes.first:
                trainer.checkpoint(checkpoint)
            trainer.processes.wait()


def _finish(
    trainer: SiteTrainer,
    sets: Mapping[Split, SiteSet],
    described: tuple[Material, tuple[FindingClass, ...], Naming],
    out: Path,
) -> Figures:
    material, classes, naming = described
    network = trainer.best_network()
    rng = np.random.default_rng(trainer.plan.seed)
    validation = sets["validation"]
    index = _some(len(validation), rng)
    squares = squares_of(validation.images[index])
    seen = seen_of(network, validation, index)
    earlier = None if material.start is None else _earlier(material.start)
    operating, correlations = site_operating_points(
        tuple(one.key for one in classes),
        seen.pooled,
        seen.maps[0],
        Known(
            validation.labels[index],
            validation.truth(index.tolist(), network.architecture.grids[0]),
        ),
        earlier,
        correlated=trainer.plan.correlations,
    )
    training_set, some = sets["training"], _some(len(sets["training"]), rng)
    known = seen_of(network, training_set, some).features
    familiarity = Familiarity.fit(known, thumbnails(squares_of(training_set.images[some])))
    limits = familiarity.limits(seen.features, thumbnails(squares), _FAMILIAR_SHARE)
    model = SiteModel(network, classes, operating, familiarity, limits, correlations)
    figures = assess(see(network, sets["test"], operating, correlations), operating)
    training = {
        **trainer.plan.model_dump(mode="json"),
        "epochs_done": trainer.epochs_done,
        "images": {split: len(data) for split, data in sets.items()},
        "digest": digest_of(sets["training"]),
        "started_from": None if material.start is None else material.start.digest,
    }
    write_site_bundle(out, naming, model, training, figures)
    if material.start is not None:
        made = read_bundle(out)
        keep_comparison(compare_on(material.start, made, sets["test"]), made)
    return figures


def compare_on(old: Bundle, new: Bundle, held_out: SiteSet) -> Comparison:
    """The version that was the start, and the new one, on held-out images; some of many.

    Raises
    ------
    LabelledSetError
        The images label none of their classes.
    """
    index = _some(len(held_out), np.random.default_rng(1))
    needed, places = np.unique(held_out.neighbours[index], return_inverse=True)
    a = new.manifest.heatmap.architecture
    truth = held_out.truth(index.tolist(), a.grids[0])
    boxed = held_out.boxed(index.tolist())
    keys = held_out.table.classes
    data = LabelledSet(
        images=squares_of(held_out.images[needed]),
        labels={key: held_out.labels[index, column] for column, key in enumerate(keys)},
        truth={
            key: {int(n): truth[n, column] for n in np.flatnonzero(boxed[:, column])}
            for column, key in enumerate(keys)
        },
        context=Context(places.reshape(-1, held_out.neighbours.shape[1]), held_out.persons(index)),
    )
    return compare(old, new, data, data)


def _some(count: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.sort(rng.permutation(count)[:_SETTING])


def _earlier(bundle: Bundle) -> dict[str, Operating]:
    calibration = bundle.manifest.heatmap.calibration
    return {
        one.key: Operating(calibration[one.key], one.threshold, one.patch_threshold)
        for one in bundle.manifest.classes
    }


def naming_for(bundle: Bundle | None, name: str | None) -> Naming:
    """Name and version of what is trained: the start's next version, or a first one."""
    if bundle is None:
        return Naming(name or "site-model")
    m = bundle.manifest
    naming = Naming(name or m.name, m.version, m.title, m.categories, m.works_on)
    return naming.next_version
