# SPDX-License-Identifier: AGPL-3.0-or-later
"""The processes of the PHI zone that work off the queue: fetch, de-identify, ask, build, store."""
