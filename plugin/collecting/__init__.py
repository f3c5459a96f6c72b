# SPDX-License-Identifier: AGPL-3.0-or-later
"""De-identified headers of a site's own archive, to train the tag model: at quiet hours, gently."""

from plugin.collecting.source import collect_headers

__all__ = ["collect_headers"]
