# SPDX-License-Identifier: Apache-2.0
"""The models that the service runs: loaded and commissioned aside, run a few at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from inference.contract import AnalysisAnswer, Health, ModelDescription, Standing
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

    @property
    def standing(self) -> Standing:
        """How the bundles do now."""


Loader = Callable[[], LoadedModels]


class DeviceError(RuntimeError):
    """The device that was asked for is not there; the message says what to do."""


class Models:
    """Loads models in a thread of its own pool, so that the service answers meanwhile.

    :param loader: loads, commissions and warms up; runs in a thread that runs models later, for a
        thread's first forward pass is slow.
    :param concurrency: analyses at a time.
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

    def reload_when_changed(self, fingerprint: Callable[[], Hashable], seconds: float) -> None:
        """Load again whenever what lies on the disk has changed and then kept still.

        Requests are answered by the models of before until the new ones are ready. Should loading
        fail as a whole, those of before stay.
        """
        threading.Thread(
            target=self._watch, args=(fingerprint, seconds), name="watch", daemon=True
        ).start()

    def _watch(self, fingerprint: Callable[[], Hashable], seconds: float) -> None:
        loaded = seen = fingerprint()
        while True:
            time.sleep(seconds)
            now = fingerprint()
            if now == seen and now != loaded and self._loaded is not None:
                error = self.pool.submit(self._load).exception()
                if error:
                    log_error("reloading-failed", error)
                loaded = now
            seen = now

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
            **dict(self._loaded.standing),
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
