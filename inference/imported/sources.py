# SPDX-License-Identifier: Apache-2.0
"""Find out what a file or folder is, and what it says of its model."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from inference.imported.archives import check_torchscript, safe_exported_program
from inference.imported.checkpoints import (
    TORCHXRAYVISION_FINDINGS,
    TORCHXRAYVISION_SIZE,
    DenseNetWeights,
    densenet_weights,
    is_torchxrayvision,
    read_state_dict,
    torchxrayvision_weights,
    trained_outputs,
)
from inference.imported.errors import ModelImportError
from inference.imported.monai_bundle import MonaiModel, read_monai_bundle
from inference.imported.settings import Normalization, Runtime, Task

Format = Literal["torchscript", "exported", "onnx", "monai", "torchxrayvision", "densenet121"]
FORMATS: tuple[Format, ...] = (
    "torchscript", "exported", "onnx", "monai", "torchxrayvision", "densenet121",
)  # fmt: skip

# torchxrayvision: "images scaled to [-1024, 1024]" (Cohen et al., arXiv:2111.00595, section 2).
_XRV_NORMALIZATION = Normalization(channels=1, mean=(0.5,), deviation=(1.0 / 2048.0,))
_IMAGENET = Normalization(channels=3, mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))


# As torchxrayvision names the files that it publishes.
_XRV_NAME = re.compile(r"xrv|xray|densenet121-(d121|res224)")


@dataclass(frozen=True)
class Source:
    """A model as found; None where the file does not say.

    Attributes
    ----------
    runtime, words:
        What runs it, and its format in words.
    program:
        The content of the program file, checked; empty for DenseNet-121.
    weights:
        Tensors of DenseNet-121.
    names:
        Names of its classes by output channel; empty if the file does not say.
    thresholds:
        Scores from which a class counts as present, by channel.
    """

    runtime: Runtime
    words: str
    program: bytes = b""
    weights: dict[str, Tensor] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    thresholds: dict[int, float] = field(default_factory=dict)
    outputs: int | None = None
    size: int | None = None
    normalization: Normalization | None = None
    task: Task | None = None
    exclusive: bool = False
    name: str = ""
    version: str = "0.1.0"
    title: str = ""


def recognize_format(path: Path) -> Format:
    """Which format a path has, by its content where the name does not tell.

    Raises
    ------
    ModelImportError
        It is none of them.
    """
    if path.is_dir():
        if (path / "configs" / "metadata.json").is_file():
            return "monai"
        raise ModelImportError(f"the folder {path.name} has no configs/metadata.json (MONAI)")
    if not path.is_file():
        raise ModelImportError(f"there is no file {path.name}")
    by_name: dict[str, Format] = {".onnx": "onnx", ".pt2": "exported", ".ts": "torchscript"}
    if path.suffix in by_name:
        return by_name[path.suffix]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any("/code/" in name for name in names):
            return "torchscript"
        if any("/models/" in name and name.endswith(".json") for name in names):
            return "exported"
    return "torchxrayvision" if _XRV_NAME.search(path.name.casefold()) else "densenet121"


def read_source(path: Path, given: Format | None = None) -> Source:
    """Read a model without running anything of it.

    Raises
    ------
    ModelImportError
        With the cause, and what to do.
    """
    form = given or recognize_format(path)
    if form == "monai":
        return _monai(path)
    if form == "torchxrayvision":
        return _torchxrayvision(path)
    if form == "densenet121":
        tensors = read_state_dict(path)
        if given is None and is_torchxrayvision(tensors):
            return _torchxrayvision(path)
        return _densenet(densenet_weights(tensors, path.name), "DenseNet-121 checkpoint")
    return _program(path, form)


def _program(path: Path, runtime: Runtime) -> Source:
    words = {"torchscript": "TorchScript", "exported": "exported program", "onnx": "ONNX"}
    try:
        if runtime == "exported":
            content = safe_exported_program(path)
        else:
            if runtime == "torchscript":
                check_torchscript(path)
            content = path.read_bytes()
    except OSError as error:
        raise ModelImportError(f"{path.name} can't be read: {error.strerror}") from error
    return Source(runtime=runtime, words=words[runtime], program=content)


def _densenet(weights: DenseNetWeights, words: str) -> Source:
    normalization = _IMAGENET if weights.channels == 3 else Normalization()
    return Source(
        runtime="densenet121",
        words=words,
        weights=weights.tensors,
        outputs=weights.outputs,
        size=TORCHXRAYVISION_SIZE,
        normalization=normalization,
        task="classification",
    )


def _torchxrayvision(path: Path) -> Source:
    weights = torchxrayvision_weights(path)
    if weights.channels != 1 or weights.outputs != len(TORCHXRAYVISION_FINDINGS):
        raise ModelImportError(
            f"{path.name} has {weights.channels} channels and {weights.outputs} outputs; "
            f"torchxrayvision's has 1 and {len(TORCHXRAYVISION_FINDINGS)}. Use "
            "--set format=densenet121 and name the classes"
        )
    trained = trained_outputs(weights.thresholds, weights.outputs)
    return Source(
        runtime="densenet121",
        words="torchxrayvision DenseNet-121",
        weights=weights.tensors,
        names={number: TORCHXRAYVISION_FINDINGS[number] for number in trained},
        thresholds={n: weights.thresholds[n] for n in trained} if weights.thresholds else {},
        outputs=weights.outputs,
        size=TORCHXRAYVISION_SIZE,
        normalization=_XRV_NORMALIZATION,
        task="classification",
        name="torchxrayvision-densenet121",
        title="Chest radiograph findings (torchxrayvision DenseNet-121)",
    )


def _monai(folder: Path) -> Source:
    described = read_monai_bundle(folder)
    if described.is_checkpoint:
        weights = densenet_weights(read_state_dict(described.file), described.file.name)
        read = _densenet(weights, "MONAI bundle (DenseNet-121)")
    else:
        form = recognize_format(described.file)
        if form not in ("torchscript", "exported", "onnx"):
            raise ModelImportError(f"{described.file.name} is no program; export it again")
        read = _program(described.file, form)
    return _described(read, described)


def _described(read: Source, said: MonaiModel) -> Source:
    return Source(
        runtime=read.runtime,
        words=f"MONAI bundle ({read.words.removeprefix('MONAI bundle (').removesuffix(')')})",
        program=read.program,
        weights=read.weights,
        names=said.names,
        outputs=said.outputs,
        size=said.size,
        normalization=said.normalization,
        task=said.task,
        exclusive=said.exclusive,
        name=said.name,
        version=said.version,
        title=said.description.splitlines()[0][:120],
    )
