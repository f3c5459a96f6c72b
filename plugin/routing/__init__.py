# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which scans go to which application, by the table of applications.

``category`` judges a series against an application; the workers use it to narrow installed bundles.
For destinations outside, ``matching`` puts together the matched study set of a stable study, the
``dispatcher`` notes its delivery in the outbox, and ``delivery`` sends it.
"""
