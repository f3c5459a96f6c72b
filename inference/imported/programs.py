# SPDX-License-Identifier: Apache-2.0
"""Networks of every format behind one call: normalized images in, outputs as they come."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from inference.imported.archives import (
    check_script_operators,
    check_torchscript,
    safe_exported_program,
)
from inference.imported.densenet import DenseNet121
from inference.imported.errors import ModelImportError
from inference.imported.settings import ImportedSettings


class Program(Protocol):
    """A network that can be run."""

    @property
    def differentiable(self) -> bool:
        """Whether gradients with respect to the images can be had."""

    def __call__(self, images: Tensor) -> Tensor:
        """``(N, channels, size, size)`` float32 to ``(N, outputs)`` or ``(N, outputs, h, w)``."""


class TorchProgram:
    """Anything that torch runs."""

    differentiable = True

    def __init__(self, module: Any, device: torch.device) -> None:
        self._module = module
        self._device = device

    def __call__(self, images: Tensor) -> Tensor:
        """Run it on its device."""
        return one_tensor(self._module(images.to(self._device)))


class DenseNetProgram(TorchProgram):
    """DenseNet-121, which also tells the logits of patches."""

    def __init__(self, network: DenseNet121, device: torch.device) -> None:
        super().__init__(network, device)
        self._network = network

    def patch_logits(self, images: Tensor) -> Tensor:
        """``(N, classes, size/32, size/32)``."""
        return self._network.patch_logits(images.to(self._device))


class OnnxProgram:
    """A network that onnxruntime runs on the processor.

    Raises
    ------
    ModelImportError
        onnxruntime is not installed or can't read the file, or the network has several inputs.
    """

    differentiable = False

    def __init__(self, content: bytes, name: str) -> None:
        try:
            runtime = import_module("onnxruntime")
        except ImportError as error:
            raise ModelImportError(
                f"{name} needs onnxruntime: pip install 'sidelight[import]'"
            ) from error
        options = runtime.SessionOptions()
        # As torch: one forward pass takes no more threads than the service was given.
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4
        try:
            # From bytes: weights in files of other folders can't be reached.
            self._session = runtime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ModelImportError(
                f"{name} can't be read by onnxruntime; save it with its weights inside"
            ) from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ModelImportError(f"{name} has {len(inputs)} inputs; it must take one image")
        self._input = inputs[0].name
        self._output = self._session.get_outputs()[0].name

    def __call__(self, images: Tensor) -> Tensor:
        """The first output."""
        given = {self._input: images.detach().cpu().numpy()}
        return torch.from_numpy(self._session.run([self._output], given)[0])


def load_program(
    settings: ImportedSettings, folder: Path, tensors: Mapping[str, Tensor], device: torch.device
) -> Program:
    """The network of a bundle.

    Parameters
    ----------
    settings:
        What ``model.json`` says of it.
    folder:
        The bundle.
    tensors:
        Its weights, for networks that are Sidelight's own code.
    device:
        Where torch runs it.

    Raises
    ------
    ModelImportError
        The file is missing, damaged, or holds what is not allowed.
    """
    if settings.runtime == "densenet121":
        return _densenet(settings, tensors, device)
    path = folder / str(settings.program)
    try:
        if settings.runtime == "torchscript":
            return TorchProgram(load_torchscript(path, device), device)
        if settings.runtime == "exported":
            return TorchProgram(load_exported(path, device), device)
        return OnnxProgram(path.read_bytes(), path.name)
    except OSError as error:
        raise ModelImportError(f"{path.name} can't be read: {error.strerror}") from error


def _densenet(
    settings: ImportedSettings, tensors: Mapping[str, Tensor], device: torch.device
) -> DenseNetProgram:
    with torch.device("meta"):
        network = DenseNet121(settings.normalization.channels, settings.outputs)
    try:
        network.load_state_dict(dict(tensors), assign=True)
    except RuntimeError as error:
        raise ModelImportError("the weights are not those of a DenseNet-121") from error
    network = network.float().to(device=device)
    network.eval().requires_grad_(requires_grad=False)
    return DenseNetProgram(network, device)


def load_torchscript(path: Path, device: torch.device) -> Any:
    """A TorchScript module whose archive and operators were checked.

    Raises
    ------
    ModelImportError
        If they do not pass.
    """
    check_torchscript(path)
    with _quiet():
        try:
            module = torch.jit.load(  # type: ignore[no-untyped-call]
                str(path), map_location=device
            )
        except RuntimeError as error:
            raise ModelImportError(f"{path.name} is damaged or of another torch") from error
    check_script_operators(module, path.name)
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad = False
    return module


def load_exported(path: Path, device: torch.device) -> nn.Module:
    """The module of an exported program, read from a copy without pickles and guards.

    Raises
    ------
    ModelImportError
        If it holds what is not allowed, or is damaged.
    """
    content = safe_exported_program(path)
    with _quiet():
        try:
            program = torch.export.load(io.BytesIO(content))
            module: nn.Module = program.module(check_guards=False)
        except Exception as error:
            raise ModelImportError(f"{path.name} is damaged or of another torch") from error
    module = module.to(device)
    for parameter in module.parameters():
        parameter.requires_grad = False
    return module


def one_tensor(output: Any) -> Tensor:
    """The one tensor among what networks answer: a tensor, a tuple, or a dictionary.

    Raises
    ------
    ModelImportError
        There is none.
    """
    if isinstance(output, Mapping):
        output = next(iter(output.values()), None)
    while isinstance(output, (tuple, list)) and output:
        output = output[0]
    if not isinstance(output, Tensor):
        raise ModelImportError("the network answers no tensor; export it with one output")
    return output


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's advice to the developers of the model."""
    logger = logging.getLogger("torch.export")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
