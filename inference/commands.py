# SPDX-License-Identifier: Apache-2.0
"""Commands of inference: ``sidelight train``, ``models``, ``phantom`` and ``anatomy``."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.anatomy.commands import app as anatomy
    from inference.commands_phantom import phantom
    from inference.commands_training import train
    from inference.commands_versions import models

__all__ = ["anatomy", "models", "phantom", "train"]

_LATER = {
    "anatomy": ("inference.anatomy.commands", "app"),
    "models": ("inference.commands_versions", "models"),
    "phantom": ("inference.commands_phantom", "phantom"),
    "train": ("inference.commands_training", "train"),
}


def __getattr__(name: str) -> Any:
    """Load one group of commands without the others (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, group = _LATER[name]
    return getattr(import_module(module), group)
