# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether arrival mode is asked for, told before any package can be imported.

Where the configuration can't be used, this decides between an Orthanc that stores originals as if
without Sidelight and one that stores nothing; what is unclear counts as asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

_SECTION = "arrival"


def arrival_is_asked(section: object) -> bool:
    """Whether Sidelight's section of Orthanc's configuration may want arrival mode.

    A key that looks like a misspelt ``Arrival`` does, and so does any Mode other than "off".
    """
    if not isinstance(section, Mapping):
        return False
    likely = difflib.get_close_matches(_SECTION, [str(key).lower() for key in section], n=9)
    return any(_wants(value) for key, value in section.items() if str(key).lower() in likely)


def _wants(arrival: object) -> bool:
    if not isinstance(arrival, Mapping):
        return True
    return any(value != "off" for key, value in arrival.items() if str(key).lower() == "mode") or (
        bool(arrival) and "Mode" not in arrival
    )
