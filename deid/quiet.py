# SPDX-License-Identifier: Apache-2.0
"""Keeps libraries from telling on standard error what a header says."""

from __future__ import annotations

import logging
import warnings


def quiet_libraries() -> None:
    """Let no warning of a DICOM library through: they quote values. For a process of our own."""
    warnings.simplefilter("ignore")
    for name in ("pydicom", "highdicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
