# SPDX-License-Identifier: Apache-2.0
"""Bundles on disk as models of the service."""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.anatomy.serving.bundle import NAMES as ANATOMY_MODELS
from inference.contract import AnalysisAnswer, ModelDescription, Standing
from inference.serving.blank import blank_radiograph
from inference.serving.deidentified import require_deidentified_instance
from inference.serving.events import log_error
from inference.serving.models import DeviceError, ServedModel
from inference.serving.starting import loading
from inference.trust import Trust

_OTHERS = frozenset(ANATOMY_MODELS)
"""Folders of models that who recognizes anatomy loads."""
_DECIDE = ("model.json", "signature.json", "serving.json")


@dataclass(frozen=True)
class BundlePlaces:
    """Where bundles lie, what is required of them, and where this node keeps what it found out."""

    folders: Sequence[Path]
    trust: Trust = field(default_factory=Trust)
    state: Path | None = None

    def fingerprint(self) -> Hashable:
        """Changes whenever a bundle, its signature, or a decision about versions does."""
        return tuple(self._marks())

    def _marks(self) -> Iterator[tuple[str, int, int]]:
        for folder in self.folders:
            for name in _DECIDE:
                for depth in ("", "*/", "*/*/"):
                    for path in sorted(folder.glob(depth + name)):
                        try:
                            status = path.stat()
                        except FileNotFoundError:
                            continue  # removed while we looked; the next look sees it
                        if not _OTHERS.intersection(path.parts):
                            yield str(path), status.st_mtime_ns, status.st_size


class Bundles:
    """The bundles of some folders, as ``LoadedModels``.

    :raises DeviceError: if ``device`` is not there.
    """

    def __init__(self, places: BundlePlaces, device: str = "auto", threads: int = 0) -> None:
        _restrict_devices(device)
        from inference.loading import load_bundles  # noqa: PLC0415 - loads torch

        self.device = _start_torch(device, threads)
        registry = load_bundles(places.folders, trust=places.trust, state=places.state)
        self.served: dict[str, ServedModel] = {}
        self.rejected = dict(registry.rejected)
        self._standing = Standing(
            fallbacks=registry.fallbacks, waiting=registry.waiting, vouched=registry.vouched
        )
        self._models: dict[str, _BundleModel] = {}
        for name, bundle in registry.served.items():
            try:
                self._models[name] = _BundleModel(bundle, places.state)
            except Exception as error:  # noqa: BLE001 - one bad bundle must not stop the others
                log_error("warm-up-failed", error)
                self.rejected[name] = "its first forward pass failed; see the service's log"
        self.served.update(self._models)

    @property
    def standing(self) -> Standing:
        """How the bundles do now."""
        shifts = {name: found for name, model in self._models.items() if (found := model.shifts)}
        return self._standing.model_copy(update={"shifts": shifts})


class _BundleModel:
    def __init__(self, bundle: Any, state: Path | None) -> None:
        from inference.commissioning.shift import ScoreWatch  # noqa: PLC0415
        from inference.heatmap.analyse import analyse  # noqa: PLC0415 - loads torch

        self._bundle = bundle
        self._analyse = analyse
        self.description: ModelDescription = bundle.description
        self._watch = ScoreWatch(bundle.manifest, bundle.digest, state)
        # Commissioning ran a batch of squares; one image on its way from a file to maps takes other
        # kernels, and imports what reads pixels.
        blank = blank_radiograph()
        require_deidentified_instance(blank, len(blank))
        self._analyse(self._bundle, [blank])

    @property
    def shifts(self) -> dict[str, float]:
        """Classes whose scores are no longer what they were."""
        return self._watch.shifts

    def analyse(self, instances: Sequence[bytes]) -> AnalysisAnswer:
        """Analyse the files of one scan, and count its scores."""
        answer: AnalysisAnswer = self._analyse(self._bundle, instances)
        self._watch.add(answer)
        return answer


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
    # When bundles are loaded again, torch is there already.
    with nullcontext() if "torch" in sys.modules else loading():
        import torch  # noqa: PLC0415 - 1 to 2 seconds, while the service answers already

    if threads:
        torch.set_num_threads(threads)
    if torch.cuda.is_available():
        return f"cuda {torch.cuda.get_device_name(0)}"
    if device.startswith("cuda"):
        raise DeviceError("no such CUDA device; start with --device cpu or auto")
    return "cpu"
