# SPDX-License-Identifier: AGPL-3.0-or-later
"""De-identified headers of a site's own archive, and volumes in memory, to train with: gently."""

from plugin.collecting.source import collect_headers
from plugin.collecting.volumes import collect_volumes

__all__ = ["collect_headers", "collect_volumes"]
