# SPDX-License-Identifier: AGPL-3.0-or-later
"""All that knows Orthanc: entry script, hooks, queue, workers, routes, result objects, pages."""

# Orthanc's own Python may not see Sidelight as an installed package, so the version stands here.
__version__ = "0.1.0"
