# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measurements of reports as cornerstone's adapters make them, in Node: OHIF without a browser.

The adapters and their peers are fetched from npm once, bundled for Node, and kept.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.viewers.ohif_releases import CACHE, NotAvailableError, only_one

SCRIPT = Path(__file__).with_name("hydrate.mjs")
ADAPTERS = {"3.12.0": "4.15.29", "3.13.2": "5.6.8"}
"""Version of the adapters that is built into each release of OHIF."""
_ESBUILD = "0.25.11"
_BABEL = "7.28.4"
# Packages for the browser look for its globals when they are loaded.
_BANNER = (
    'import { createRequire as requireFrom } from "module";'
    "globalThis.require ??= requireFrom(import.meta.url);"
    "globalThis.window ??= globalThis; globalThis.self ??= globalThis;"
)


class Hydrated(NamedTuple):
    """One measurement.

    Attributes:
        outline: ``(n, 2)`` in DICOM's pixel coordinates; a rectangle's corners are in the
            tool's own order.
    """

    tool: str
    sop_instance_uid: str
    finding: str
    label: str
    outline: np.ndarray


def hydrate(folder: Path, adapters: str) -> tuple[dict[str, list[Hydrated]], list[str]]:
    """Measurements of every report in a folder, by file name, and what was complained of.

    Raises:
        NotAvailableError: the adapters can't be fetched here.
    """
    done = subprocess.run(
        ["node", str(bundle(adapters)), str(folder)],
        capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    told = json.loads(done.stdout)
    measurements = {
        name: [_hydrated(one) for one in found] for name, found in told["measurements"].items()
    }
    return measurements, told["complaints"]


def _hydrated(one: dict[str, Any]) -> Hydrated:
    # The script's plane has its origin in the middle of the first pixel, DICOM in its corner.
    outline = np.array(one["points"]) + 0.5
    return Hydrated(
        one["tool"], one["image"], one.get("finding", ""), one.get("label", ""), outline
    )


def bundle(adapters: str) -> Path:
    """The script with these adapters, for Node.

    Raises:
        NotAvailableError: the adapters can't be fetched here.
    """
    folder = CACHE.parent / "adapters" / adapters
    made = folder / "hydrate.mjs"
    with only_one():
        script = folder / "source.mjs"
        if not (folder / "node_modules").is_dir():
            _fetch(adapters, folder)
        if not made.exists() or script.read_text("utf-8") != SCRIPT.read_text("utf-8"):
            shutil.copy(SCRIPT, script)
            _bundle_for_node(folder, script, made)
    return made


def _fetch(adapters: str, folder: Path) -> None:
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise NotAvailableError("node and npm are not installed")
    partial = folder.with_name(f"{adapters}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / "package.json").write_text('{"private": true, "type": "module"}', "utf-8")
    names = ("adapters", "core", "tools")
    packages = [f"@cornerstonejs/{name}@{adapters}" for name in names]
    packages += [f"@babel/runtime@{_BABEL}", f"@esbuild/linux-x64@{_ESBUILD}"]
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional"]
    _run(["npm", "install", *options, *packages], partial)
    partial.rename(folder)


def _bundle_for_node(folder: Path, script: Path, bundle: Path) -> None:
    esbuild = folder / "node_modules" / "@esbuild" / "linux-x64" / "bin" / "esbuild"
    _run(
        [
            str(esbuild), script.name, "--bundle", "--platform=node", "--format=esm",
            "--main-fields=module,main", f"--banner:js={_BANNER}", f"--outfile={bundle}",
        ],
        folder,
    )  # fmt: skip


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=280
    )
    if done.returncode != 0:
        raise NotAvailableError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-300:]}")
