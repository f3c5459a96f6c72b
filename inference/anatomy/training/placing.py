# SPDX-License-Identifier: Apache-2.0
"""What a run made takes the place of an earlier run's bundle only where nothing good is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.anatomy.serving.bundle import AnatomyBundle, read_anatomy_bundle
from inference.anatomy.serving.commissioning import prove
from inference.manifest import MANIFEST, BundleError

_UNFINISHED = ".unfinished"
NOT_FIT = "not-fit"
"""Folder, in that of the bundle that was kept, with what is not fit for use."""


@contextmanager
def made_aside(out: Path) -> Iterator[Path]:
    """A folder within ``out`` to write to, until :func:`put_in_place`; removed at the end.

    :raises OSError: from the beginning, if it can't be made.
    """
    aside = out / _UNFINISHED
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def put_in_place(aside: Path, *, fit: bool) -> AnatomyBundle | None:
    """Move what a run made to its folder, or to :data:`NOT_FIT` in that where a fit bundle lies.

    :param aside: of :func:`made_aside`.
    :param fit: whether it may be served.
    :return: the bundle that was kept; None where what was made took its place.
    """
    out = aside.parent
    kept = None if fit else fit_bundle(out)
    place = out if kept is None else out / NOT_FIT
    if kept is not None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    # The manifest last: until then the files are not those that the earlier one names.
    for path in sorted(aside.iterdir(), key=lambda one: one.name == MANIFEST):
        path.replace(place / path.name)
    return kept


def fit_bundle(folder: Path) -> AnatomyBundle | None:
    """The bundle in a folder that may be served; None where there is none."""
    try:
        bundle = read_anatomy_bundle(folder)
        prove(bundle)
    except BundleError:
        return None
    return bundle


def kept_in_words(kept: AnatomyBundle | None) -> str:
    """What a person should know of the bundle that was kept; empty where none was."""
    if kept is None:
        return ""
    name = f"{kept.digest[:12]} in {kept.folder}"
    return f"; the earlier bundle {name} is kept, what was made lies in {kept.folder / NOT_FIT}"
