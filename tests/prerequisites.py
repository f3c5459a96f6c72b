# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m tests.prerequisites``: fetches what tests try beside what is installed.

The tests fetch it themselves where it is absent; beforehand, it costs no test any time. What can't
be had is named here; the tests ask once more, then they are skipped and say so.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

from tests.system import releases
from tests.viewers import hydration, ohif_releases

ABSENT = (
    releases.NotAvailableError,
    ohif_releases.NotAvailableError,
    subprocess.TimeoutExpired,
)


def prerequisites() -> Iterator[tuple[str, Callable[[], object]]]:
    """Each by its name, with what fetches it."""
    yield "Orthanc 1.12.7", releases.newer_installation
    yield "packages for its Python", releases.newer_environment
    for release in ohif_releases.RELEASES:
        yield f"OHIF {release.version}", partial(ohif_releases.ohif_build, release)
    yield f"OHIF's services {ohif_releases.CORE.version}", ohif_releases.ohif_core
    for version in hydration.ADAPTERS.values():
        yield f"cornerstone's adapters {version}", partial(hydration.bundle, version)


def main() -> None:
    """Fetch all of them."""
    for name, fetch in prerequisites():
        try:
            fetch()
        except ABSENT as error:
            sys.stderr.write(f"sidelight: {name} can't be fetched: {error}\n")


if __name__ == "__main__":
    main()
