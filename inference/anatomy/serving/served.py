# SPDX-License-Identifier: Apache-2.0
"""The anatomy models that answer now: those of the site where a person promoted them, else shipped.

A promoted version is read, checked for who vouches for it, and commissioned before it answers. One
that does not pass leaves its place to the version that was promoted before it, and that to the
shipped model; :attr:`ServedAnatomy.standing` says so. What lies on the disk is looked at again
every few seconds, so that a decision needs no restart; until the new model has passed, the old one
answers.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from inference.anatomy.header import Dataset, Header
from inference.anatomy.learned.families import AnatomyModelError
from inference.anatomy.learned.recognizer import MetadataModel, shipped_model, shipped_weights
from inference.anatomy.learned.study import shipped_study_weights
from inference.anatomy.pixels.regressor import (
    BodyPartRegressor,
    shipped_regressor,
    shipped_regressor_weights,
)
from inference.anatomy.recognizer import Recognizer, recognize
from inference.anatomy.serving.bundle import (
    METADATA,
    NAMES,
    PIXELS,
    AnatomyBundle,
    AnatomyModelName,
    files_of,
    read_anatomy_bundle,
)
from inference.contract import AnatomyAnswer, Health, PixelAnatomyAnswer
from inference.manifest import MANIFEST, BundleError
from inference.serving.events import log, log_error
from inference.trust import SIGNATURE, Trust, Vouched
from inference.versions import SERVING, Versions

LOOK_SECONDS = 2.0
STUDY = "anatomy-study"
"""Name of the model of a series among the others of its study; it comes with this package alone."""
_DECIDE = (MANIFEST, SIGNATURE, *(file for name in NAMES for file in files_of(name)))
"""Of a bundle; weights too, since a damaged file may be restored under the same manifest."""


@dataclass
class AnatomyStanding:
    """Which models answer, and what a person should know of the others; all by name.

    :param versions: of what answers; a version, or ``shipped-`` and the beginning of a digest.
    """

    versions: dict[str, str] = field(default_factory=dict)
    fallbacks: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, tuple[str, ...]] = field(default_factory=dict)
    vouched: dict[str, Vouched] = field(default_factory=dict)

    def added_to(self, health: Health) -> dict[str, Any]:
        """Fields of a service's health that tell of these models too."""
        return {
            "anatomy": dict(self.versions),
            "fallbacks": {**health.fallbacks, **self.fallbacks},
            "waiting": {**health.waiting, **self.waiting},
            "vouched": {**health.vouched, **self.vouched},
        }


@dataclass(frozen=True)
class _Loaded:
    recognizer: Recognizer
    regressor: BodyPartRegressor
    standing: AnatomyStanding


