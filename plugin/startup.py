# SPDX-License-Identifier: AGPL-3.0-or-later
"""From Orthanc's configuration to running hooks, routes and processes, in the order of need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugin import environment, host
from plugin.arrival.asked import arrival_is_asked
from plugin.arrival.entrance import Entrance
from plugin.events import Answer, Request

if TYPE_CHECKING:
    from plugin.configuration import Configuration


def start(root: Path) -> None:
    """Start Sidelight inside Orthanc, or say in one line why not and let Orthanc go on.

    Args:
        root: folder that holds the package ``plugin``.
    """
    whole = host.configuration()
    section = whole.get("Sidelight", {})
    text = section if isinstance(section, Mapping) else {}
    if text.get("Enabled") is False:
        _stay_off(whole)
        return
    try:
        folder = environment.activate(root, _text(text, "Environment"))
    except environment.EnvironmentMismatchError as error:
        _refuse(str(error), whole)
        return
    _start_with_packages(root, whole, folder)


def _start_with_packages(root: Path, whole: Mapping[str, Any], folder: Path | None) -> None:
    # Only now: these need the environment's packages.
    from plugin.application import Application, StartError  # noqa: PLC0415
    from plugin.configuration import ConfigurationError, read  # noqa: PLC0415

    try:
        configuration: Configuration = read(whole.get("Sidelight", {}))
        python = environment.interpreter(folder, configuration.python)
        Application.prepare(root, whole, configuration, python).register()
    except (ConfigurationError, StartError) as error:
        _refuse(str(error), whole)


def _stay_off(whole: Mapping[str, Any]) -> None:
    host.log_warning("switched off by Sidelight.Enabled")
    _store_nothing_if_asked("Sidelight is switched off, and Arrival.Mode is not", whole)


def _store_nothing_if_asked(reason: str, whole: Mapping[str, Any]) -> None:
    """Keep originals out of an archive that must not have any."""
    section = whole.get("Sidelight", {})
    if arrival_is_asked(section):
        host.log_error(f"arrival mode: nothing is stored. {reason}")
        Entrance.closed(reason, section, whole).register()


def _refuse(reason: str, whole: Mapping[str, Any]) -> None:
    host.log_error(f"not started. {reason}")
    _store_nothing_if_asked("Sidelight could not start", whole)

    def status(_request: Request) -> Answer:
        from plugin.routes import error  # noqa: PLC0415

        return error(503, "not-started", reason)

    host.on_route("/sidelight/status", status)


def _text(section: Mapping[str, Any], key: str) -> str:
    value = section.get(key, "")
    return value if isinstance(value, str) else ""
