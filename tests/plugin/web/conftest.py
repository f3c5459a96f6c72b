# SPDX-License-Identifier: AGPL-3.0-or-later
"""Fixtures of the answering process's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.plugin.web.small_site import Site, small_site


@pytest.fixture
def site() -> Iterator[Site]:
    site = small_site()
    with site.client:
        yield site
    site.folder.cleanup()
