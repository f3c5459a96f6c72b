# SPDX-License-Identifier: AGPL-3.0-or-later
"""Logging of the child processes: on standard error, and never anything of a patient."""

from __future__ import annotations

import logging
import warnings


def quiet_libraries() -> None:
    """Log our own lines only: warnings of DICOM libraries quote values of the header."""
    logging.basicConfig(level=logging.INFO, format="sidelight %(name)s %(levelname)s %(message)s")
    warnings.simplefilter("ignore")
    for name in ("pydicom", "highdicom", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
