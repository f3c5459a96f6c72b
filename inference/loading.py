# SPDX-License-Identifier: Apache-2.0
"""Which bundles are served: found, checked for who vouches for them, commissioned, one per name.

Of one model there may be several bundles: the version that a person promoted and those promoted
before it, the shipped one, and a copy of the last one that was served here. They are tried in this
order; the first that passes is served, and it is said why those before it were not.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from inference.anatomy.serving.bundle import NAMES as ANATOMY_MODELS
from inference.anatomy.serving.bundle import is_anatomy_bundle
from inference.bundles import Bundle, BundleError, bundle_folders, read_bundle
from inference.manifest import CARD, MANIFEST
from inference.serving.events import log
from inference.trust import SIGNATURE, Trust, Vouched
from inference.versions import Versions

_LAST_SERVED = "last-served"


@dataclass(frozen=True)
class Registry:
    """What loading came to.

    Attributes
    ----------
    served:
        By name.
    rejected:
        Why others are not served: by name, or by folder if there is none of that name.
    fallbacks:
        By name: what is served in place of what, and why.
    waiting:
        By name: versions that a person has to promote or reject.
    vouched:
        By name: how the served bundle is vouched for.
    """

    served: dict[str, Bundle] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    fallbacks: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, tuple[str, ...]] = field(default_factory=dict)
    vouched: dict[str, Vouched] = field(default_factory=dict)


@dataclass
class _Candidate:
    """A bundle that might be served.

    ``rank`` orders those of one name: 0 promoted, 1 found beside or without a decision, 2 a copy of
    what was served last.
    """

    folder: Path
    rank: int
    label: str = ""
    bundle: Bundle | None = None


def load_bundles(
    directories: Iterable[Path],
    *,
    trust: Trust | None = None,
    state: Path | None = None,
    commissioned: bool = True,
) -> Registry:
    """Find, check and commission bundles.

    Parameters
    ----------
    directories:
        Bundle folders, folders of bundle folders, or folders of models with their versions. Of
        several bundles of one name that nobody decided about, the first one is served.
    trust:
        What the site requires of bundles.
    state:
        Folder of this node for results of commissioning and for copies of what was served last;
        None: nothing is kept.
    commissioned:
        False skips commissioning, and with it loading torch: for listings only.
    """
    return _Loading(trust or Trust(), state, commissioned=commissioned).run(list(directories))


class _Loading:
    """One run over the directories."""

    def __init__(self, trust: Trust, state: Path | None, *, commissioned: bool) -> None:
        self._trust = trust
        self._state = state
        self._commissioned = commissioned
        self._found = Registry()
        self._by_name: dict[str, list[_Candidate]] = {}

    def run(self, directories: list[Path]) -> Registry:
        for directory in directories:
            for folder in bundle_folders([directory]):
                if not is_anatomy_bundle(folder):
                    self._gather(_Candidate(folder, 1))
            self._gather_versions(directory)
        for name, candidates in self._by_name.items():
            self._serve(name, candidates)
        if self._state is not None:
            self._recall(self._state / _LAST_SERVED)
        return self._found

    def _gather(self, candidate: _Candidate) -> None:
        try:
            candidate.bundle = read_bundle(candidate.folder)
        except BundleError as error:
            # An unreadable bundle counts for the name that its folder promises.
            name = candidate.folder.parent.name if candidate.label else candidate.folder.name
            self._found.rejected[name] = f"{candidate.label} {error}".strip()
            return
        manifest = candidate.bundle.manifest
        if candidate.label not in ("", manifest.version):
            self._found.rejected[candidate.folder.parent.name] = (
                f"{candidate.label}: model.json says {manifest.version}; add it again with "
                "'sidelight models add'"
            )
            return
        candidate.label = manifest.version
        self._by_name.setdefault(manifest.name, []).append(candidate)

    def _gather_versions(self, directory: Path) -> None:
        if not directory.is_dir():
            return
        for folder in sorted(directory.iterdir()):
            if folder.name in ANATOMY_MODELS or not Versions.is_one(folder):
                continue  # who recognizes anatomy looks after its own
            try:
                versions = Versions(folder)
            except BundleError as error:
                self._found.rejected[folder.name] = str(error)
                continue
            rank = 1 if versions.serving.current is None else 0
            for version in versions.to_try:
                self._gather(_Candidate(folder / version, rank, version))
            if versions.waiting:
                self._found.waiting[folder.name] = tuple(versions.waiting)

    def _serve(self, name: str, candidates: list[_Candidate]) -> None:
        """Serve the first candidate that passes; say why those before it did not."""
        failed: list[str] = []
        for candidate in sorted(candidates, key=lambda c: c.rank):
            bundle = candidate.bundle
            if bundle is None:
                continue
            if name in self._found.served:
                self._leave_out(name, candidate, len(failed))
                continue
            try:
                self._admit(bundle)
            except BundleError as error:
                failed.append(f"{candidate.label}: {error}")
        if failed:
            self._found.rejected[name] = "; ".join(failed)
        self._say_fallback(name, failed)

    def _admit(self, bundle: Bundle) -> None:
        """Serve a bundle.

        Raises
        ------
        BundleError
            It may not be served.
        """
        vouched = self._trust.check(bundle)
        if self._commissioned:
            # Looked up here: listings answer without torch.
            from inference.commissioning.acceptance import Results, accept  # noqa: PLC0415

            accept(bundle, Results(self._state))
        name = bundle.manifest.name
        self._found.served[name] = bundle
        self._found.vouched[name] = vouched
        if self._commissioned and self._state is not None:
            _remember(bundle, self._state / _LAST_SERVED)

    def _leave_out(self, name: str, candidate: _Candidate, failures: int) -> None:
        """A further bundle of a served name: a version that waits, or one that is in the way."""
        if candidate.folder.parent.name == name:
            if candidate.rank == 1:
                known = self._found.waiting.get(name, ())
                self._found.waiting[name] = tuple(dict.fromkeys((*known, candidate.label)))
        elif not failures and not self._promoted(name):
            self._found.rejected[name] = "another bundle is already served as " + name

    def _promoted(self, name: str) -> bool:
        return any(c.rank == 0 for c in self._by_name.get(name, ()))

    def _say_fallback(self, name: str, failed: list[str]) -> None:
        served = self._found.served.get(name)
        if served is not None and failed:
            self._found.fallbacks[name] = (
                f"{served.manifest.version} is served, since {'; '.join(failed)}"
            )

    def _recall(self, kept: Path) -> None:
        """Where nothing of a name may be served, serve what was served here last."""
        for name in sorted(set(self._found.rejected) - set(self._found.served)):
            folder = kept / name
            if not (folder / MANIFEST).exists():
                continue
            try:
                bundle = read_bundle(folder)
                self._admit(bundle)
            except BundleError as error:
                self._found.rejected[name] += f"; the one served before: {error}"
                continue
            self._say_fallback(name, [self._found.rejected[name]])


def _remember(bundle: Bundle, kept: Path) -> None:
    """Keep a copy of what is served, so that a bad update has something to fall back to."""
    folder = kept / bundle.manifest.name
    if bundle.folder == folder or _same(bundle, folder):
        return
    unfinished = kept / f".{bundle.manifest.name}"
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name in (MANIFEST, *bundle.manifest.files, CARD, SIGNATURE):
            if (bundle.folder / name).exists():
                shutil.copy2(bundle.folder / name, unfinished / name)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.replace(folder)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        log("bundle-not-kept", model=bundle.manifest.name, reason=error.strerror)


def _same(bundle: Bundle, folder: Path) -> bool:
    """Whether the copy is of this bundle: by its files' sizes and times, which copies keep."""
    for name in (MANIFEST, *bundle.manifest.files):
        try:
            one, other = (bundle.folder / name).stat(), (folder / name).stat()
        except OSError:
            return False
        if (one.st_size, one.st_mtime_ns) != (other.st_size, other.st_mtime_ns):
            return False
    return True
