# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a report."""

from __future__ import annotations


class ReportError(Exception):
    """A report can't be read or made safe; the message quotes nothing of it."""
