# SPDX-License-Identifier: Apache-2.0
"""Make a bundle of a model that others trained."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from inference.bundles import Bundle, commission, read_bundle
from inference.contract import FindingClass, RegionName, ScanCategory
from inference.heatmap.calibration import Calibration
from inference.heatmap.engine import COMMISSIONING_IMAGES, NETWORK_PREFIX
from inference.heatmap.pixels import square_values
from inference.imported.engine import ImportedEngine
from inference.imported.errors import ModelImportError
from inference.imported.finding_codes import FindingCodes, Thresholds
from inference.imported.model_card import model_card
from inference.imported.programs import Program, load_program
from inference.imported.settings import (
    PROGRAMS,
    Activation,
    ImportedSettings,
    Maps,
    Normalization,
    Task,
)
from inference.imported.sources import Format, Source, read_source
from inference.manifest import (
    CARD,
    WEIGHTS,
    BundleManifest,
    Commissioning,
    CommissioningCase,
    write_manifest,
)
from inference.phantoms import SeedRange, chest_phantom

DISCLAIMER = "Imported and not validated at this site; not for clinical use."

_COMMISSIONING_COUNT = 6
_BATCH = 16
_OCCLUSION_GRID = 8
_GRADIENT_GRID = 16
_FINEST_OUTPUT = 64
_DENSENET_STRIDE = 32


@dataclass(frozen=True)
class ImportRequest:
    """What to import, and what its file does not say.

    Attributes
    ----------
    path, form:
        File or folder, and its format where it is not recognized.
    classes:
        Names of the output channels in order; ``-`` is a channel without a finding.
    category:
        Which scans it is made for.
    codes:
        Codes of its classes.
    name, version, title:
        Of the bundle.
    task, size, normalization, activation, maps, grid:
        None: as the file says, or as is usual for its kind.
    """

    path: Path
    category: ScanCategory
    form: Format | None = None
    classes: tuple[str, ...] = ()
    codes: FindingCodes = field(default_factory=FindingCodes.provided)
    name: str = ""
    version: str = ""
    title: str = ""
    task: Task | None = None
    size: int | None = None
    normalization: Normalization | None = None
    activation: Activation | None = None
    maps: Maps | None = None
    grid: int | None = None


def chest_category() -> ScanCategory:
    """Frontal chest radiographs."""
    regions: tuple[RegionName, ...] = ("chest",)
    return ScanCategory(modalities=("CR", "DX"), regions=regions, views=("PA", "AP"))


def import_model(request: ImportRequest, out: Path) -> Bundle:
    """Read, check, run and write a model as a bundle.

    Parameters
    ----------
    request:
        What to import.
    out:
        The bundle's folder; must not exist or be empty.

    Returns
    -------
    Bundle
        Written, read again and commissioned.

    Raises
    ------
    ModelImportError
        With the cause and what to do. Nothing is written then.
    """
    if out.exists() and any(out.iterdir()):
        raise ModelImportError(f"{out.name} is not empty; give another folder")
    source = read_source(request.path, request.form)
    with TemporaryDirectory(dir=_parent(out), prefix=".import-") as place:
        folder = Path(place) / "bundle"
        folder.mkdir()
        _Importer(request, source, folder).write()
        commission(read_bundle(folder))
        if out.exists():
            out.rmdir()
        shutil.move(folder, out)
    out.chmod(0o755)
    return read_bundle(out)


class _Importer:
    """The steps of one import, each of which needs what those before found."""

    def __init__(self, request: ImportRequest, source: Source, folder: Path) -> None:
        self._request = request
        self._source = source
        self._folder = folder
        self._normalization = request.normalization or source.normalization or Normalization()
        size = request.size or source.size
        if size is None:
            raise ModelImportError(
                "the file does not say which image size it takes; give --set size=…"
            )
        self._size = size

    def write(self) -> None:
        """Write program, weights, ``model.json`` and model card."""
        if self._source.program:
            name = PROGRAMS[self._source.runtime]
            (self._folder / name).write_bytes(self._source.program)
        classes, channels = self._classes()
        images = _commissioning_images(self._size)
        settings = self._settings(classes, channels, images)
        program = self._program(settings)
        engine = ImportedEngine(settings, tuple(c.key for c in classes), program, None, images)
        self._try_maps(engine)
        self._write_weights(images)
        manifest = self._manifest(classes, settings, engine.commissioning_answers())
        write_manifest(self._folder, manifest)
        (self._folder / CARD).write_text(model_card(manifest), encoding="utf-8")

    def _classes(self) -> tuple[list[FindingClass], list[int]]:
        named = dict(self._source.names)
        if self._request.classes:
            named = {n: name for n, name in enumerate(self._request.classes) if name != "-"}
        if not named:
            raise ModelImportError("the file does not name its classes; give --classes in order")
        channels = sorted(named)
        thresholds = {
            named[n]: Thresholds(present=round(value, 6), patch=round(value, 6))
            for n, value in self._source.thresholds.items()
            if n in named
        }
        names = [named[n] for n in channels]
        return self._request.codes.classes(names, thresholds), channels

    def _settings(
        self, classes: Sequence[FindingClass], channels: list[int], images: NDArray[np.uint8]
    ) -> ImportedSettings:
        """Settings from what is known, and from a first look at what the network answers."""
        outputs, batch = self._first_look(images)
        task: Task = "segmentation" if outputs.ndim == 4 else "classification"
        wanted = self._request.task or self._source.task
        if outputs.ndim not in (2, 4) or (wanted and wanted != task):
            shape = " x ".join(map(str, outputs.shape[1:]))
            raise ModelImportError(f"the network answers {shape} numbers per image: no {wanted}")
        maps = self._request.maps or self._usual_maps(task)
        if max(channels) >= outputs.shape[1]:
            raise ModelImportError(
                f"the network has {outputs.shape[1]} outputs, but {len(channels)} classes are named"
            )
        return _checked(
            runtime=self._source.runtime,
            source=self._source.words,
            task=task,
            input_size=self._size,
            normalization=self._normalization,
            activation=self._request.activation or self._usual_activation(outputs),
            channels=tuple(channels),
            outputs=int(outputs.shape[1]),
            maps=maps,
            grid=self._request.grid or self._usual_grid(maps, outputs),
            batch=batch,
            calibration={c.key: Calibration(slope=1.0, offset=0.0) for c in classes},
        )

    def _first_look(self, images: NDArray[np.uint8]) -> tuple[Tensor, int]:
        """Outputs as they come on the commissioning images, and the batch that it takes."""
        program = self._program(self._bare())
        grey = torch.from_numpy(images.astype(np.float32) / np.float32(255.0))[:, None]
        n = self._normalization
        mean, deviation = (torch.tensor(v).view(1, -1, 1, 1) for v in (n.mean, n.deviation))
        normalized = (grey.expand(-1, n.channels, -1, -1) - mean) / deviation
        try:
            with torch.no_grad():
                return program(normalized).float().cpu(), _BATCH
        except ModelImportError:
            raise
        except Exception:  # noqa: BLE001 - some programs take one image at a time
            return self._one_by_one(program, normalized), 1

    def _one_by_one(self, program: Program, images: Tensor) -> Tensor:
        try:
            with torch.no_grad():
                return torch.cat([program(image[None]).float().cpu() for image in images])
        except ModelImportError:
            raise
        except Exception as error:
            channels = self._normalization.channels
            raise ModelImportError(
                f"the network does not take images of {channels} x {self._size} x {self._size}; "
                "check size and channels"
            ) from error

    def _bare(self) -> ImportedSettings:
        """Settings that suffice to load the network; what it answers is not known yet."""
        outputs = self._source.outputs or 1
        return _checked(
            runtime=self._source.runtime,
            source=self._source.words,
            task="classification",
            input_size=self._size,
            normalization=self._normalization,
            channels=(0,),
            outputs=outputs,
            maps="occlusion",
            grid=_OCCLUSION_GRID,
            calibration={},
        )

    def _program(self, settings: ImportedSettings) -> Program:
        return load_program(settings, self._folder, self._source.weights, torch.device("cpu"))

    def _usual_maps(self, task: Task) -> Maps:
        if task == "segmentation":
            return "output"
        return "activation" if self._source.runtime == "densenet121" else "occlusion"

    def _usual_activation(self, outputs: Tensor) -> Activation:
        """None where all answers are probabilities already."""
        if self._source.runtime == "densenet121":
            return "sigmoid"
        if float(outputs.min()) >= 0.0 and float(outputs.max()) <= 1.0:
            return "none"
        return "softmax" if self._source.exclusive else "sigmoid"

    def _usual_grid(self, maps: Maps, outputs: Tensor) -> int:
        if maps == "output":
            return min(_FINEST_OUTPUT, int(outputs.shape[2]), int(outputs.shape[3]))
        if maps == "activation":
            return self._size // _DENSENET_STRIDE
        return _GRADIENT_GRID if maps == "gradients" else _OCCLUSION_GRID

    def _try_maps(self, engine: ImportedEngine) -> None:
        """Make one map; a program whose gradients can't be had is found out now."""
        blank = np.full((1, self._size, self._size), 0.5, dtype=np.float32)
        try:
            found = engine.predict(blank)
        except RuntimeError as error:
            raise ModelImportError(
                f"maps by {engine.settings.maps} can't be made of it; try --set maps=occlusion"
            ) from error
        if not np.isfinite(found.pooled).all() or not np.isfinite(found.maps[0]).all():
            raise ModelImportError("the network answers numbers that are not finite")

    def _write_weights(self, images: NDArray[np.uint8]) -> None:
        tensors = {NETWORK_PREFIX + k: v.contiguous() for k, v in self._source.weights.items()}
        tensors[COMMISSIONING_IMAGES] = torch.from_numpy(np.ascontiguousarray(images))
        path = self._folder / WEIGHTS
        save_file(tensors, path)
        # safetensors makes files for their owner only; the service may run as another user.
        path.chmod(0o644)

    def _manifest(
        self,
        classes: list[FindingClass],
        settings: ImportedSettings,
        answers: list[dict[str, float]],
    ) -> BundleManifest:
        request, source = self._request, self._source
        name = request.name or source.name or request.path.stem
        return BundleManifest(
            format=1,
            kind="imported",
            name=_slug(name),
            version=request.version or source.version,
            title=request.title or source.title or f"{name} ({source.words})",
            disclaimer=DISCLAIMER,
            works_on="instance",
            categories=(request.category,),
            classes=tuple(classes),
            imported=settings,
            commissioning=Commissioning(
                cases=tuple(CommissioningCase(probabilities=answer) for answer in answers)
            ),
            training={"imported_from": source.words},
        )


def _checked(**values: Any) -> ImportedSettings:
    """Settings, with what is wrong with them as an error of the import."""
    try:
        return ImportedSettings(**values)
    except ValueError as error:
        first = cast("Any", error).errors()[0]
        raise ModelImportError(f"it can't be imported so: {first['msg']}") from error


def _commissioning_images(size: int) -> NDArray[np.uint8]:
    """Squares that the bundle's answers are recorded on; any image would do."""
    first = SeedRange.COMMISSIONING.value
    squares = []
    for seed in range(first, first + _COMMISSIONING_COUNT):
        phantom = chest_phantom(seed, max(size, 64))
        square = square_values(phantom.pixels, phantom.window, size)
        squares.append(np.rint(square * 255.0).astype(np.uint8))
    return np.stack(squares)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "imported"


def _parent(out: Path) -> Path:
    parent = out.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    return parent