class ServedAnatomy:
    """Answers with the models that are to be served.

    :param folders: of models with versions, as a site names them; the first that has versions of
        a model counts.
    :param trust: what the site requires of bundles.
    :param look_seconds: how often the folders are looked at while questions come.
    """

    def __init__(
        self,
        folders: Sequence[Path] = (),
        trust: Trust | None = None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._folders = tuple(folders)
        self._trust = trust or Trust()
        self._look_seconds = look_seconds
        self._lock = threading.Lock()
        self._seen = self._fingerprint()
        self._next = time.monotonic() + look_seconds
        self._now: Future[_Loaded] = Future()
        self._begin()

    def recognize(self, header: Mapping[str, Any] | Dataset) -> AnatomyAnswer:
        """The anatomy that a header shows; names the model that says so."""
        now = self._current()
        answer = recognize(header, now.recognizer)
        return answer.model_copy(update={"model": _named(METADATA, now)})

    def recognize_study(
        self, headers: Sequence[Mapping[str, Any] | Dataset]
    ) -> list[AnatomyAnswer]:
        """The anatomy of the series of one study, in their order; names the models that say so."""
        now = self._current()
        alone = _named(METADATA, now)
        together = f"{alone}, {STUDY} {_digest_version(shipped_study_weights())}"
        given = [Header.of(header) for header in headers]
        if isinstance(now.recognizer, MetadataModel):
            answers = now.recognizer.recognize_study(given)
        else:
            answers = [now.recognizer.recognize(header) for header in given]
        return [
            answer.model_copy(update={"model": together if answer.in_study else alone})
            for answer in answers
        ]

    def recognize_pixels(self, instances: Sequence[bytes]) -> PixelAnatomyAnswer:
        """The anatomy that the pixels of DICOM files of one series show; names the model, too."""
        # The service starts without pydicom, which decoding needs.
        from inference.anatomy.pixels.series import recognize_slices  # noqa: PLC0415

        now = self._current()
        answer = recognize_slices(instances, now.regressor)
        return answer.model_copy(update={"model": _named(PIXELS, now)}) if answer.slices else answer

    @property
    def ready(self) -> bool:
        """Whether questions are answered at once."""
        return self._now.done()

    @property
    def recognizer(self) -> Recognizer:
        """What answers for headers now."""
        return self._current().recognizer

    @property
    def standing(self) -> AnatomyStanding:
        """Which models answer now, and why not others."""
        return self._current().standing

    def _current(self) -> _Loaded:
        """What is loaded; waits for the first loading, not for later ones."""
        if time.monotonic() >= self._next:
            self._look()
        return self._now.result()

    def _look(self) -> None:
        with self._lock:
            if time.monotonic() < self._next or not self._now.done():
                return
            self._next = time.monotonic() + self._look_seconds
            seen = self._fingerprint()
            if seen == self._seen:
                return
            self._seen = seen
        threading.Thread(target=self._again, name="anatomy", daemon=True).start()

    def _begin(self) -> None:
        """Load what is shipped at once, and what has to be commissioned aside."""
        first = self._now
        if not any(True for _ in self._places()):
            first.set_result(self._load())
            return

        def load() -> None:
            try:
                first.set_result(self._load())
            except BaseException as error:  # noqa: BLE001
                # Whoever waits for the first answer must hear of it.
                first.set_exception(error)

        threading.Thread(target=load, name="anatomy", daemon=True).start()

    def _again(self) -> None:
        following: Future[_Loaded] = Future()
        try:
            following.set_result(self._load())
        except Exception as error:  # noqa: BLE001
            log_error("anatomy-not-reloaded", error)
            return
        self._now = following

    def _load(self) -> _Loaded:
        loading = _Loading(self._trust)
        for name, versions in self._places():
            loading.serve(name, versions)
        found = loading.found()
        if loading.looked:
            log("anatomy-loaded", **found.standing.versions)
        return found

    def _places(self) -> Iterator[tuple[AnatomyModelName, Path]]:
        """The folder with versions of each model that has one."""
        for name in NAMES:
            for folder in self._folders:
                if Versions.is_one(folder / name):
                    yield name, folder / name
                    break

    def _fingerprint(self) -> Hashable:
        """Changes whenever a decision, a bundle or a signature does."""
        return tuple(_marks(self._folders))


class _Loading:
    """One run over the folders."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._standing = AnatomyStanding()
        self._served: dict[AnatomyModelName, AnatomyBundle] = {}
        self.looked = False
        """Whether the site has versions of its own."""

    def serve(self, name: AnatomyModelName, folder: Path) -> None:
        """Serve the promoted version that passes first; say why those before it did not."""
        self.looked = True
        try:
            versions = Versions(folder)
        except BundleError as error:
            self._standing.fallbacks[name] = f"{shipped_version(name)} is served, since {error}"
            return
        failed = []
        for version in versions.to_try if versions.serving.current else ():
            try:
                self._admit(name, folder / version, versions.digest_of(version))
            except BundleError as error:
                failed.append(f"{version}: {error}")
                continue
            break
        if waiting := versions.undecided(elsewhere=True):
            self._standing.waiting[name] = tuple(waiting)
        if failed:
            bundle = self._served.get(name)
            served = bundle.manifest.version if bundle else shipped_version(name)
            self._standing.fallbacks[name] = f"{served} is served, since {'; '.join(failed)}"

    def _admit(self, name: AnatomyModelName, folder: Path, digest: str) -> None:
        from inference.anatomy.serving.commissioning import prove  # noqa: PLC0415 - phantoms

        bundle = read_anatomy_bundle(folder)
        if (bundle.manifest.name, bundle.manifest.version) != (name, folder.name):
            raise BundleError(
                f"{MANIFEST} says {bundle.manifest.version} of {bundle.manifest.name}"
            )
        if digest and bundle.digest != digest:
            raise BundleError("it was altered since it was promoted; promote it again")
        vouched = self._trust.check(bundle)
        try:
            prove(bundle)
        except BundleError:
            raise
        except Exception as error:
            # Whatever a bundle provokes, the anatomy is answered all the same.
            log_error("anatomy-commissioning-broke-off", error)
            raise BundleError(f"its commissioning broke off: {type(error).__name__}") from error
        self._served[name] = bundle
        self._standing.vouched[name] = vouched

    def found(self) -> _Loaded:
        """Load what is to be served."""
        versions: dict[str, str] = {name: shipped_version(name) for name in NAMES}
        versions |= {name: bundle.manifest.version for name, bundle in self._served.items()}
        standing = replace(self._standing, versions=versions)
        metadata, pixels = self._served.get(METADATA), self._served.get(PIXELS)
        return _Loaded(
            MetadataModel.load(metadata.weights) if metadata else shipped_model(),
            BodyPartRegressor.load(pixels.weights) if pixels else shipped_regressor(),
            standing,
        )


@cache
def shipped_version(name: AnatomyModelName) -> str:
    """How the shipped model is named in answers: by the beginning of its weights' SHA-256.

    :raises AnatomyModelError: if the package is damaged.
    """
    return _digest_version(shipped_weights() if name == METADATA else shipped_regressor_weights())


@cache
def _digest_version(path: Path) -> str:
    try:
        return f"shipped-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
    except OSError as error:
        raise AnatomyModelError(f"{path.name} of this package can't be read") from error


def _named(name: AnatomyModelName, now: _Loaded) -> str:
    return f"{name} {now.standing.versions[name]}"


def _marks(folders: Iterable[Path]) -> Iterator[tuple[str, int, int]]:
    for folder in folders:
        for place in (folder / name for name in NAMES):
            of_bundles = (found for file in _DECIDE for found in place.glob(f"*/{file}"))
            for path in (place / SERVING, *of_bundles):
                try:
                    status = path.stat()
                except OSError:
                    continue  # removed while we looked; the next look sees it
                yield str(path), status.st_mtime_ns, status.st_size
