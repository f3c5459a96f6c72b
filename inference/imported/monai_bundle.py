# SPDX-License-Identifier: Apache-2.0
"""What a MONAI bundle says of its model (``configs/metadata.json``, ``configs/inference.json``).

Configurations of MONAI are programs: ``$`` starts a Python expression, ``_target_`` names what to
call. Nothing of that is run. The metadata, which is plain data, say what goes in and comes out; of
the inference configuration only literals of ``network_def`` are read. A network that is stored as
weights alone is taken where Sidelight has the architecture; every other one is taken as
TorchScript, which MONAI itself writes (``python -m monai.bundle ckpt_export``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.imported.errors import ModelImportError
from inference.imported.settings import Normalization, Task

_PROGRAMS = ("models/model.ts", "models/model.pt2", "models/model.onnx")
_CHECKPOINTS = ("models/model.safetensors", "models/model.pt")
_DENSENETS = {"DenseNet121", "Densenet121", "densenet121", "monai.networks.nets.DenseNet121",
              "monai.networks.nets.densenet121"}  # fmt: skip
_BACKGROUND = {"background", "0"}


@dataclass(frozen=True)
class MonaiModel:
    """A 2D model of a MONAI bundle.

    Attributes
    ----------
    file:
        Program or checkpoint.
    is_checkpoint:
        Whether it is the weights of a DenseNet-121.
    name, version, description:
        As the bundle says.
    task:
        What comes out.
    size:
        Side of the square that goes in.
    normalization:
        Channels and range that go in.
    names:
        Of the output channels that are findings, by channel.
    outputs:
        Number of output channels.
    several:
        Whether classes exclude each other (softmax) or not (sigmoid).
    """

    file: Path
    is_checkpoint: bool
    name: str
    version: str
    description: str
    task: Task
    size: int
    normalization: Normalization
    names: dict[int, str]
    outputs: int
    exclusive: bool


def read_monai_bundle(folder: Path) -> MonaiModel:
    """Read the description of a bundle and find its network.

    Raises
    ------
    ModelImportError
        What is missing, or which property of the model does not fit.
    """
    metadata = _json(folder / "configs" / "metadata.json")
    formats = metadata.get("network_data_format") or {}
    given, answered = _only(formats, "inputs"), _only(formats, "outputs")
    task = _task(metadata, answered)
    outputs = _whole(answered, "num_channels")
    names = _names(answered, outputs)
    file, is_checkpoint = _network(folder)
    return MonaiModel(
        file=file,
        is_checkpoint=is_checkpoint,
        name=str(metadata.get("name") or folder.name),
        version=_version(str(metadata.get("version") or "")),
        description=str(metadata.get("description") or metadata.get("task") or folder.name),
        task=task,
        size=_side(given),
        normalization=_normalization(given),
        names=names,
        outputs=outputs,
        exclusive=outputs > 1 and not _multilabel(metadata, answered),
    )


def _task(metadata: dict[str, Any], answered: dict[str, Any]) -> Task:
    """Segmentations answer images, classifications a vector of probabilities."""
    said = f"{answered.get('format', '')} {answered.get('type', '')} {metadata.get('task', '')}"
    said = said.casefold()
    if "classification" in said or answered.get("type") in ("probabilities", "tuples", "logits"):
        return "classification"
    if "segmentation" in said or "image" in said:
        return "segmentation"
    raise ModelImportError(
        "the MONAI bundle is neither a classification nor a segmentation "
        f"(outputs are {answered.get('format') or 'not described'})"
    )


def _multilabel(metadata: dict[str, Any], answered: dict[str, Any]) -> bool:
    said = f"{metadata.get('task', '')} {answered.get('format', '')} {answered.get('type', '')}"
    return bool(re.search(r"multi[- ]?label|sigmoid", said, re.IGNORECASE))


def _side(given: dict[str, Any]) -> int:
    shape = given.get("spatial_shape")
    if not isinstance(shape, list) or len(shape) not in (2, 3):
        raise ModelImportError("configs/metadata.json has no spatial_shape of its input")
    if len(shape) == 3:
        raise ModelImportError(
            "the model takes volumes; single images are imported (2D, spatial_shape of two sizes)"
        )
    sizes = [_size(part) for part in shape]
    if sizes[0] != sizes[1]:
        raise ModelImportError(f"the model takes {sizes[0]} x {sizes[1]}; it must be a square")
    return sizes[0]


def _size(part: object) -> int:
    """A plain number, or the factor of a rule such as ``16*n``: the multiple nearest to 256."""
    if isinstance(part, int):
        return part
    rule = re.fullmatch(r"(\d+)\s*\*\s*(?:2\s*\*\*\s*)?n", str(part).strip())
    if rule and int(rule[1]) <= 256:
        return int(rule[1]) * max(1, 256 // int(rule[1]))
    if str(part).strip() == "*":
        return 256
    raise ModelImportError(f"configs/metadata.json has the size {part!r}, which is no plain number")


def _normalization(given: dict[str, Any]) -> Normalization:
    channels = _whole(given, "num_channels")
    if channels not in (1, 3):
        raise ModelImportError(f"the model takes {channels} channels; 1 and 3 can be made")
    bounds = given.get("value_range") or [0, 1]
    try:
        low, high = (float(value) for value in bounds)
    except (TypeError, ValueError):
        low, high = 0.0, 1.0
    if not high > low:
        raise ModelImportError("configs/metadata.json has a value_range that is empty")
    width = high - low
    return Normalization(
        channels=1 if channels == 1 else 3,
        mean=(-low / width,) * channels,
        deviation=(1.0 / width,) * channels,
    )


def _names(answered: dict[str, Any], outputs: int) -> dict[int, str]:
    """Names by channel; a background is no finding."""
    described = answered.get("channel_def") or {}
    names = {
        int(channel): str(name)
        for channel, name in described.items()
        if str(channel).isdigit() and str(name).casefold() not in _BACKGROUND
    }
    if not names or max(names) >= outputs:
        raise ModelImportError("configs/metadata.json names no classes (outputs … channel_def)")
    return names


def _network(folder: Path) -> tuple[Path, bool]:
    for name in _PROGRAMS:
        if (folder / name).is_file():
            return folder / name, False
    found = next((folder / name for name in _CHECKPOINTS if (folder / name).is_file()), None)
    if found is None:
        raise ModelImportError("the MONAI bundle has no models/model.ts, .pt2, .onnx or .pt")
    network = _json(folder / "configs" / "inference.json").get("network_def")
    target = network.get("_target_") if isinstance(network, dict) else None
    if target in _DENSENETS:
        return found, True
    raise ModelImportError(
        f"the MONAI bundle stores weights of {target or 'an expression'} alone; write "
        "models/model.ts with 'python -m monai.bundle ckpt_export network_def --filepath "
        "models/model.ts --ckpt_file models/model.pt --meta_file configs/metadata.json "
        "--config_file configs/inference.json', then import the bundle"
    )


def _only(formats: dict[str, Any], side: str) -> dict[str, Any]:
    entries = [e for e in (formats.get(side) or {}).values() if isinstance(e, dict)]
    if len(entries) != 1:
        raise ModelImportError(
            f"configs/metadata.json describes {len(entries)} {side}; one image and one answer fit"
        )
    return dict(entries[0])


def _whole(entry: dict[str, Any], key: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int) or value < 1:
        raise ModelImportError(f"configs/metadata.json has no {key} as a whole number")
    return value


def _version(text: str) -> str:
    found = re.match(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?", text)
    return ".".join(part or "0" for part in found.groups()) if found else "0.1.0"


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelImportError(f"{path.name} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelImportError(f"{path.name} is no JSON") from error
    if not isinstance(content, dict):
        raise ModelImportError(f"{path.name} is no JSON object")
    return content
