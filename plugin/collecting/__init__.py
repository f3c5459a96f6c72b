# SPDX-License-Identifier: AGPL-3.0-or-later
"""De-identified headers of a site's own archive, and volumes in memory, to train with: gently."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugin.collecting.source import collect_headers
    from plugin.collecting.volumes import collect_volumes

__all__ = ["collect_headers", "collect_volumes"]

_LATER = {
    "collect_headers": "plugin.collecting.source",
    "collect_volumes": "plugin.collecting.volumes",
}


def __getattr__(name: str) -> Any:
    """Load when it is first used what loads pydicom (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LATER[name]), name)
    return found
