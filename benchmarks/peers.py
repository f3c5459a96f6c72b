# SPDX-License-Identifier: Apache-2.0
"""Others' software that is measured beside Sidelight, each in an environment of its own.

It lies in ``var/peers`` of the project and is installed at the first run: no package of a peer
comes into Sidelight's own environment, where it would change versions or licences.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.report import say

FOLDER = Path(__file__).resolve().parents[1] / "var" / "peers"


class PeerNotInstalledError(RuntimeError):
    """A peer can't be installed here; names the package and pip's reason."""


def environment(name: str, *requirements: str) -> Path:
    """Folder ``bin`` of the environment of a peer.

    Args:
        name: of the environment.
        requirements: what pip installs, with exact versions.

    Raises:
        PeerNotInstalledError: no package index is reached, or it lacks the package.
    """
    folder = FOLDER / name
    stamp, wanted = folder / "installed.txt", "\n".join(requirements)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return folder / "bin"
    say(f"installing {', '.join(requirements)} for comparison")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *requirements], capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise PeerNotInstalledError(f"{', '.join(requirements)}: {' '.join(last)}")
    stamp.write_text(wanted, encoding="utf-8")
    return folder / "bin"
