# SPDX-License-Identifier: AGPL-3.0-or-later
"""A stand-in for Orthanc's module, so that what imports it can be tested without Orthanc."""

from __future__ import annotations

import sys
import types

import pytest


class FakeOrthanc(types.ModuleType):
    """Every member raises unless a test sets it."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AssertionError(f"orthanc.{name} was used without being set by the test")


sys.modules.setdefault("orthanc", FakeOrthanc("orthanc"))


@pytest.fixture
def orthanc(monkeypatch: pytest.MonkeyPatch) -> FakeOrthanc:
    """A fresh module, seen by ``plugin.host``."""
    from plugin import host

    fake = FakeOrthanc("orthanc")
    monkeypatch.setattr(host, "orthanc", fake)
    return fake
