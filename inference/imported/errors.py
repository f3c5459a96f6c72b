# SPDX-License-Identifier: Apache-2.0
"""Why a model can't be imported."""

from __future__ import annotations


class ModelImportError(Exception):
    """The model can't be imported; the message names the cause and what to do."""


class PickleRefusedError(ModelImportError):
    """Reading the file would run code that it carries."""
