# SPDX-License-Identifier: Apache-2.0
"""The models that the service runs: loaded and commissioned aside, run a few at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from inference.contract import AnalysisAnswer, Health, ModelDescription
from inference.serving.blank import blank_radiograph
from inference.serving.deidentified import require_deidentified_instance
from inference.serving.errors import ServiceError
from inference.serving.events import log, log_error


class ServedModel(Protocol):
    """One model that is ready to run."""

    @property
    def description(self) -> ModelDescription:
        """What it is and what it works on."""

    def analyse(self, instances: Sequence[bytes]) -> AnalysisAnswer:
        """Analyse the DICOM files of one scan."""


class LoadedModels(Protocol):
    """What loading came to."""

    device: str
    served: dict[str, ServedModel]
    rejected: dict[str, str]


Loader = Callable[[], LoadedModels]


class DeviceError(RuntimeError):
    """The device that was asked for is not there; the message says what to do."""


class Models:
    """Loads models in a thread of its own pool, so that the service answers meanwhile.

    :param loader: loads, commissions and warms up; runs in a thread that runs models later, for a
        thread's first forward pass is slow.
    :param concurrency: forward passes at a time.
    """

    def __init__(self, loader: Loader, concurrency: int = 1) -> None:
        self._loader = loader
        self._loaded: LoadedModels | None = None
        self.concurrency = concurrency
        self.pool = ThreadPoolExecutor(concurrency, thread_name_prefix="model")

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """Begin to load; ``failed`` is called in that thread with an error that ends all hope."""

        def check(future: Future[None]) -> None:
            if error := future.exception():
                failed(error)

        self.pool.submit(self._load).add_done_callback(check)

    def _load(self) -> None:
        started = time.perf_counter()
        loaded = self._loader()
        self._loaded = loaded
        log(
            "models-loaded",
            models=sorted(loaded.served),
            rejected=loaded.rejected,
            device=loaded.device,
            seconds=round(time.perf_counter() - started, 3),
        )

    @property
    def health(self) -> Health:
        """``starting`` until all models are loaded or rejected."""
        if self._loaded is None:
            return Health(status="starting", device="", models=())
        return Health(
            status="ok",
            device=self._loaded.device,
            models=tuple(sorted(self._loaded.served)),
            rejected=self._loaded.rejected,
        )

    @property
    def descriptions(self) -> list[ModelDescription]:
        """All served models, by name.

        :raises ServiceError: ``starting``.
        """
        served = self._ready().served
        return [served[name].description for name in sorted(served)]

    def named(self, name: str) -> ServedModel:
        """Find a model.

        :raises ServiceError: ``starting``, or ``unknown-model``.
        """
        model = self._ready().served.get(name)
        if model is None:
            raise ServiceError(
                404, "unknown-model", "no such model is served; see /v1/models and /v1/health"
            )
        return model

    def _ready(self) -> LoadedModels:
        if self._loaded is None:
            raise ServiceError(503, "starting", "models are being loaded; ask again", retry_after=1)
        return self._loaded


class Bundles:
    """The bundles of some folders, as :class:`LoadedModels`.

    :raises DeviceError: if ``device`` is not there.
    """

    def __init__(self, folders: Sequence[Path], device: str = "auto", threads: int = 0) -> None:
        _restrict_devices(device)
        from inference.bundles import load_bundles  # noqa: PLC0415 - loads torch

        self.device = _start_torch(device, threads)
        registry = load_bundles(folders)
        self.served: dict[str, ServedModel] = {}
        self.rejected = dict(registry.rejected)
        for name, bundle in registry.served.items():
            try:
                self.served[name] = _BundleModel(bundle)
            except Exception as error:  # noqa: BLE001 - one bad bundle must not stop the others
                log_error("warm-up-failed", error)
                self.rejected[name] = "its first forward pass failed; see the service's log"


class _BundleModel:
    def __init__(self, bundle: Any) -> None:
        from inference.heatmap.analyse import analyse  # noqa: PLC0415 - loads torch

        self._bundle = bundle
        self._analyse = analyse
        self.description: ModelDescription = bundle.description
        # Commissioning ran a batch of squares; one image on its way from a file to maps takes other
        # kernels, and imports what reads pixels.
        blank = blank_radiograph()
        require_deidentified_instance(blank, len(blank))
        self.analyse([blank])

    def analyse(self, instances: Sequence[bytes]) -> AnalysisAnswer:
        return self._analyse(self._bundle, instances)


def _restrict_devices(device: str) -> None:
    """Let torch see what was asked for only; works until torch is loaded."""
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif device.startswith("cuda:"):
        os.environ["CUDA_VISIBLE_DEVICES"] = device.removeprefix("cuda:")


def _start_torch(device: str, threads: int) -> str:
    """Load torch and return the name of the device in use."""
    # Threads that spin while they wait for each other made a forward pass of 12 ms take 1,200 ms
    # on a machine with more work than cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch  # noqa: PLC0415 - 1 to 2 seconds, while the service answers already

    if threads:
        torch.set_num_threads(threads)
    if torch.cuda.is_available():
        return f"cuda {torch.cuda.get_device_name(0)}"
    if device.startswith("cuda"):
        raise DeviceError("no such CUDA device; start with --device cpu or auto")
    return "cpu"
