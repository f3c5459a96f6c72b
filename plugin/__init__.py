# SPDX-License-Identifier: AGPL-3.0-or-later
"""All that knows Orthanc: entry script, hooks, queue, workers, routes, result objects, pages."""
