# SPDX-License-Identifier: AGPL-3.0-or-later
"""All that knows Orthanc: entry script, hooks, queue, workers, routes, result objects, pages."""

__version__ = "0.1.0"
"""Of all of Sidelight. Orthanc's own Python may not see the installed package, so it stands here."""
