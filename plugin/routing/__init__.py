# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which scans go to which application, by the table of applications.

``facts`` are what a category asks of a series; ``plugin.scan_category`` judges them, for the
workers, too, which narrow installed bundles. For destinations outside, ``matching`` puts together
the matched study set of a stable study, ``deciding`` says which deliveries follow, and
``delivery`` sends them.
"""
