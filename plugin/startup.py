# SPDX-License-Identifier: AGPL-3.0-or-later
"""From Orthanc's configuration to running hooks, routes and processes, in the order of need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugin import environment, host
from plugin.arrival.asked import arrival_is_asked
from plugin.arrival.memory import lift_memory_limits
from plugin.arrival.received import refusing
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
        _stay_off(section)
        return
    try:
        folder = environment.activate(root, _text(text, "Environment"))
    except environment.EnvironmentMismatchError as error:
        _refuse(str(error), section)
        return
    _start_with_packages(root, whole, section, folder)


def _start_with_packages(
    root: Path, whole: Mapping[str, Any], section: object, folder: Path | None
) -> None:
    # Only now: these need the environment's packages.
    from plugin.application import Application, StartError  # noqa: PLC0415
    from plugin.configuration import ConfigurationError, read  # noqa: PLC0415

    try:
        configuration: Configuration = read(section)
        python = environment.interpreter(folder, configuration.python)
        Application.prepare(root, whole, configuration, python).register()
    except (ConfigurationError, StartError) as error:
        _refuse(str(error), section)


def _stay_off(section: object) -> None:
    host.log_warning("switched off by Sidelight.Enabled")
    if arrival_is_asked(section):
        _store_nothing("Sidelight is switched off, and Arrival.Mode is not")


def _store_nothing(reason: str) -> None:
    """Keep originals out of an archive that must not have any."""
    lift_memory_limits()
    host.log_error(f"arrival mode: nothing is stored. {reason}")
    host.on_received(refusing(reason, host.log_error).on_received_instance)


def _refuse(reason: str, section: object) -> None:
    host.log_error(f"not started. {reason}")
    if arrival_is_asked(section):
        _store_nothing("Sidelight could not start")

    def status(_request: Request) -> Answer:
        from plugin.routes import error  # noqa: PLC0415

        return error(503, "not-started", reason)

    host.on_route("/sidelight/status", status)


def _text(section: Mapping[str, Any], key: str) -> str:
    value = section.get(key, "")
    return value if isinstance(value, str) else ""
