# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs in the peers' environment: CPU seconds per header of one peer, as JSON.

var/peers/bin/python benchmarks/deid_speed_peers.py PEER REPEATS FILE...
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pydicom

Peer = Callable[[bytes], None]


def _dicognito() -> Peer:
    from dicognito.anonymizer import Anonymizer  # noqa: PLC0415

    anonymizer = Anonymizer()

    def run(content: bytes) -> None:
        dataset = pydicom.dcmread(io.BytesIO(content))
        anonymizer.anonymize(dataset)
        dataset.save_as(io.BytesIO())

    return run


def _kitware() -> Peer:
    import dicomanonymizer  # noqa: PLC0415

    def run(content: bytes) -> None:
        dataset = pydicom.dcmread(io.BytesIO(content))
        dicomanonymizer.anonymize_dataset(dataset, delete_private_tags=True)
        dataset.save_as(io.BytesIO())

    return run


def _deid() -> Peer:
    from deid.config import DeidRecipe  # noqa: PLC0415
    from deid.dicom import get_identifiers, replace_identifiers  # noqa: PLC0415

    recipe = DeidRecipe()
    path = Path(sys.argv[-1]).with_suffix(".deid.dcm")

    def run(content: bytes) -> None:
        path.write_bytes(content)
        found = get_identifiers([str(path)])
        made = replace_identifiers(
            [str(path)], ids=found, deid=recipe, save=False, remove_private=True
        )
        made[0].save_as(io.BytesIO())

    return run


def main() -> None:
    """Print CPU seconds per header by file."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    name, repeats = sys.argv[1], int(sys.argv[2])
    seconds = []
    with contextlib.redirect_stdout(sys.stderr):
        run = {"dicognito": _dicognito, "kitware": _kitware, "deid": _deid}[name]()
        for file in sys.argv[3:]:
            content = Path(file).read_bytes()
            run(content)
            begun = time.process_time()
            for _ in range(repeats):
                run(content)
            seconds.append((time.process_time() - begun) / repeats)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
